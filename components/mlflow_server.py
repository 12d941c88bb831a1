"""The connection to an MLflow server."""

import ipaddress
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.errors import EvenfaceError, RequestError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CREDENTIALS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
"""Environment variables from which MLflow's client takes what it shows to a server."""

_SECRETS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD")


class MlflowError(EvenfaceError):
    """An MLflow server can't be reached, or refuses."""


def check_uri(uri: str) -> None:
    """Check that a URI names an MLflow server to which credentials may be sent, without connecting to it.

    Raises:
        RequestError: If it is no HTTP address, holds credentials, or would send them in the clear.
    """
    parts = urlsplit(uri)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RequestError("The address of the MLflow server is not one of a server", remedy="write https://HOST")
    if parts.username or parts.password:
        raise RequestError(
            "The address of the MLflow server holds credentials", remedy=f"set {_SECRETS[0]} in the environment instead"
        )
    secret = next((name for name in _SECRETS if os.environ.get(name)), None)
    if secret is not None and is_in_the_clear(uri):
        raise RequestError(
            f"{secret} would be sent to {parts.hostname} over plain HTTP", remedy="write https:// in the address"
        )


def is_in_the_clear(uri: str) -> bool:
    """Return whether credentials for a server would cross a network unencrypted."""
    parts = urlsplit(uri)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def connect(uri: str) -> "MlflowClient":
    """Return a client of a server. Its credentials are in the environment, see MLflow's documentation.

    Raises:
        RequestError: If the URI is refused by :func:`check_uri`, or if MLflow is not installed.
    """
    check_uri(uri)
    # Read when MLflow is imported: it reports its use to its makers unless told not to.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # By default a server that is down is asked for four minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    try:
        from mlflow.tracking import MlflowClient
    except ModuleNotFoundError as error:
        raise RequestError(
            f"MLflow is not installed here ({error.name} is missing)", remedy="install evenface[mlflow]"
        ) from None
    # It tells on the console of every version that it waits for.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn the block's errors of MLflow's client into one of evenface's, with its remedy.

    Raises:
        MlflowError: If the server can't be reached or refuses.
    """
    import requests
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, requests.RequestException) as error:
        first = str(getattr(error, "message", error)).strip().splitlines()[0].rstrip(".")
        raise MlflowError(
            f"The MLflow server {uri} could not be reached or refuses ({first[:200]})",
            remedy="check its address, its log, and the credentials in the environment",
        ) from None


def is_missing(error: Exception) -> bool:
    """Return whether an error of MLflow's client says that something does not exist."""
    return getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"


def find_experiment(client: "MlflowClient", name: str) -> str:
    """Return the identifier of an experiment, which is created if there is none."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:
            # Another one may have created it in between.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    return str(found.experiment_id)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
