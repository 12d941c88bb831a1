"""The failure hook: what a receiver gets, through the commands that tell it."""

import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

SECRET = "a secret of the receiver's"  # noqa: S105


class Receiver(HTTPServer):
    """Takes events on the loopback; answers the given statuses first, then 204."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.taken: list[tuple[dict, bytes]] = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/token-in-path"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver(monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def submit(on_kubeflow, kubeflow, receiver):
    def run(*arguments):
        kubeflow.last_words = "components.errors.DataError: No face: add one."
        hook = ("--set", f"hooks.url={receiver.url}", "--set", "hooks.secret_env=HOOK_SECRET")
        return on_kubeflow("submit", "--run-name", "weekly", *hook, *arguments)

    return run


def test_a_failed_run_is_told_signed_and_once_more_where_the_receiver_is_busy(submit, kubeflow, receiver):
    kubeflow.plan, receiver.statuses = ["RUNNING", "FAILED"], [503]
    failed = submit("--wait")
    assert failed.code == 1
    assert failed.sentence.endswith("of the run weekly failed: No face: add one.")
    assert len(receiver.taken) == 2
    for headers, body in receiver.taken:
        stamp = headers["X-Evenface-Timestamp"]
        assert abs(time.time() - int(stamp)) < 600
        expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert headers["X-Evenface-Signature"] == f"sha256={expected}"
        event = json.loads(body)
        assert event.pop("time")
        assert event == {
            "event": "run.failed",
            "run": "weekly",
            "target": "kubeflow",
            "problem": "Stage train (denseweight_lmf, seed 42) of the run weekly failed",
            "remedy": "No face: add one",
        }


def test_a_hook_that_refuses_or_redirects_changes_nothing_of_the_failure_and_its_url_is_not_printed(
    submit, kubeflow, receiver, caplog
):
    kubeflow.plan, receiver.statuses = ["FAILED"], [302]
    failed = submit("--wait")
    assert failed.code == 1
    assert failed.sentence.endswith("No face: add one.")
    assert "The hook at 127.0.0.1 was not told (status 302): check hooks.url and its receiver." in caplog.text
    assert "token-in-path" not in caplog.text + failed.err
    assert len(receiver.taken) == 1


def test_nothing_is_told_of_a_run_that_succeeds_or_is_not_followed(submit, receiver):
    assert submit("--wait").code == submit().code == 0
    assert receiver.taken == []


def test_a_hook_without_its_secret_is_refused_before_anything_starts(submit, kubeflow, monkeypatch):
    monkeypatch.delenv("HOOK_SECRET")
    refused = submit("--wait")
    assert refused.code == 2
    assert "the environment variable HOOK_SECRET holds no secret" in refused.sentence
    assert kubeflow.runs == {}


def test_a_failed_local_run_is_told_by_its_folders_name(command, receiver, tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "25_0_1_20170109150557335.jpg").write_bytes(b"no picture")
    failed = command(
        "run", "--preset", "demo", "--output", tmp_path / "nightly", "--source", tmp_path / "faces",
        "--set", f"hooks.url={receiver.url}", "--set", "hooks.secret_env=HOOK_SECRET",
        "--set", "build_test_set.allow_shortfall=true",
    )  # fmt: skip
    assert failed.code == 1
    ((_, body),) = receiver.taken
    event = json.loads(body)
    assert (event["run"], event["target"], event["problem"]) == ("nightly", "local", "Stage preprocess failed")
    assert event["remedy"] in failed.sentence
