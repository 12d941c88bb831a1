import pytest

from tests.pipeline.platforms.vertex.vertex_case import compiled
from tests.pipeline.platforms.vertex.vertex_server import serving


@pytest.fixture(scope="package")
def package(tmp_path_factory):
    """Return the path of the demo, compiled for Vertex AI."""
    return compiled(tmp_path_factory.mktemp("vertex") / "evenface.yaml")


@pytest.fixture
def server():
    """Serve Vertex AI's protocol; what the server has been told is in its state."""
    with serving() as state:
        yield state
