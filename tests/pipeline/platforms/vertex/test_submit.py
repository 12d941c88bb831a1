"""Runs on Vertex AI: the real client against a server that speaks the service's own protocol."""

import grpc
import pytest

from components.errors import RequestError
from pipeline.platforms.submission import PlatformError, RunFailedError
from tests.pipeline.platforms.vertex.vertex_case import platform, submission
from tests.pipeline.platforms.vertex.vertex_server import PARENT, serving

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
NAME = f"{PARENT}/pipelineJobs/evenface-weekly-20260105"


def submit(server, package, *, wait=False, shown=None, **settings):
    show = (shown if shown is not None else []).append
    return platform(server, **settings).submit(submission(package), show, wait=wait)


def test_a_run_carries_its_settings(server, package):
    account, network = "trainer@faces.iam.gserviceaccount.com", "projects/12/global/networks/private"
    key = "projects/faces/locations/europe-west4/keyRings/r/cryptoKeys/k"
    name = submit(
        server,
        package,
        service_account=account,
        network=network,
        encryption_key=key,
        labels={"team": "vision"},
        failure_policy="fast",
    )
    job = server.jobs[name]
    assert name == NAME
    assert (job.service_account, job.network, job.encryption_spec.kms_key_name) == (account, network, key)
    assert job.labels["team"] == "vision"
    assert job.runtime_config.failure_policy.name == "PIPELINE_FAILURE_POLICY_FAIL_FAST"
    assert job.runtime_config.gcs_output_directory == "gs://faces-artifacts/evenface"
    assert job.runtime_config.parameter_values["source_fingerprint"] == "1f2e"
    assert job.pipeline_spec["pipelineInfo"]["name"] == "evenface"


def test_a_followed_run_shows_each_stage_and_ends_well(server, package):
    shown = []
    submit(server, package, wait=True, shown=shown)
    printed = "\n".join(shown)
    assert "console.cloud.google.com" in printed
    assert "Preprocess faces: running" in printed
    assert "Train one variant: 1 done, 1 running" in printed
    assert "Train one variant: 2 done" in printed
    assert "Compare the variants: done" in printed


def test_a_failed_run_names_its_stage_and_the_cause(server, package):
    server.failing_tasks["train"] = "The replica ran out of memory."
    with pytest.raises(RunFailedError, match=r"failed at stage train \(Train one variant\): The replica ran out of"):
        submit(server, package, wait=True)


def test_without_wait_nobody_looks_at_the_run(server, package):
    submit(server, package)
    assert server.calls == ["CreatePipelineJob"]


def test_a_server_on_this_machine_gets_no_credentials(server, package):
    submit(server, package)
    assert "authorization" not in server.metadata


def test_two_runs_of_one_name_are_refused(server, package):
    submit(server, package)
    with pytest.raises(RequestError, match="the name is taken.*choose another name"):
        submit(server, package)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "gcloud auth application-default login"),
        (grpc.StatusCode.PERMISSION_DENIED, "ask for the role Vertex AI User"),
        (grpc.StatusCode.NOT_FOUND, "check platform.vertex.project"),
    ],
)
def test_a_refusal_is_one_sentence_with_its_cure_and_is_not_repeated(server, package, code, words):
    server.order("CreatePipelineJob", code, "the reason", times=9)
    with pytest.raises(PlatformError, match=words) as caught:
        submit(server, package)
    assert "the reason" in str(caught.value)
    assert server.calls == ["CreatePipelineJob"]


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL, UNAVAILABLE])
def test_a_passing_fault_is_waited_for(server, package, code):
    server.order("CreatePipelineJob", code, times=2)
    assert submit(server, package) in server.jobs


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "no quota left.*try again later"),
        (grpc.StatusCode.INTERNAL, "failed to start the run"),
        (UNAVAILABLE, "could not be reached.*check the network"),
    ],
)
def test_a_lasting_fault_ends_with_a_sentence(server, package, code, words):
    server.order("CreatePipelineJob", code, times=99)
    with pytest.raises(PlatformError, match=words):
        submit(server, package, retry_seconds=0.3)


def test_a_connection_cut_after_the_run_was_made_does_not_make_two(server, package):
    server.order("CreatePipelineJob", None, done_first=True)
    assert submit(server, package) == NAME
    assert list(server.jobs) == [NAME]
    assert server.calls == ["CreatePipelineJob", "CreatePipelineJob", "GetPipelineJob"]


def test_a_connection_cut_while_following_does_not_end_the_following(server, package):
    server.order("GetPipelineJob", None)
    submit(server, package, wait=True)


def test_a_server_that_is_gone_is_said_to_be(package):
    with serving() as state:
        pass
    with pytest.raises(PlatformError, match=r"at 127\.0\.0\.1:\d+ could not be reached to start the run"):
        submit(state, package, retry_seconds=0.5)


def test_a_wrong_parameter_is_the_requests_fault(server, package):
    wrong = submission(package, parameters={"sauce": "x"})
    with pytest.raises(RequestError, match="sauce"):
        platform(server).submit(wrong, print, wait=False)
