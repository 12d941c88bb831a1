"""Every registry, empty and on this machine."""

import itertools

import pytest

from components.registries.registry import open_registry
from components.registries.settings import VertexRegistrySettings
from tests import mlflow_server, object_storage
from tests.pipeline.platforms.vertex import vertex_server

_count = itertools.count(1)


@pytest.fixture(scope="session")
def object_store():
    """Serve the bucket `models`, preconditions included."""
    with object_storage.serving() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture(scope="session")
def mlflow_url(tmp_path_factory):
    """Serve MLflow."""
    with mlflow_server.serving(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture(scope="session")
def vertex():
    """Serve the Vertex Model Registry."""
    with vertex_server.serving() as server:
        yield server


@pytest.fixture
def place_of(request, tmp_path, monkeypatch):
    """Give a function from a kind of registry to what names an empty one: place, name, and Vertex AI's settings."""

    def find(kind):
        number = next(_count)
        name, plain = f"evenface-{number}", VertexRegistrySettings()
        if kind == "folder":
            return str(tmp_path / "registry"), name, plain
        if kind == "mlflow":
            return f"mlflow+{request.getfixturevalue('mlflow_url')}", name, plain
        store = request.getfixturevalue("object_store")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", store.url)
        bucket = f"gs://models/{number}"
        if kind == "bucket":
            return bucket, name, plain
        server = request.getfixturevalue("vertex")
        return "vertex://faces/europe-west4", name, VertexRegistrySettings(artifacts=bucket, api_endpoint=server.url)

    return find


@pytest.fixture(params=["folder", "bucket", "vertex", pytest.param("mlflow", marks=pytest.mark.long)])
def registry(request, place_of):
    """Give each kind of registry, empty."""
    return open_registry(*place_of(request.param))
