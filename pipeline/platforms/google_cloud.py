"""What these credentials may do on Google Cloud: for Vertex AI, and for buckets that any run reads."""

import logging
import os

from components.gs_uri import GsUri
from pipeline.platforms.checks import PATIENCE_SECONDS, Check

_ROLE = "Storage Object User"
_REFUSALS = {400: "this is no bucket's name", 404: "there is no such bucket"}


def check_credentials() -> Check:
    """Look for Google's application default credentials, and show only what kind they are."""
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    # The chain's last link asks the metadata server, which only Google's machines have.
    os.environ.setdefault("GCE_METADATA_TIMEOUT", "1")
    logging.getLogger("google.auth").setLevel(logging.ERROR)
    try:
        credentials, project = google.auth.default()
    except GoogleAuthError:
        remedy = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
        return Check("Google credentials", False, "none", remedy)
    kind = type(credentials).__module__.removeprefix("google.")
    return Check("Google credentials", True, f"{kind}, project {project or 'unknown'}")


def check_bucket(uri: str) -> Check:
    """Check that a bucket can be listed, read and written, without writing to it."""
    import google.auth.exceptions
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import storage

    name = GsUri.parse(uri).bucket
    wanted = {f"storage.objects.{verb}" for verb in ("list", "get", "create", "delete")}
    try:
        client = storage.Client()
        granted = client.bucket(name).test_iam_permissions(sorted(wanted), timeout=PATIENCE_SECONDS, retry=None)
    except google.auth.exceptions.GoogleAuthError:
        return Check("Bucket", False, f"gs://{name}: no credentials", "run `gcloud auth application-default login`")
    except GoogleAPICallError as error:
        denied = error.code in (401, 403)
        finding = "these credentials may not look at it" if denied else _REFUSALS.get(error.code, "no answer")
        remedy = f"ask its owner for the role {_ROLE}" if denied else "check its name and the network"
        return Check("Bucket", False, f"gs://{name}: {finding}", remedy)
    except (OSError, ValueError):
        return Check("Bucket", False, f"gs://{name}: it can't be reached", "check its name and the network")
    missing = ", ".join(sorted(permission.rsplit(".")[-1] for permission in wanted - set(granted)))
    finding = f"you may not {missing}" if missing else "you may list, read and write"
    return Check("Bucket", not missing, f"gs://{name}: {finding}", f"ask its owner for the role {_ROLE}")
