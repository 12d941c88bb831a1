"""`evenface submit` where there are no credentials and no network."""

import os
import socket

import pytest
import yaml
from google.auth.exceptions import DefaultCredentialsError


@pytest.fixture
def cut_off(monkeypatch, tmp_path):
    """Take away credentials and network, and collect what asks for either of them."""
    for name in os.environ:
        if name.startswith(("GOOGLE_", "CLOUDSDK_", "KF_", "KUBE", "EVENFACE_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    asked = []

    def refuse(name):
        def refused(*_, **__):
            asked.append(name)
            error = DefaultCredentialsError if "auth" in name else ConnectionRefusedError
            raise error(f"{name} is not allowed here")

        return refused

    # Another test's emulator would need no credentials, and a client would try for a minute to reach it.
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse(name))
    # gRPC looks names up and connects below Python.
    for name in (
        "socket.getaddrinfo",
        "socket.create_connection",
        "grpc.secure_channel",
        "grpc.insecure_channel",
        "google.auth.default",
        "google.auth.load_credentials_from_file",
    ):
        monkeypatch.setattr(name, refuse(name))
    return asked


@pytest.mark.parametrize(
    ("target", "settings"),
    [
        ("kubeflow", ["platform.kubeflow.host=https://kubeflow.example"]),
        ("vertex", ["platform.vertex.project=faces", "platform.pipeline_root=gs://faces-artifacts/evenface"]),
    ],
)
@pytest.mark.parametrize("source", ["synthetic", "gs://faces/utkface"])
def test_a_dry_run_needs_no_credentials_and_sends_nothing(command, cut_off, target, settings, source):
    words = [word for setting in settings for word in ("--set", setting)]
    asked = ("submit", "--target", target, "--preset", "demo", "--source", source, "--run-name", "try", *words)
    finished = command(*asked, "--dry-run")
    assert finished.code == 0, finished.err
    assert cut_off == []
    assert source in str(yaml.safe_load(finished.out))
    # The same without --dry-run would have asked.
    assert command(*asked).code != 0
    assert cut_off != []
