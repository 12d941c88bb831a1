"""Settings of tracking."""

from typing import Annotated

from pydantic import AfterValidator, Field

from components.errors import RequestError
from components.mlflow_server import check_uri
from components.section import Section, SettingError


def _names_a_server(uri: str | None) -> str | None:
    if uri is not None:
        try:
            check_uri(uri)
        except RequestError as error:
            raise SettingError(error.problem, remedy=error.remedy) from None
    return uri


class TrackingSettings(Section):
    """Which MLflow server is told of a run."""

    mlflow_uri: Annotated[str | None, AfterValidator(_names_a_server)] = Field(
        None, description="https://HOST of the server, or http:// on this machine; None for no tracking."
    )
    experiment: str | None = Field(
        None, min_length=1, description="Experiment of the runs; by default evenface/ and the source's last name."
    )
    models: bool = Field(True, description="Whether the trained models are uploaded too.")
    required: bool = Field(
        False, description="Whether a server that can't be told fails the run; otherwise the run says so and goes on."
    )
