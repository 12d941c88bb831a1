"""A real MLflow server on the loopback, from an environment of its own: ``make mlflow-server`` sets it up."""

import importlib.util
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

_PROJECT = Path(__file__).resolve().parents[1]


def program():
    """Return the server's program; skip the test where it is not installed, or this Python lacks the client."""
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("MLflow's client is not installed: install evenface[mlflow]")
    found = Path(os.environ.get("EVENFACE_MLFLOW_SERVER") or _PROJECT / ".venv" / "mlflow-server" / "bin" / "mlflow")
    if not found.exists():
        pytest.skip(f"{found} is not installed: run `make mlflow-server`")
    return found


@contextmanager
def serving(folder):
    """Serve an empty store, whose artifacts go through the server, and give its address."""
    server = program()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        server, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts",
    ]  # fmt: skip
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": ""}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **quiet}, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, process, folder)
        yield url
    finally:
        # The server is a process of workers: its session ends with it.
        os.killpg(process.pid, 15)
        process.wait()


def _await(url, process, folder):
    for _ in range(1200):
        assert process.poll() is None, (folder / "log").read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{url}/health") as answer:  # noqa: S310 - the loopback
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("The MLflow server does not answer: " + (folder / "log").read_text()[-2000:])
