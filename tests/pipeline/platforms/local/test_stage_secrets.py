"""Credentials in local containers, with a stand-in for Docker's client: only the stages that need them see them."""

from types import SimpleNamespace

import kfp.local
import pytest
from kfp import dsl

import docker
from pipeline.platforms.local import docker_executor
from pipeline.platforms.local.docker_executor import DockerExecutor
from pipeline.platforms.local.docker_image import DockerImage
from pipeline.platforms.local.settings import DockerSettings

CREDENTIALS = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "hunter2"}


class Engine:
    """Takes down what each container is created with, and says that it succeeded."""

    def __init__(self):
        self.containers = SimpleNamespace(list=lambda **_: [], create=self.create)
        self.created = []

    def create(self, **arguments):
        self.created.append(arguments)
        return SimpleNamespace(
            start=lambda: None,
            kill=lambda: None,
            logs=lambda **_: iter([]),
            wait=lambda **_: {"StatusCode": 0},
            reload=lambda: None,
            attrs={"State": {"OOMKilled": False}},
            remove=lambda **_: None,
        )

    def info(self):
        return {}

    def version(self):
        return {"Version": "20.10.0"}

    def close(self):
        pass


@dsl.component(base_image="evenface:cpu", install_kfp_package=False)
def train() -> None:
    pass


@dsl.component(base_image="evenface:cpu", install_kfp_package=False)
def promote() -> None:
    pass


@pytest.mark.filterwarnings("ignore")  # KFP names what its local runner has no use for.
def test_the_callers_mlflow_credentials_reach_the_stages_that_ask_a_server_alone(tmp_path, monkeypatch):
    engine = Engine()
    monkeypatch.setattr(docker, "from_env", lambda: engine)
    monkeypatch.setattr(docker_executor, "connect", lambda: engine)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    image = DockerImage("evenface:cpu", "sha256:0", "cpu", "", 0)
    executor = DockerExecutor(image, DockerSettings(gpus="none"), mlflow_stages=["promote", "track"])
    with executor.runner([], [tmp_path]) as runner:
        kfp.local.init(runner, pipeline_root=str(tmp_path), raise_on_error=False)
        train()
        promote()
    others, asking = [created["environment"] for created in engine.created]
    assert not any(name.startswith("MLFLOW") for name in others)
    assert asking == {**others, **CREDENTIALS}
