"""What evenface tells Vertex AI's tasks, and what it refuses, before anything is sent."""

import subprocess
import sys

import pytest
import yaml
from pydantic import ValidationError

from components.errors import RequestError
from pipeline.platforms.vertex.settings import VertexSettings
from tests.pipeline.platforms.vertex.vertex_case import compiled, platform, submission


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    asked = {"accelerator": "nvidia-l4", "accelerator_count": 2, "cpu": 24, "memory_gb": 90, "retries": 3}
    resources = {"train": asked, "split": {"cpu": 0.5, "memory_gb": 1.5, "retries": 0}}
    return compiled(tmp_path_factory.mktemp("vertex") / "evenface.yaml", platform(resources=resources))


@pytest.fixture(scope="module")
def executors(package):
    specification = yaml.safe_load(package.read_text())
    return {
        component["executorLabel"].removeprefix("exec-"): specification["deploymentSpec"]["executors"][
            component["executorLabel"]
        ]["container"]
        for component in specification["components"].values()
        if "executorLabel" in component
    }


def test_the_compiled_pipeline_is_one_yaml_document(package):
    assert len(list(yaml.safe_load_all(package.read_text()))) == 1


def test_limits_and_accelerators_are_in_the_words_of_vertex_ai(executors):
    resources = executors["train"]["resources"]
    assert (resources["cpuLimit"], resources["memoryLimit"]) == (24, 90)
    assert resources["accelerator"]["type"] == "NVIDIA_L4"
    assert int(resources["accelerator"]["count"]) == 2
    assert "cpuRequest" not in resources


def test_fractions_of_a_core_and_of_a_gigabyte_survive(executors):
    resources = executors["split"]["resources"]
    assert (resources["cpuLimit"], resources["memoryLimit"]) == (0.5, 1.5)


def test_gpus_are_on_tune_and_train_alone(executors):
    assert {name for name, executor in executors.items() if "accelerator" in executor["resources"]} == {"tune", "train"}


def test_retries_and_caching_are_those_of_the_settings(package):
    specification = yaml.safe_load(package.read_text())
    tasks = {
        name: task
        for component in (specification["root"], *specification["components"].values())
        for name, task in component.get("dag", {}).get("tasks", {}).items()
    }
    policy = {"maxRetryCount": 3, "backoffDuration": "60s", "backoffFactor": 2.0}
    assert policy.items() <= tasks["train"]["retryPolicy"].items()
    assert "retryPolicy" not in tasks["split"]
    assert tasks["train"]["cachingOptions"]["enableCache"]


@pytest.mark.parametrize(("accelerator", "count"), [("nvidia-t4", 8), ("nvidia-v100", 16), ("nvidia-l4", 16)])
def test_a_number_of_gpus_that_no_machine_carries_is_refused(accelerator, count):
    with pytest.raises(RequestError, match=f"asks for {count} NVIDIA.*accelerator_count to one of these"):
        platform(resources={"train": {"accelerator": accelerator, "accelerator_count": count}}).notes()


def test_three_t4_are_refused():
    with pytest.raises((RequestError, ValidationError), match="accelerator_count"):
        platform(resources={"train": {"accelerator": "nvidia-t4", "accelerator_count": 3}}).notes()


@pytest.mark.parametrize(("key", "value"), [("cpu", 97), ("memory_gb", 625)])
def test_more_than_the_largest_machine_is_refused(key, value):
    with pytest.raises(RequestError, match=f"resources.compare.{key} is {value}"):
        platform(resources={"compare": {key: value}}).notes()


def test_more_cpus_than_a_machine_with_one_t4_has_is_warned_about():
    notes = platform(resources={"tune": _t4(cpu=64)}).notes()
    (warning,) = [note for note in notes if "NVIDIA_TESLA_T4" in note]
    assert "the largest such machine has 16 and 104 GB" in warning


def _t4(**details):
    return {"accelerator": "nvidia-t4", **details}


def test_settings_that_vertex_ai_ignores_are_reported():
    shared = {"image": "evenface:gpu", "image_pull_policy": "Always"}
    told = platform(resources={"train": {"spot": True, "timeout_seconds": 60}}, shared=shared).notes()
    for key in ("spot of train", "timeout_seconds of", "image_pull_policy Always", "names no registry"):
        assert any(key in sentence for sentence in told), key


def test_a_setting_that_nobody_touched_is_not_reported():
    assert "image_pull_policy" not in " ".join(platform().notes())


def test_the_preview_names_everything_that_would_be_sent_but_the_pipeline_itself(package):
    asked = {
        "service_account": "trainer@faces.iam.gserviceaccount.com",
        "network": "projects/12/global/networks/private",
        "encryption_key": "projects/faces/locations/europe-west4/keyRings/r/cryptoKeys/k",
        "labels": {"team": "vision"},
        "failure_policy": "fast",
    }
    preview = platform(**asked).preview(submission(package))
    job = preview["pipelineJob"]
    assert preview["endpoint"] == "europe-west4-aiplatform.googleapis.com"
    assert job["serviceAccount"] == asked["service_account"]
    assert job["network"] == asked["network"]
    assert job["encryptionSpec"] == {"kmsKeyName": asked["encryption_key"]}
    assert job["labels"] == {"team": "vision", "evenface-experiment": "bake-off"}
    assert job["runtimeConfig"]["failurePolicy"] == "PIPELINE_FAILURE_POLICY_FAIL_FAST"
    assert "Train one variant" in job["pipelineSpec"]["tasks"]


@pytest.mark.parametrize("root", [None, "minio://bucket/x"])
def test_artifacts_need_a_bucket(package, root):
    with pytest.raises(RequestError, match="platform.pipeline_root to gs://"):
        platform().preview(submission(package, pipeline_root=root))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_endpoint", "http://aiplatform.example.com"),
        ("api_endpoint", "http://127.0.0.1.example.com:80"),
        ("api_endpoint", "https://example.com/path"),
        ("labels", {"Team": "x"}),
        ("labels", {"team": "X Y"}),
        ("labels", {"evenface-schedule": "mine"}),
        ("service_account", "nobody"),
        ("network", "default"),
        ("encryption_key", "key"),
        ("location", "Europe"),
        ("credentials", "secret"),
    ],
)
def test_a_setting_that_vertex_ai_could_not_take_is_refused(key, value):
    with pytest.raises(ValidationError, match=key.removesuffix("s")):
        VertexSettings.model_validate({"project": "faces", key: value})


def test_importing_the_platform_does_not_import_googles_client():
    code = (
        "import sys, pipeline.platforms.vertex.platform as v; "
        "sys.exit(any(m.startswith(('google.cloud.aiplatform', 'grpc', 'tensorflow')) for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
