"""The doctor: what it looks at, what it calls a failure, and the cures it gives."""

import stat
import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from pipeline import doctor
from pipeline.doctor import Check, Place, examine
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


def found(place=Place.SUBPROCESS, *overrides, **arguments):
    settings = load_settings("production", None, overrides)
    return {check.name: check for check in examine(settings, place, **arguments)}


def put_on_path(monkeypatch, folder, name, script):
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_every_failing_check_has_a_cure():
    assert [check.name for check in found(Place.VERTEX).values() if not check.passed and not check.cure] == []


def test_a_missing_engine_matters_only_to_who_wants_containers():
    for place, required in ((Place.SUBPROCESS, False), (Place.DOCKER, True), (Place.VERTEX, False)):
        docker = found(place)["Docker"]
        assert (docker.passed, docker.required) == (False, required)
        assert "docker/engine.sh" in docker.cure


def test_missing_credentials_matter_only_to_who_wants_google():
    assert not found()["Google credentials"].required
    missing = found(Place.VERTEX)
    for name in ("Google credentials", "Vertex API"):
        assert missing[name].required
        assert not missing[name].passed
        assert "gcloud auth application-default login" in missing[name].cure


def test_a_bucket_without_credentials_fails_with_the_cure():
    bucket = found(bucket="gs://faces/utk")["Bucket"]
    assert (bucket.passed, bucket.required) == (False, True)
    assert bucket.finding.startswith("gs://faces: ")


def test_a_kubeflow_that_nobody_located_is_asked_for_only_where_it_is_wanted():
    assert "Kubeflow API" not in found()
    api = found(Place.KUBEFLOW)["Kubeflow API"]
    assert (api.passed, api.required) == (False, True)
    assert "platform.kubeflow.host" in api.cure


def test_a_kubeflow_that_does_not_answer_is_reported():
    api = found(Place.SUBPROCESS, "platform.kubeflow.host=http://127.0.0.1:9")["Kubeflow API"]
    assert (api.passed, api.required) == (False, False)
    assert api.finding == "http://127.0.0.1:9 can't be reached"


def test_an_accelerator_that_no_machine_carries_fails():
    eight = "resources.train={accelerator: nvidia-t4, accelerator_count: 8}"
    machines = found(Place.VERTEX, eight)["Vertex machines"]
    assert not machines.passed
    assert "8 NVIDIA_TESLA_T4" in machines.finding
    assert machines.cure == "set resources.train.accelerator_count to one of these"
    assert found(Place.VERTEX)["Vertex machines"].passed


def test_libraries_are_compared_with_the_nearest_lock(tmp_path):
    lock = tmp_path / "docker" / "requirements-cpu.txt"
    lock.parent.mkdir()
    lock.write_text(f"rich=={metadata.version('rich')} \\\n    --hash=sha256:00\n")
    assert doctor.check_libraries(tmp_path).passed
    lock.write_text("rich==0.0.1 \\\n    --hash=sha256:00\nnot-a-package==2 ; sys_platform == 'linux'\n")
    differing = doctor.check_libraries(tmp_path)
    assert differing.finding == f"rich {metadata.version('rich')}, not 0.0.1, not-a-package missing, not 2"
    assert differing.cure == "run `make install`"


def test_a_gpu_is_named_and_a_broken_driver_noticed(monkeypatch, tmp_path):
    put_on_path(monkeypatch, tmp_path, "nvidia-smi", "echo 'Tesla T4, 15360 MiB, 550.54'")
    assert doctor.check_gpu() == Check("GPU", True, "Tesla T4, 15360 MiB, 550.54")
    put_on_path(monkeypatch, tmp_path, "nvidia-smi", "exit 9")
    assert doctor.check_gpu().finding == "nvidia-smi fails"


def test_a_full_disk_fails(monkeypatch, tmp_path):
    for free, enough in ((4.9e9, False), (5.1e9, True)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr("shutil.disk_usage", lambda path, usage=usage: usage)
        assert doctor.check_disk(tmp_path).passed is enough


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
        "import sys; from pipeline import doctor; from pipeline.settings import load_settings\n"
        "doctor.examine(load_settings('production'), doctor.Place.SUBPROCESS)\n"
        "print([name for name in ('tensorflow', 'keras', 'sklearn', 'google.cloud.aiplatform') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
