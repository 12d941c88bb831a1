"""`evenface promote`, `champion` and `rollback`, with models that are scored through their served signatures."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from components.dataset.manifest import Manifest
from components.digests import digest_of, write_digests
from components.promote.component import promote as promote_stage
from components.recommend.contract import RecommendedModel
from components.registries.contract import PromotionRecord
from tests.components.promote.challengers import make_challenger
from tests.pipeline.test_hooks import receiver  # noqa: F401 - a fixture

POLICY = [
    option
    for setting in (
        "promotion.resamples=100",
        "promotion.permutations=199",
        "promotion.policy.losses.gender_accuracy=1",
        "promotion.policy.floor.gender_accuracy=0",
        "promotion.policy.floor.ethnicity_recall=0",
    )
    for option in ("--set", setting)
]


class Stub(tf.Module):
    """Recognises a share of the faces, by a table of their contents' hashes."""

    def __init__(self, contents, truth, share):
        super().__init__()
        self.wrong = tf.constant([place % 10 >= 10 * share for place in range(len(contents))])
        self.keys = tf.strings.to_hash_bucket_fast(tf.constant(contents), 2**62)
        self.truth = tf.constant(truth)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(self, image_bytes):
        found = tf.strings.to_hash_bucket_fast(image_bytes, 2**62)[:, None] == self.keys[None]
        place = tf.argmax(found, axis=1)
        ethnicity = (tf.gather(self.truth, place) + tf.cast(tf.gather(self.wrong, place), tf.int32)) % 4
        same = tf.ones([tf.size(image_bytes), 1])
        return {"age": 40 * same, "gender": 0.6 * same, "ethnicity": tf.one_hot(ethnicity, 4)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_data):
    """Give a function that returns the folder of a finished run, whose network recognises a share of the faces."""
    from components.dataset.images import read_encoded

    root = tmp_path_factory.mktemp("runs")
    test = Manifest.read(small_data.test)
    contents, truth = list(read_encoded(small_data.images, test)), test.faces["ethnicity"].to_numpy("int32")

    def make(name, share):
        folder = root / name
        if not folder.exists():
            (folder / "data").mkdir(parents=True)
            shutil.copyfile(small_data.test, folder / "data" / "test.parquet")
            shutil.copytree(small_data.images, folder / ".pipeline" / "artifacts" / "run" / "preprocess" / "images")
            recommended = make_challenger(folder / "recommended", name, labels=test.labels)
            stub = Stub(contents, truth, share)
            tf.saved_model.save(stub, str(recommended), signatures={"serving_default": stub.serve})
            (folder / "comparison.json").write_text("{}")
            write_digests(recommended)
        return folder

    return make


@pytest.fixture
def on_registry(command, tmp_path):
    def run(verb, *arguments):
        return command(verb, *arguments, "--registry", tmp_path / "registry", *POLICY)

    return run


def test_a_better_model_is_promoted_a_worse_one_is_not_and_there_is_a_way_back(on_registry, finished, tmp_path):
    empty = on_registry("champion")
    assert (empty.code, empty.out.splitlines()[-1]) == (0, "Versions    none")
    for name, share, said in (
        ("first", 0.6, "Promoted as version 1 (no champion). There was no champion, and it meets the floor."),
        ("better", 0.9, "Promoted as version 2 (better). Ethnicity macro F1"),
        ("worse", 0.3, "Refused (worse). Ethnicity macro F1"),
    ):
        before = sorted(Path(tmp_path, "registry").rglob("*"))
        planned = on_registry("promote", finished(name, share), "--dry-run")
        assert planned.out.splitlines()[-1].startswith("Would be ")
        assert sorted(Path(tmp_path, "registry").rglob("*")) == before
        told = on_registry("promote", finished(name, share) / "recommended")
        assert (told.code, said in told.out) == (0, True), told.out
    shown = on_registry("champion").out
    assert "Champion    version 2" in shown
    assert "refused (worse)" in shown
    back = on_registry("rollback")
    assert (back.code, back.out) == (
        0,
        "Rolled back (rolled back). Version 1 is the champion again, after version 2.\n",
    )
    assert "Champion    version 1" in on_registry("champion").out
    assert on_registry("rollback", "--to", "7").sentence == (
        f"evenface: {tmp_path}/registry has no version 7: choose one of those it has: 1, 2."
    )


def test_a_hook_is_told_of_a_promotion_and_of_a_rollback_and_of_nothing_else(
    on_registry, finished, receiver  # noqa: F811 - the fixture
):  # fmt: skip
    hook = ["--set", f"hooks.url={receiver.url}", "--set", "hooks.secret_env=HOOK_SECRET"]
    for name, share in (("first", 0.6), ("better", 0.9), ("worse", 0.3)):
        on_registry("promote", finished(name, share), *hook)
        on_registry("promote", finished(name, share), "--dry-run", *hook)
    on_registry("rollback", *hook)
    events = [json.loads(body) for _, body in receiver.taken]
    assert [(event["event"], event["version"], event.get("previous")) for event in events] == [
        ("model.promoted", "1", None),
        ("model.promoted", "2", "1"),
        ("model.rolled_back", "1", "2"),
    ]
    assert events[1]["reason"].startswith("Ethnicity macro F1")


def test_what_a_command_cannot_work_with_is_one_sentence(command, on_registry, tmp_path, finished):
    assert command("champion").sentence == (
        "evenface: No registry is known: pass --registry, or set promotion.registry."
    )
    nowhere = on_registry("promote", tmp_path)
    assert (nowhere.code, "is neither the folder of a finished run nor" in nowhere.sentence) == (2, True)
    alone = shutil.copytree(finished("first", 0.6) / "recommended", tmp_path / "alone" / "recommended")
    assert on_registry("promote", alone).sentence.endswith("pass --test with a manifest and --images with the shards.")
    run = finished("first", 0.6)
    images = run / ".pipeline" / "artifacts" / "run" / "preprocess" / "images"
    told = on_registry("promote", alone, "--test", run / "data" / "test.parquet", "--images", images)
    assert told.out.splitlines()[-1].startswith("Promoted as version 1")


def test_the_stage_decides_as_the_command_does_and_leaves_its_record(finished, small_data, tmp_path):
    class Artifact:
        def __init__(self, path):
            self.path, self.metadata = str(path), {}

    for name, share, decision in (("first", 0.6, "promoted"), ("worse", 0.3, "refused")):
        made = Artifact(tmp_path / f"{name}.json")
        promote_stage(
            images=Artifact(small_data.images), test=Artifact(small_data.test),
            recommended=Artifact(finished(name, share) / "recommended"),
            settings={"registry": str(tmp_path / "models"), "resamples": 100.0,
                      "policy": {"floor": {"gender_accuracy": 0.0, "ethnicity_recall": 0.0}}},
            evaluate_settings={"batch_size": 64.0}, promotion=made,
        )  # fmt: skip
        record = PromotionRecord.read(made.path)
        assert (record.decision, record.version) == (decision, "1")
        told = {"decision": decision, "case": record.case, "version": "1", "sha256": digest_of(made.path)}
        assert made.metadata == told
    shipped = RecommendedModel.read(tmp_path / "models" / "versions" / "1")
    assert shipped.fingerprint == "data of first"
    assert json.loads((tmp_path / "models" / "champion.json").read_text())["version"] == "1"


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_the_stages_are_compiled_where_the_settings_ask_for_them_and_never_cached(command, tmp_path, target):
    from tests.pipeline.compiled_pipeline import CompiledPipeline

    output = tmp_path / "evenface.yaml"
    wanted = ["--set", "promotion.registry=gs://models/faces", "--set", "tracking.mlflow_uri=https://mlflow.example"]
    done = command("compile", "--target", target, "--preset", "demo", "-o", output, *wanted)
    assert done.code == 0, done.err
    stages = CompiledPipeline.read(output).stages
    assert (stages["promote"].caching, stages["track"].caching) == (False, False)
    assert stages["recommend"].caching
    local = command("compile", "--target", target, "-o", output, "--set", f"promotion.registry={tmp_path}")
    assert (local.code, "is a folder, which the stages on a cluster don't see" in local.sentence) == (2, True)


def test_without_the_settings_neither_mlflow_nor_the_model_registry_is_imported():
    code = (
        "import sys, pipeline.definition, pipeline.commands.promote, components.promote.promote\n"
        "from components.registries.registry import open_registry\n"
        "from components.registries.settings import VertexRegistrySettings\n"
        "open_registry('models', 'evenface', VertexRegistrySettings())\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'mlflow' or 'aiplatform' in name])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
