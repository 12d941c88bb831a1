import pytest

from components.errors import RequestError
from components.gs_uri import GsUri, is_gs_uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("gs://faces", GsUri("faces")),
        ("gs://faces/UTKFace/", GsUri("faces", "UTKFace/")),
        ("gs://faces/data/UTKFace.tar.gz", GsUri("faces", "data/UTKFace.tar.gz")),
    ],
)
def test_a_uri_is_taken_apart_and_written_again(text, uri):
    assert is_gs_uri(text)
    assert GsUri.parse(text) == uri
    assert str(uri) == text


@pytest.mark.parametrize("text", ["gs://", "gs:///UTKFace"])
def test_a_uri_without_a_bucket_is_refused(text):
    with pytest.raises(RequestError, match="names no bucket: write gs://BUCKET"):
        GsUri.parse(text)
