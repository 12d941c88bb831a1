"""Telling another program what became of a run: a signed request to a URL of the user's."""

import contextlib
import hashlib
import hmac
import ipaddress
import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from components.errors import EvenfaceError, RequestError
from components.section import Section, SettingError

SIGNATURE_HEADER = "X-Evenface-Signature"
"""``sha256=`` and the HMAC-SHA256, in hexadecimal digits, of the timestamp, a full stop and the body."""

TIMESTAMP_HEADER = "X-Evenface-Timestamp"
"""Seconds since 1970 at which the request was signed; a receiver refuses old ones, which may be replayed."""

_logger = logging.getLogger(__name__)


class HooksSettings(Section):
    """Who is told when a run fails, and when a model is promoted."""

    url: str | None = Field(
        None, description="Where an event is posted: https, or http on this machine; None for nowhere."
    )
    secret_env: str = Field(
        "EVENFACE_HOOK_SECRET",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the environment variable with the secret that events are signed with.",
    )
    timeout_seconds: float = Field(10, gt=0, le=60, description="Longest time that one attempt waits.")
    attempts: int = Field(4, ge=1, le=10, description="Attempts altogether, while the receiver can't be reached.")

    @field_validator("url")
    @classmethod
    def _url_keeps_secrets(cls, url: str | None) -> str | None:
        # The value is not repeated in an error: many a hook's URL is its secret.
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise SettingError("credentials don't belong in settings", remedy="sign the events, see hooks.secret_env")
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
        ):
            raise SettingError(
                "events are posted over https alone, or over http on this machine", remedy="write an https:// URL"
            )
        return url


def check_secret(hooks: HooksSettings) -> None:
    """Refuse, before anything is started, a hook whose secret is missing.

    Raises:
        RequestError: If a URL is set and the environment holds no secret.
    """
    if hooks.url is not None and not os.environ.get(hooks.secret_env):
        raise RequestError(
            f"hooks.url is set, but the environment variable {hooks.secret_env} holds no secret to sign events with",
            remedy="set it, to the secret that the receiver knows",
        )


def notify(hooks: HooksSettings, event: Mapping[str, Any]) -> bool:
    """Post an event, signed; without a URL do nothing.

    The body is the event as JSON with its ``time``. Attempts that meet no answer, 429 or a server's error are repeated
    with growing pauses, each signed anew; a redirection is not followed. A failure is logged and never raised: what is
    told of matters more than the telling.

    Args:
        hooks: Where to, and how it is signed.
        event: JSON values; ``event`` says what happened, such as "run.failed" or "model.promoted".

    Returns:
        Whether the receiver took it.

    Example:
        >>> notify(HooksSettings(), {"event": "run.failed", "run": "weekly"})
        False
    """
    if hooks.url is None:
        return False
    import requests
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

    body = json.dumps({**event, "time": datetime.now(UTC).isoformat(timespec="seconds")}).encode()
    waiting = wait_exponential_jitter(initial=0.5, max=10)
    try:
        check_secret(hooks)
        for attempt in Retrying(
            retry=retry_if_exception_type((requests.ConnectionError, requests.Timeout, _BusyError)),
            stop=stop_after_attempt(hooks.attempts),
            wait=waiting,
            reraise=True,
        ):
            with attempt:
                _post(hooks, body)
    except RequestError as error:
        _logger.warning("The hook was not told: %s", error)
        return False
    except (requests.RequestException, OSError) as error:
        # Neither the URL nor the error's own text, which holds it: they may be secret.
        _logger.warning(
            "The hook at %s was not told (%s): check hooks.url and its receiver.",
            urlsplit(hooks.url).hostname,
            _status(error) or type(error).__name__,
        )
        return False
    return True


@contextlib.contextmanager
def telling_of_failure(hooks: HooksSettings, **about: Any) -> Iterator[None]:
    """Notify the hook of an error that ends the block, with its problem and its remedy, and let the error pass.

    Args:
        hooks: Who is told.
        **about: What the event says besides, such as the run's name and its target.
    """
    check_secret(hooks)
    try:
        yield
    except RequestError:
        # Nothing has been started.
        raise
    except Exception as error:
        problem, remedy = (
            (error.problem, error.remedy) if isinstance(error, EvenfaceError) else (f"{type(error).__name__}", "")
        )
        notify(hooks, {"event": "run.failed", **about, "problem": problem, "remedy": remedy})
        raise


class _BusyError(OSError):
    """The receiver asks for patience or has a fault of its own."""


def _post(hooks: HooksSettings, body: bytes) -> None:
    import requests

    timestamp = str(int(datetime.now(UTC).timestamp()))
    signed = hmac.new(os.environ[hooks.secret_env].encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    answer = requests.post(
        str(hooks.url),
        data=body,
        headers={
            "Content-Type": "application/json",
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: f"sha256={signed.hexdigest()}",
        },
        timeout=hooks.timeout_seconds,
        allow_redirects=False,
    )
    if answer.status_code == 429 or answer.status_code >= 500:
        raise _BusyError(f"status {answer.status_code}")
    if answer.status_code >= 300:
        raise requests.HTTPError(response=answer)


def _status(error: Exception) -> str:
    if isinstance(error, _BusyError):
        return str(error)
    response = getattr(error, "response", None)
    return f"status {response.status_code}" if response is not None else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
