"""`evenface compile`: what the compiled pipeline means on each platform."""

import json
import resource
import subprocess
import sys

import kfp.components
import kfp.local
import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from pipeline.compiling import compile_pipeline
from pipeline.definition import sections_of
from pipeline.platforms.submission import Submission
from pipeline.platforms.targets import Target
from pipeline.settings import load_settings
from tests.pipeline.compiled_pipeline import CompiledPipeline

DIGEST = f"registry.example.org/team/evenface@sha256:{'0123456789abcdef' * 4}"
STAGES = {
    "preprocess",
    "gates",
    "build_test_set",
    "split",
    "tune",
    "gather_hyperparameters",
    "train",
    "evaluate",
    "compare",
    "recommend",
}


@pytest.fixture
def compile_for(command, tmp_path):
    def run(target, *arguments, **settings):
        options = [option for key, value in settings.items() for option in ("--set", f"{_dots(key)}={value}")]
        output = tmp_path / f"{target}.yaml"
        finished = command(
            "compile", "--target", target, "--preset", "demo", "--image", DIGEST, "-o", output, *arguments, *options
        )
        assert finished.code == 0, finished.err
        return CompiledPipeline.read(output), finished

    return run


def _dots(key):
    return key.replace("__", ".")


@pytest.mark.parametrize(("target", "gpu"), [("kubeflow", "nvidia.com/gpu"), ("vertex", "NVIDIA_L4")])
def test_tune_and_train_alone_have_gpus(compile_for, target, gpu):
    settings = {
        f"resources__{stage}__{key}": value
        for stage in ("tune", "train")
        for key, value in {"accelerator": "nvidia-l4", "accelerator_count": 2, "cpu": 24, "memory_gb": 96}.items()
    }
    pipeline, _ = compile_for(target, **settings)
    assert set(pipeline.stages) == STAGES
    accelerated = {name: stage for name, stage in pipeline.stages.items() if stage.accelerators}
    assert {name: (stage.accelerator, stage.accelerators) for name, stage in accelerated.items()} == {
        "tune": (gpu, 2),
        "train": (gpu, 2),
    }


def test_one_changed_value_leaves_the_rest_of_a_stages_resources(compile_for):
    pipeline, _ = compile_for("kubeflow", resources__train__accelerator_count=2)
    assert (pipeline.stages["train"].accelerator, pipeline.stages["train"].accelerators) == ("nvidia.com/gpu", 2)


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_every_stage_runs_the_pinned_image_and_has_a_name_for_people(compile_for, target):
    pipeline, finished = compile_for(target)
    assert {stage.image for stage in pipeline.stages.values()} == {DIGEST}
    assert all(" " in stage.display_name or stage.display_name.istitle() for stage in pipeline.stages.values())
    assert all(pipeline.parameters.values())
    assert "pinned by digest" in finished.out
    assert "digest" not in finished.err


def test_processors_are_processors_and_memory_is_memory(compile_for):
    pipeline, _ = compile_for("kubeflow", resources__split__cpu=1.5, resources__split__memory_gb=3.25)
    assert pipeline.stages["split"].resources == {
        "cpu limit": "1.5",
        "cpu request": "1.5",
        "memory limit": "3250M",
        "memory request": "3250M",
    }


@pytest.mark.parametrize(
    ("nodes", "labels"),
    [
        ("gke", {"cloud.google.com/gke-accelerator": "nvidia-a100-80gb"}),
        ("nvidia", {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}),
        ("any", {}),
    ],
)
def test_a_gpu_model_is_selected_by_the_clusters_own_labels(compile_for, nodes, labels):
    pipeline, _ = compile_for(
        "kubeflow", resources__train__accelerator="nvidia-a100-80gb", platform__kubeflow__gpu_nodes=nodes
    )
    assert pipeline.stages["train"].node_labels == labels
    assert pipeline.stages["train"].tolerations == {("nvidia.com/gpu", "Exists", "", "NoSchedule")}
    assert pipeline.stages["evaluate"].tolerations == set()


def test_a_spot_stage_selects_and_tolerates_spot_nodes(compile_for):
    pipeline, finished = compile_for("kubeflow", resources__preprocess__spot="true")
    assert "spot of preprocess: Kubeflow retries a stage that failed, not one whose pod vanished" in finished.err
    assert pipeline.stages["preprocess"].node_labels == {"cloud.google.com/gke-spot": "true"}
    assert pipeline.stages["preprocess"].tolerations == {("cloud.google.com/gke-spot", "Equal", "true", "NoSchedule")}
    assert pipeline.stages["split"].node_labels == {}


def test_retries_wait_longer_each_time_and_are_still_allowed_after_long_attempts(compile_for):
    pipeline, _ = compile_for(
        "kubeflow",
        resources__train__retries=3,
        resources__train__retry_backoff_seconds=30,
        resources__train__retry_backoff_factor=3,
        resources__train__timeout_seconds=7200,
    )
    train = pipeline.stages["train"]
    # Four attempts of two hours, and pauses of 30, 90 and 270 seconds between them.
    assert train.retry_policy == {
        "maxRetryCount": 3,
        "backoffDuration": "30s",
        "backoffFactor": 3.0,
        "backoffMaxDuration": f"{4 * 7200 + 30 + 90 + 270}s",
    }
    assert train.timeout_seconds == 7200


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_the_branches_of_every_loop_run_at_once_up_to_the_parallelism(compile_for, target):
    parts = {"preprocess__parts": 3}
    assert compile_for(target, **parts)[0].parallelism == {"read-parts": 0, "tune-variants": 0, "train-variants": 0}
    limited, _ = compile_for(target, platform__parallelism=2, **parts)
    assert limited.parallelism == {"read-parts": 2, "tune-variants": 2, "train-variants": 2}


def test_a_stage_without_retries_has_no_retry_policy(compile_for):
    pipeline, _ = compile_for("kubeflow", resources__split__retries=0)
    assert pipeline.stages["split"].retries == 0
    assert pipeline.stages["train"].retries > 0


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
@pytest.mark.parametrize("caching", [True, False])
def test_caching_is_as_the_settings_say(compile_for, target, caching):
    pipeline, _ = compile_for(target, platform__caching=str(caching).lower())
    assert {stage.caching for stage in pipeline.stages.values()} == {caching}


@pytest.mark.parametrize(("target", "log_format"), [("kubeflow", "json"), ("vertex", "text")])
def test_every_stage_knows_its_name_and_how_its_cluster_reads_logs(compile_for, target, log_format):
    pipeline, _ = compile_for(target, platform__log_format=log_format)
    assert {name: stage.environment for name, stage in pipeline.stages.items()} == {
        name: {"EVENFACE_LOG": log_format, "EVENFACE_STAGE": name} for name in STAGES
    }


def test_the_pull_policy_reaches_every_stage(compile_for):
    pipeline, _ = compile_for("kubeflow", platform__image_pull_policy="Always")
    assert {stage.kubernetes["imagePullPolicy"] for stage in pipeline.stages.values()} == {"Always"}


def test_vertex_gets_one_document_and_kubeflow_two(compile_for):
    assert compile_for("vertex")[0].documents == 1
    assert compile_for("kubeflow")[0].documents == 2


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_the_package_holds_integers_where_the_settings_do_and_means_what_kfp_wrote(
    compile_for, tmp_path, monkeypatch, target
):
    changes = {"preprocess__parts": 3, "seeds": "[3, 4]"}
    compile_for(target, **changes)
    package = (tmp_path / f"{target}.yaml").read_text()
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.compiling.restore_integers", lambda package, given: None)
        compile_for(target, **changes)
    plain = (tmp_path / f"{target}.yaml").read_text()
    written, meant = (list(yaml.safe_load_all(text)) for text in (package, plain))

    settings = load_settings("demo", overrides=["preprocess.parts=3", "seeds=[3, 4]", "compare.report.preset=demo"])
    given = {f"{name}_settings": section for name, section in sections_of(settings).items()} | {"runs": settings.runs()}
    defaults = {
        name: parameter["defaultValue"]
        for name, parameter in written[0]["root"]["inputDefinitions"]["parameters"].items()
        if name in given
    }
    assert len(defaults) == 11
    # Written as JSON, 1 and 1.0 differ.
    assert {name: json.dumps(value, sort_keys=True) for name, value in defaults.items()} == {
        name: json.dumps(given[name], sort_keys=True) for name in defaults
    }
    assert '"tau": 1.0' in json.dumps(defaults["compare_settings"])
    assert '"resamples": 2000' in json.dumps(defaults["compare_settings"])
    assert "constant: 3\n" in package
    assert "backoffFactor: 2\n" in package

    # Line by line nothing else differs, and a back end reads the same.
    lines = list(zip(_lines(package), _lines(plain), strict=True))
    assert all(before in {after, f"{after}.0"} for after, before in lines)
    specs = [json_format.ParseDict(documents[0], PipelineSpec()) for documents in (written, meant)]
    assert specs[0] == specs[1]
    assert written[1:] == meant[1:]


def _lines(package):
    """Leave out the comments, whose order differs from one compilation to the next."""
    return [line for line in package.split("\n") if not line.startswith("#")]


@pytest.mark.parametrize("scheduled", [False, True])
def test_only_the_stages_that_ask_an_mlflow_server_see_the_secret_and_the_package_names_it_alone(
    tmp_path, monkeypatch, scheduled
):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hunter2")
    asked = ["promotion.registry=mlflow+https://mlflow.example.org", "tracking.mlflow_uri=https://mlflow.example.org"]
    settings = load_settings("demo", overrides=[*asked, "platform.kubeflow.mlflow_secret=mlflow-login"])
    package = tmp_path / "evenface.yaml"
    compiled = compile_pipeline(settings, Target.KUBEFLOW, package, scheduled=scheduled)
    assert not any("MLflow" in note for note in compiled.notes)
    assert "hunter2" not in package.read_text()
    executors = list(yaml.safe_load_all(package.read_text()))[1]["platforms"]["kubernetes"]["deploymentSpec"]
    secrets = {
        name.removeprefix("exec-"): executor["secretAsEnv"]
        for name, executor in executors["executors"].items()
        if "secretAsEnv" in executor
    }
    assert set(secrets) == {"promote", "track"} | ({"look-for-news"} if scheduled else set())
    for (secret,) in secrets.values():
        # A secret with a token alone does as well as one with a name and a password.
        assert (secret["secretName"], secret["optional"]) == ("mlflow-login", True)
        assert {key["secretKey"]: key["envVar"] for key in secret["keyToEnv"]} == {
            f"MLFLOW_TRACKING_{part}": f"MLFLOW_TRACKING_{part}" for part in ("TOKEN", "USERNAME", "PASSWORD")
        }


@pytest.mark.parametrize(
    ("target", "settings", "note"),
    [
        ("kubeflow", {"tracking__mlflow_uri": "https://m.example.org"}, "platform.kubeflow.mlflow_secret is not set"),
        ("vertex", {"promotion__registry": "mlflow+https://m.example.org"}, "Vertex AI puts no secret into a stage's"),
        ("kubeflow", {"platform__kubeflow__mlflow_secret": "login"}, "mlflow_secret is given to no stage"),
    ],
)
def test_credentials_that_no_stage_will_have_are_pointed_out(compile_for, target, settings, note):
    assert note in compile_for(target, **settings)[1].err


def test_the_same_settings_are_the_same_version_in_every_process(run_cli, tmp_path):
    packages = [tmp_path / f"{name}.yaml" for name in ("one", "two", "other")]
    for package, image in zip(packages, ("evenface:1", "evenface:1", "evenface:2"), strict=True):
        assert run_cli("compile", "--target", "kubeflow", "--image", image, "-o", package).returncode == 0
    one, two, other = (Submission(package, {}, "run", "experiment").version for package in packages)
    assert one == two != other


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_the_compiled_pipeline_loads_again(compile_for, tmp_path, target):
    pipeline, _ = compile_for(target)
    loaded = kfp.components.load_component_from_file(str(tmp_path / f"{target}.yaml"))
    assert loaded.name == "evenface"
    assert set(loaded.component_spec.inputs) == set(pipeline.parameters)


def test_an_image_without_a_digest_is_pointed_out(command, tmp_path):
    finished = command("compile", "--target", "kubeflow", "--preset", "demo", "-o", tmp_path / "a.yaml")
    assert finished.code == 0
    assert "not pinned by its digest" in finished.err


@pytest.mark.parametrize(
    ("target", "settings", "note"),
    [
        (
            "kubeflow",
            {"platform__vertex__project": "faces", "platform__vertex__labels": "{team: vision}"},
            "Kubeflow ignores platform.vertex.project, platform.vertex.labels.",
        ),
        (
            "vertex",
            {"platform__vertex__project": "faces", "platform__kubeflow__gpu_taint": "gpus"},
            "Vertex ignores platform.kubeflow.gpu_taint.",
        ),
    ],
)
def test_settings_of_another_platform_are_named_where_they_are_changed(compile_for, target, settings, note):
    assert note in compile_for(target, **settings)[1].err
    assert "ignores" not in compile_for(target)[1].err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "resources.evaluate.accelerator=nvidia-t4"], "evaluate makes no use of a GPU"),
        (["--set", "resources.train.accelerator=nvidia-t5"], "unknown accelerator 'nvidia-t5'"),
        (["--set", "resources.train.accelerator_count=3"], "resources.train.accelerator_count"),
        (["--set", "resources.split.accelerator_count=2"], "no accelerator is named"),
        (["--set", "resources.train={spot: true, retries: 0}"], "set retries to 1 or more"),
        (
            ["--set", "resources.train.retry_backoff_factor=1.5"],
            "resources.train.retry_backoff_factor: a pause can't grow by a factor of 1.5: choose a whole number.",
        ),
        (
            ["--set", "resources.train={retries: 10, retry_backoff_seconds: 3600, retry_backoff_factor: 10}"],
            "the pauses before 10 retries add up to 46296296 days: lower retries,",
        ),
        (["--set", "platform.parallelism=0"], "platform.parallelism"),
        (["--set", "hooks.url=http://hooks.example.org/1"], "events are posted over https alone"),
        (["--image", "Registry/Evenface:1"], "'Registry/Evenface:1' is not an image reference"),
        (["--image", "evenface@sha256:1234"], "is not an image reference"),
        (["--set", "platform.kubeflow.host=https://me:secret@kubeflow.example.org"], "EVENFACE_KUBEFLOW_TOKEN"),
        (["--set", "platform.kubeflow.host=kubeflow.example.org"], "write one such as https://"),
        (["--set", "platform.image_pull_policy=Sometimes"], "platform.image_pull_policy"),
        (
            [
                *("--set", "platform.kubeflow.mlflow_secret=login"),
                *("--set", "tracking.mlflow_uri=http://mlflow.example.org"),
            ],
            "in the secret login would be sent to http://mlflow.example.org over plain HTTP: write https://",
        ),
        (["-o", "pipeline.json"], "is not the name of a YAML file"),
        (
            ["--set", "tune.parallel_trials=3"],
            "each trial needs a GPU of its own: set resources.tune.accelerator_count to 4, or",
        ),
    ],
)
def test_an_impossible_request_is_refused_in_one_sentence(command, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    refused = command("compile", "--target", "kubeflow", "--preset", "demo", *arguments)
    assert refused.code == 2
    assert sentence in refused.sentence
    assert not list(tmp_path.glob("*.yaml"))


@pytest.mark.parametrize("scheme", ["https://", ""])
def test_a_secret_in_the_host_is_not_repeated(command, scheme):
    host = f"platform.kubeflow.host={scheme}me:hunter2@kubeflow.example.org"
    refused = command("compile", "--target", "kubeflow", "--set", host)
    assert refused.code == 2
    assert "hunter2" not in refused.err + refused.out


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_compiling_takes_seconds_and_none_of_the_heavy_libraries(tmp_path, target):
    code = (
        "import sys; from pipeline import cli\n"
        "try: cli.main()\n"
        "finally: print([n for n in ('tensorflow', 'keras', 'pandas', 'google.cloud.aiplatform') if n in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    finished = subprocess.run(
        [sys.executable, "-c", code, "compile", "--target", target, "-o", tmp_path / "evenface.yaml"],
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert finished.stdout.splitlines()[-1] == "[]"
    # Processor time: what a machine that does nothing else takes.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5


@pytest.mark.filterwarnings("ignore")  # KFP names what its local runner has no use for.
def test_the_compiled_pipeline_runs_here(compile_for, tmp_path, capsys):
    compile_for(
        "kubeflow",
        preprocess="{synthetic: {faces: 100, smallest_cell: 1}, max_reject_fraction: 0.2}",
        build_test_set__faces_per_cell=50,
        resources__build_test_set__retries=0,
    )
    pipeline = kfp.components.load_component_from_file(str(tmp_path / "kubeflow.yaml"))
    kfp.local.init(kfp.local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    # So few faces don't fill a test set: the second stage says so, and the rest is spared.
    with pytest.raises(RuntimeError, match="failed"):
        pipeline(source="synthetic")
    assert list((tmp_path / "root").rglob("manifest"))
    assert "DataError" in capsys.readouterr().out


@pytest.mark.parametrize(("target", "unit"), [("kubeflow", "000M"), ("vertex", "G")])
def test_a_source_is_read_in_parts_where_asked_each_with_the_resources_of_preprocess(compile_for, target, unit):
    pipeline, _ = compile_for(
        target, preprocess__parts=3, resources__preprocess__memory_gb=12, resources__merge_parts__memory_gb=6
    )
    assert set(pipeline.stages) == (STAGES - {"preprocess"}) | {"read_part", "merge_parts"}
    memory = {name: stage.resources["memory limit"] for name, stage in pipeline.stages.items()}
    assert (memory["read_part"], memory["merge_parts"]) == (f"12{unit}", f"6{unit}")


def test_a_stage_that_reads_the_source_has_its_own_name_in_its_log(tmp_path):
    settings = load_settings("demo", overrides=["preprocess.parts=2", "resources.preprocess.cpu=3"])
    compile_pipeline(settings, Target.VERTEX, tmp_path / "a.yaml", scheduled=True)
    executors = yaml.safe_load((tmp_path / "a.yaml").read_text())["deploymentSpec"]["executors"]
    for stage in ("read-part", "look-for-news"):
        container = executors[f"exec-{stage}"]["container"]
        assert {"name": "EVENFACE_STAGE", "value": stage.replace("-", "_")} in container["env"]
        assert container["resources"]["resourceCpuLimit"] == "3"
