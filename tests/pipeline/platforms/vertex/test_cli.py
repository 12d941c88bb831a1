"""Vertex AI through the command line: what is printed, and the exit codes."""

import grpc
import pytest


@pytest.fixture
def vertex(server, command):
    """Give the command line, pointed at the loopback."""
    settings = {
        "platform.pipeline_root": "gs://faces-artifacts/evenface",
        "platform.vertex.project": "faces",
        "platform.vertex.location": "europe-west4",
        "platform.vertex.api_endpoint": server.url,
        "platform.vertex.poll_seconds": 0.02,
        "platform.vertex.retry_seconds": 1,
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return lambda *asked: command(*asked, "--target", "vertex", "--preset", "demo", *words)


def test_a_followed_run_ends_with_0(vertex, server):
    finished = vertex("submit", "--wait", "--run-name", "evenface-first")
    assert finished.code == 0, finished.err
    assert "projects/faces/locations/europe-west4/pipelineJobs/evenface-first" in finished.out
    assert "Compare the variants: done" in finished.out


def test_a_followed_run_that_fails_ends_with_1_and_one_sentence(vertex, server):
    server.failing_tasks["train"] = "Out of memory."
    finished = vertex("submit", "--wait")
    assert finished.code == 1
    assert finished.err.splitlines()[-1].endswith("failed at stage train (Train one variant): Out of memory.")
    assert "Traceback" not in finished.err


def test_a_dry_run_sends_nothing(vertex, server):
    finished = vertex("submit", "--dry-run")
    assert finished.code == 0, finished.err
    assert "gcsOutputDirectory: gs://faces-artifacts/evenface" in finished.out
    assert server.calls == []


def test_a_wrong_request_ends_with_2_and_one_sentence(vertex, server):
    server.order("CreatePipelineJob", grpc.StatusCode.ALREADY_EXISTS, "the reason")
    finished = vertex("submit")
    assert finished.code == 2
    assert "the reason" in finished.err.splitlines()[-1]
    assert "Traceback" not in finished.err


def test_a_schedules_whole_life(vertex, server):
    apply = ("schedule", "apply", "weekly", "--cron", "0 3 * * 1", "--timezone", "Europe/Paris")
    assert "weekly: created" in vertex(*apply).out
    assert "weekly: unchanged" in vertex(*apply).out
    assert vertex("schedule", "pause", "weekly").code == 0
    assert "paused, at most 1" in vertex("schedule", "list").out
    resumed = vertex("schedule", "resume", "weekly")
    assert resumed.out.count(":00 CE") == 3
    assert vertex("schedule", "delete", "weekly").code == 0
    assert not server.schedules
