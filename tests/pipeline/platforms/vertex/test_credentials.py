"""Credentials for Vertex AI come from Google's own chain; here a service account's key and a token server."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipeline.platforms.submission import PlatformError
from pipeline.platforms.vertex.client import connect
from pipeline.platforms.vertex.settings import VertexSettings

TOKEN = {"access_token": "a-token-for-the-loopback", "expires_in": 3600, "token_type": "Bearer"}
REVOKED = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


@pytest.fixture
def token_server():
    """Serve tokens on the loopback; a test sets the status and the answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(server.status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(server.answer).encode())

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.answer = 200, TOKEN
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def key_file(token_server, tmp_path, monkeypatch):
    """Let Google's chain find a service account's key whose tokens come from the loopback."""
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "type": "service_account",
        "project_id": "project-of-the-key",
        "private_key_id": "1",
        "private_key": private_key.decode(),
        "client_email": "trainer@project-of-the-key.iam.gserviceaccount.com",
        "token_uri": f"http://127.0.0.1:{token_server.server_port}/token",
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    for name in ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    return path


def test_project_and_endpoint_follow_from_credentials_and_location(key_file):
    client = connect(VertexSettings(location="europe-west4"))
    assert client.parent == "projects/project-of-the-key/locations/europe-west4"
    assert client.pipelines.api_endpoint == client.schedules.api_endpoint == "europe-west4-aiplatform.googleapis.com"


def test_the_settings_project_and_endpoint_win(key_file):
    client = connect(VertexSettings(project="faces", api_endpoint="vertex.example.com"))
    assert client.parent == "projects/faces/locations/us-central1"
    assert client.pipelines.api_endpoint == "vertex.example.com"


def test_revoked_credentials_are_one_sentence_without_the_key(key_file, token_server, caplog):
    token_server.status, token_server.answer = 400, REVOKED
    with pytest.raises(PlatformError, match="no longer accepts the credentials.*gcloud auth") as caught:
        connect(VertexSettings())
    assert caught.value.__suppress_context__
    assert "PRIVATE KEY" not in str(caught.value) + caplog.text


def test_a_sign_in_out_of_reach_is_said_to_be(key_file):
    content = json.loads(key_file.read_text())
    key_file.write_text(json.dumps(content | {"token_uri": "http://127.0.0.1:9/token"}))
    with pytest.raises(PlatformError, match="sign-in can't be reached"):
        connect(VertexSettings())


def test_no_credentials_are_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    with pytest.raises(PlatformError, match="No Google credentials.*gcloud auth application-default login"):
        connect(VertexSettings(project="faces"))
