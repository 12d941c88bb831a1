"""`evenface submit --target kubeflow`: KFP's own client against a server that judges by the API's description."""

import base64
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

UPLOADED = ["UploadPipelineVersion", "ExperimentService_CreateExperiment", "RunService_CreateRun"]


def writes(server):
    return [call for call in server.calls if "Create" in call or "Upload" in call]


def test_a_submitted_run_carries_the_version_and_the_parameters(on_kubeflow, kubeflow):
    finished = on_kubeflow(
        "submit", "--run-name", "first", "--set", "platform.pipeline_root=gs://faces/root",
        "--set", "platform.kubeflow.service_account=runner",
    )  # fmt: skip
    assert finished.code == 0, finished.err
    (run,) = kubeflow.runs.values()
    (version,) = kubeflow.versions.values()
    (experiment,) = kubeflow.experiments.values()
    assert run["display_name"] == "first"
    assert run["experiment_id"] == experiment["experiment_id"]
    assert experiment["display_name"] == "evenface"
    assert run["pipeline_version_reference"]["pipeline_version_id"] == version["pipeline_version_id"]
    assert run["service_account"] == "runner"
    assert run["runtime_config"] == {
        "parameters": {
            "source": "synthetic",
            "source_fingerprint": "synthetic",
            "state": "gs://faces/root/searches",
        },
        "pipeline_root": "gs://faces/root",
    }
    assert f"{kubeflow.host}/#/runs/details/{run['run_id']}" in finished.out


def test_the_same_pipeline_is_uploaded_once_and_a_changed_one_again(on_kubeflow, kubeflow):
    assert on_kubeflow("submit").code == on_kubeflow("submit").code == 0
    assert (len(kubeflow.pipelines), len(kubeflow.versions), len(kubeflow.runs)) == (1, 1, 2)
    assert on_kubeflow("submit", "--set", "resources.train.cpu=4").code == 0
    assert (len(kubeflow.pipelines), len(kubeflow.versions), len(kubeflow.runs)) == (1, 2, 3)


def test_a_followed_run_shows_each_real_change_once_by_stage_variant_and_seed(on_kubeflow, kubeflow):
    kubeflow.plan = ["PENDING", "", *["RUNNING"] * 7, "RETRYING", "RETRYING", "RUNNING", "RUNNING", "SUCCEEDED"]
    finished = on_kubeflow("submit", "--wait", "--run-name", "good", "--set", "variants=[baseline,ins]")
    assert finished.code == 0, finished.err
    lines = finished.out.splitlines()
    assert lines[lines.index("good: pending") :] == [
        "good: pending",
        "  preprocess: running",
        "good: running",
        "  preprocess: succeeded",
        "  gates: running",
        "  gates: succeeded",
        "  build_test_set: running",
        "  build_test_set: succeeded",
        "  split: running",
        "  split: succeeded",
        "  tune (baseline): running",
        "  tune (baseline): succeeded",
        "  gather_hyperparameters: running",
        "  gather_hyperparameters: succeeded",
        "  train (baseline, seed 42): running",
        "  train (ins, seed 42): running",
        "  train (baseline, seed 42): running, retry 1 of 2",
        "  train (baseline, seed 42): succeeded",
        "  evaluate (baseline, seed 42): running",
        "  train (ins, seed 42): succeeded",
        "  evaluate (ins, seed 42): running",
        "  evaluate (baseline, seed 42): succeeded",
        "  evaluate (ins, seed 42): succeeded",
        "  compare: running",
        "  compare: succeeded",
        "  recommend: succeeded",
        "good: succeeded",
    ]


SENTENCE = "The batch holds 0 faces: lower training.batch_size."


@pytest.mark.parametrize(
    ("last_words", "said"),
    [
        (f"components.errors.DataError: {SENTENCE}", SENTENCE),
        (json.dumps({"severity": "CRITICAL", "message": f"DataError: {SENTENCE}", "stage": "train"}), SENTENCE),
        ("MemoryError: no \x1b[31mroom", r"there is not enough memory (MemoryError: no \x1b[31mroom)"),
        (None, "read its log at http://"),
    ],
)
def test_a_failed_stage_says_in_the_last_line_why_where_its_log_can_be_read(on_kubeflow, kubeflow, last_words, said):
    kubeflow.plan, kubeflow.last_words = ["RUNNING", "FAILED"], last_words
    # The host may be the user interface, and a later server may tell the names of pods.
    kubeflow.behind_ui, kubeflow.pod_names = "{" in (last_words or ""), last_words is None
    finished = on_kubeflow("submit", "--wait", "--run-name", "bad", "--set", "variants=[baseline,ins]")
    assert finished.code == 1
    assert finished.sentence.startswith(f"evenface: Stage train (ins, seed 42) of the run bad failed: {said}")
    assert "  train (baseline, seed 42): succeeded" in finished.out
    assert not any(word in finished.out for word in ("executor", "iteration", "root", "driver", "none"))


def test_a_cancelled_run_is_a_failure(on_kubeflow, kubeflow):
    kubeflow.plan = ["RUNNING", "CANCELED"]
    finished = on_kubeflow("submit", "--wait", "--run-name", "bad")
    assert finished.code == 1
    assert "The run bad was cancelled" in finished.sentence


def test_a_dry_run_sends_nothing_and_tells_no_secret(on_kubeflow, kubeflow, monkeypatch):
    monkeypatch.setenv("EVENFACE_KUBEFLOW_TOKEN", "hunter2")
    finished = on_kubeflow(
        "submit", "--dry-run", "--run-name", "try", "--source-fingerprint", "f00d", "--source", "/nfs/faces"
    )
    assert finished.code == 0
    assert kubeflow.calls == []
    assert "hunter2" not in finished.out + finished.err
    preview = yaml.safe_load(finished.out)
    assert preview["host"] == kubeflow.host
    assert preview["run"] == "try"
    assert preview["credentials"] == "token in EVENFACE_KUBEFLOW_TOKEN"
    assert preview["parameters"] == {"source": "/nfs/faces", "source_fingerprint": "f00d", "state": ""}
    assert "/nfs/faces is a path" in finished.err


def test_the_token_of_the_environment_is_sent_and_never_printed(on_kubeflow, kubeflow, monkeypatch):
    kubeflow.authorization = "Bearer hunter2"
    monkeypatch.setenv("EVENFACE_KUBEFLOW_TOKEN", "hunter2")
    finished = on_kubeflow("submit", "--wait")
    assert finished.code == 0
    assert "hunter2" not in finished.out + finished.err


def test_the_pods_token_is_read_anew_from_its_file(on_kubeflow, kubeflow, monkeypatch, tmp_path):
    (tmp_path / "token").write_text("from-the-pod")
    kubeflow.authorization = "Bearer from-the-pod"
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    assert on_kubeflow("submit").code == 0


def _token(audience):
    """Return a service account's token as Kubernetes makes them, unsigned."""
    parts = ({"alg": "none"}, {"aud": [audience], "sub": "system:serviceaccount:team-faces:default-editor"}, "")
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def test_a_token_for_somebody_else_is_refused_and_the_right_audience_named(on_kubeflow, kubeflow, monkeypatch):
    kubeflow.audience = "pipelines.kubeflow.org"
    monkeypatch.setenv("EVENFACE_KUBEFLOW_TOKEN", _token("https://kubernetes.default.svc"))
    refused = on_kubeflow("schedule", "list")
    assert refused.code == 1
    assert "one for the audience pipelines.kubeflow.org" in refused.sentence
    monkeypatch.setenv("EVENFACE_KUBEFLOW_TOKEN", _token("pipelines.kubeflow.org"))
    assert on_kubeflow("schedule", "list").code == 0


@pytest.mark.parametrize("host", ["http://kubeflow.example:8080", "http://10.0.0.1", "HTTP://[2001:db8::1]/pipeline"])
@pytest.mark.parametrize("from_pod", [False, True])
def test_a_token_is_sent_over_plain_http_to_this_machine_alone(command, monkeypatch, tmp_path, host, from_pod):
    if from_pod:
        (tmp_path / "token").write_text("hunter2")
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    else:
        monkeypatch.setenv("EVENFACE_KUBEFLOW_TOKEN", "hunter2")
    finished = command("submit", "--target", "kubeflow", "--preset", "demo", "--set", f"platform.kubeflow.host={host}")
    assert finished.code == 2
    assert "without encryption: write https:// in platform.kubeflow.host, or reach it through" in finished.sentence
    assert "hunter2" not in finished.out + finished.err


def test_a_server_that_never_answers_ends_the_request(command, monkeypatch):
    monkeypatch.setattr("pipeline.platforms.kubeflow.client._ANSWER_SECONDS", (1, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        given = ("--target", "kubeflow", "--preset", "demo", "--set", f"platform.kubeflow.host={host}")
        assert command("submit", *given).code == 1


def test_a_wrong_token_is_refused_with_its_cure(on_kubeflow, kubeflow, monkeypatch):
    kubeflow.authorization = "Bearer right"
    monkeypatch.setenv("EVENFACE_KUBEFLOW_TOKEN", "wrong-hunter2")
    finished = on_kubeflow("submit")
    assert finished.code == 1
    assert "did not accept the credentials while connecting (401): put a valid token into" in finished.sentence
    assert "hunter2" not in finished.err
    assert writes(kubeflow) == []


@pytest.mark.parametrize(
    ("operation", "status", "code", "said"),
    [
        ("RunService_CreateRun", 403, 1, "does not allow starting the run (403): ask its administrator"),
        ("PipelineService_ListPipelines", 404, 2, "(404), 'Ordered fault 404': check that platform.kubeflow.host"),
        ("UploadPipelineVersion", 400, 2, "rejected the request while uploading the pipeline version"),
        ("PipelineService_CreatePipeline", 409, 1, "found the name taken while creating the pipeline evenface"),
        (
            "ExperimentService_CreateExperiment",
            500,
            1,
            "failed while creating the experiment (500), 'Ordered fault 500'",
        ),
        ("RunService_CreateRun", 500, 1, "failed while starting the run (500)"),
    ],
)
def test_a_refusal_is_one_sentence_with_its_cure(on_kubeflow, kubeflow, operation, status, code, said):
    kubeflow.fail(operation, status, times=99)
    finished = on_kubeflow("submit")
    assert finished.code == code
    assert said in finished.sentence
    assert kubeflow.runs == {}
    assert "Traceback" not in finished.err


def test_a_busy_server_is_asked_again_when_it_says_so(on_kubeflow, kubeflow):
    kubeflow.fail("RunService_CreateRun", 429, times=1, Retry_After="2")
    kubeflow.fail("HealthzService_GetHealthz", 503, times=1)
    started = time.monotonic()
    assert on_kubeflow("submit").code == 0
    assert time.monotonic() - started >= 2
    assert kubeflow.calls.count("RunService_CreateRun") == 2
    assert len(kubeflow.runs) == 1


def test_patience_ends(on_kubeflow, kubeflow):
    kubeflow.fail("UploadPipelineVersion", 429, times=99, Retry_After="1")
    finished = on_kubeflow("submit")
    assert finished.code == 1
    assert "still too busy while uploading the pipeline version (429): try again in a few minutes." in finished.sentence


def test_a_connection_cut_while_starting_a_run_starts_it_once(on_kubeflow, kubeflow):
    assert on_kubeflow("submit", "--run-name", "again").code == 0
    kubeflow.fail("RunService_CreateRun", 0)
    finished = on_kubeflow("submit", "--wait", "--run-name", "again")
    assert finished.code == 0, finished.err
    # Two runs may have one name: the one that is followed is the new one.
    earlier, started = kubeflow.runs.values()
    assert earlier["display_name"] == started["display_name"] == "again"
    assert started["run_id"] in finished.out
    assert kubeflow.calls.count("RunService_CreateRun") == 2


def test_a_connection_cut_while_reading_is_tried_again(on_kubeflow, kubeflow):
    kubeflow.fail("PipelineService_ListPipelineVersions", 0)
    assert on_kubeflow("submit").code == 0


def test_a_connection_cut_while_uploading_can_be_submitted_again(on_kubeflow, kubeflow):
    kubeflow.fail("UploadPipelineVersion", 0)
    cut = on_kubeflow("submit")
    assert cut.code == 1
    assert "dropped the connection while uploading the pipeline version: try again" in cut.sentence
    assert on_kubeflow("submit").code == 0
    assert len(kubeflow.versions) == 1


def test_a_run_is_followed_through_short_failures_but_not_for_ever(on_kubeflow, kubeflow):
    kubeflow.fail("RunService_GetRun", 500, times=3)
    assert on_kubeflow("submit", "--wait").code == 0
    kubeflow.fail("RunService_GetRun", 500, times=99)
    lost = on_kubeflow("submit", "--wait")
    assert lost.code == 1
    assert "Lost sight of the run, which continues (http://" in lost.sentence
    assert "failed while following the run (500), 'Ordered fault 500'): see http://" in lost.sentence


def test_a_server_of_several_users_needs_a_namespace(on_kubeflow, kubeflow, monkeypatch, tmp_path):
    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    kubeflow.multi_user = True
    refused = on_kubeflow("submit")
    assert refused.code == 2
    assert "set platform.kubeflow.namespace" in refused.sentence
    assert on_kubeflow("schedule", "list", "--set", "platform.kubeflow.namespace=team-faces").code == 0
    assert on_kubeflow("submit", "--set", "platform.kubeflow.namespace=team-faces").code == 0
    assert {experiment["namespace"] for experiment in kubeflow.experiments.values()} == {"team-faces"}


def test_a_host_that_nobody_answers_at_is_named(command):
    refused = command(
        "submit", "--target", "kubeflow", "--preset", "demo", "--set", "platform.kubeflow.host=http://127.0.0.1:9"
    )
    assert refused.code == 1
    assert "http://127.0.0.1:9 can't be reached: check platform.kubeflow.host" in refused.sentence


def test_no_host_at_all_is_a_wrong_request(command, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    refused = command("submit", "--target", "kubeflow", "--preset", "demo")
    assert refused.code == 2
    assert "No address is set for Kubeflow Pipelines" in refused.sentence


class LoginPage(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>Log in</html>")

    def log_message(self, *_):
        pass


def test_a_login_page_is_not_taken_for_an_answer(command):
    with HTTPServer(("127.0.0.1", 0), LoginPage) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        host = f"http://127.0.0.1:{server.server_address[1]}"
        refused = command(
            "submit", "--target", "kubeflow", "--preset", "demo", "--set", f"platform.kubeflow.host={host}"
        )
        server.shutdown()
        thread.join()
    assert refused.code == 2
    assert "check that platform.kubeflow.host is the URL of the Pipelines API" in refused.sentence


def test_a_source_that_only_the_stages_see_needs_its_fingerprint(on_kubeflow, kubeflow):
    refused = on_kubeflow("submit", "--source", "/nfs/nowhere")
    assert refused.code == 2
    assert "pass --source-fingerprint" in refused.sentence
    assert kubeflow.calls == []
