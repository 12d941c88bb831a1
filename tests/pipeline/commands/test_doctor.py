"""The doctor: what it looks at, what it calls a failure, and the cures it gives."""

import subprocess
import sys

import pytest

from pipeline.commands.doctor import Place, examine
from pipeline.settings import load_settings


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch, tmp_path):
    """No credentials, no engine, no configured platform, whatever this machine has."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "KF_PIPELINES_ENDPOINT", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "no-gcloud"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")


def checks(place=Place.SUBPROCESS, *overrides, **arguments):
    settings = load_settings("production", None, overrides)
    return {check.name: check for check in examine(settings, place, **arguments)}


def test_every_failing_check_has_a_remedy():
    assert [check.name for check in checks(Place.VERTEX).values() if not check.passed and not check.remedy] == []


def test_each_place_is_asked_for_what_it_needs_and_no_more():
    machine = ["Python", "Libraries", "Memory", "Disk", "GPU"]
    assert list(checks(Place.SUBPROCESS)) == machine
    assert list(checks(Place.DOCKER)) == [*machine, "Docker", "Image"]
    assert list(checks(Place.KUBEFLOW)) == ["Python", "Kubeflow machines", "Kubeflow API"]
    assert list(checks(Place.VERTEX)) == ["Python", "Google credentials", "Vertex machines", "Vertex API"]


def test_a_missing_engine_has_a_cure():
    docker = checks(Place.DOCKER)["Docker"]
    assert (docker.passed, docker.required) == (False, True)
    assert "docker/engine.sh" in docker.remedy


def test_missing_credentials_have_a_cure():
    missing = checks(Place.VERTEX)
    for name in ("Google credentials", "Vertex API"):
        assert missing[name].required
        assert not missing[name].passed
        assert "gcloud auth application-default login" in missing[name].remedy


def test_a_bucket_without_credentials_fails_with_the_cure():
    bucket = checks(bucket="gs://faces/utk")["Bucket"]
    assert (bucket.passed, bucket.required) == (False, True)
    assert bucket.finding.startswith("gs://faces: ")


def test_a_kubeflow_that_nobody_located_has_a_cure():
    api = checks(Place.KUBEFLOW)["Kubeflow API"]
    assert (api.passed, api.required) == (False, True)
    assert "platform.kubeflow.host" in api.remedy


def test_a_kubeflow_that_does_not_answer_is_reported():
    api = checks(Place.KUBEFLOW, "platform.kubeflow.host=http://127.0.0.1:9")["Kubeflow API"]
    assert (api.passed, api.required) == (False, True)
    assert api.finding == "http://127.0.0.1:9 can't be reached"


def test_an_accelerator_that_no_machine_carries_fails():
    eight = "resources.train={accelerator: nvidia-t4, accelerator_count: 8}"
    machines = checks(Place.VERTEX, eight)["Vertex machines"]
    assert not machines.passed
    assert "8 NVIDIA_TESLA_T4" in machines.finding
    assert machines.remedy == "set resources.train.accelerator_count to one of these"
    assert checks(Place.VERTEX)["Vertex machines"].passed


def test_the_exit_code_tells_whether_a_required_check_failed(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    ready = command("doctor")
    assert (ready.code, ready.out.splitlines()[-1]) == (0, "Ready for subprocess.")
    refused = command("doctor", "--for", "docker")
    assert refused.code == 1
    assert refused.sentence == "evenface: not ready for docker: Docker, Image failed."
    assert "start Docker, or run docker/engine.sh as root" in refused.out


def test_the_doctor_imports_no_tensorflow():
    code = (
        "import sys; from pipeline.commands.doctor import Place, examine\n"
        "from pipeline.settings import load_settings\n"
        "examine(load_settings('production'), Place.SUBPROCESS)\n"
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'google.cloud.aiplatform') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
