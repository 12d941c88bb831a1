"""The recommended model: its numbers are those of its row, and its folder says what it is."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.compare.contract import Comparison
from components.dataset.images import read_encoded
from components.dataset.manifest import Manifest
from components.dataset.outputs import FOCUS
from components.digests import verify_digests
from components.errors import ArtifactError
from components.evaluation.catalogue import SCALARS
from components.evaluation.frame import score
from components.evaluation.predictions import Predictions
from components.imbalance.posthoc import adjust_probabilities
from components.model.serving import ServedModel
from components.recommend.contract import RecommendedModel
from components.recommend.recommend import recommend
from components.training.record import HISTORY_FILE, TrainingRecord
from tests.components.compare.comparisons import make_comparison
from tests.components.simulation import simulate_predictions, simulate_run

ADJUSTMENT = {
    "tau": 1.0,
    "temperature": 1.3,
    "class_priors": {"White": 0.6, "Black": 0.2, "Asian": 0.05, "Indian": 0.15},
}
SEEDS = (1, 2, 3)


class Stub(tf.Module):
    """A served model whose answers depend on the file's bytes alone: every face gets its own."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(self, image_bytes):
        places = tf.stack([tf.strings.to_hash_bucket_strong(image_bytes, 1000, [1, key]) for key in range(6)], axis=1)
        numbers = tf.cast(places, tf.float32) / 1000
        logits = 2 * numbers[:, 2:] + tf.math.log([0.6, 0.2, 0.05, 0.15])
        return {"age": 80 * numbers[:, :1], "gender": numbers[:, 1:2], "ethnicity": tf.nn.softmax(logits)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Give three copies of a model, as if three seeds of one variant had been trained."""
    folder, stub = tmp_path_factory.mktemp("models"), Stub()
    tf.saved_model.save(stub, str(folder / "stub"), signatures={"serving_default": stub.serve})
    for seed in SEEDS:
        copied = shutil.copytree(folder / "stub", folder / str(seed))
        simulate_run(simulate_predictions("baseline", seed)).record.write(copied)
        (copied / HISTORY_FILE).write_bytes(b"history")
    return [str(folder / str(seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def predictions(models, small_data):
    test = Manifest.read(small_data.test)
    served = ServedModel(models[0]).predict(read_encoded(small_data.images, test), batch_size=64)
    return Predictions.from_scores(test.faces, test.labels, served, "baseline", 1)


@pytest.fixture(scope="module")
def scores(predictions):
    """Give every single-number metric of the network by row, computed as evaluate and compare do."""
    priors, plain = list(ADJUSTMENT["class_priors"].values()), predictions
    probabilities = adjust_probabilities(plain.probabilities(FOCUS), priors, 1.0, 1.3)
    adjusted = plain.with_probabilities(FOCUS, probabilities, "baseline+posthoc")
    rows = {"baseline": plain, "baseline+posthoc": adjusted}
    overall = {name: score(row).overall for name, row in rows.items()}
    assert abs(overall["baseline"]["ethnicity_macro_f1"] - overall["baseline+posthoc"]["ethnicity_macro_f1"]) > 1e-3
    return {name: {metric: float(values[metric]) for metric in SCALARS} for name, values in overall.items()}


@pytest.fixture
def package(models, scores, small_data, tmp_path):
    """Give a function that packages what a comparison of these networks recommends, with changes to its facts."""

    def run(row="baseline", *, stated=None, paths=models, **changes):
        content = make_comparison({"baseline": 0.6}, seeds=SEEDS).to_json()
        content["ensembles"] = {
            f"{name}+ensemble": content["posthoc"][name] | {"kind": "ensemble", "averaged": name}
            for name in content["posthoc"]
        }
        for kind in ("variants", "posthoc", "ensembles"):
            for name, facts in content[kind].items():
                for metric in SCALARS:
                    value = (stated or {}).get(metric, scores[name.removesuffix("+ensemble")][metric])
                    value = round(value, 6) if np.isfinite(value) else None
                    # Of an ensemble, only the number itself counts.
                    told = (
                        {"value": value, "by_seed": {}}
                        if kind == "ensembles"
                        else {"by_seed": dict.fromkeys(map(str, SEEDS), value)}
                    )
                    facts[metric] = facts[metric] | told
        facts = {
            "variant": row, "kind": "posthoc" if "+" in row else "trained", "model": "baseline", "seed": 2,
            "standing": "kept", "adjustment": ADJUSTMENT if "+" in row else None,
            "validation_scores": {"1": 0.7, "2": 0.6, "3": 0.5},
        }  # fmt: skip
        content["recommended"] |= facts | changes
        Comparison.model_validate(content).write(tmp_path / "comparison")
        made = recommend(
            images_path=small_data.images, test_path=small_data.test, model_paths=paths,
            comparison_path=str(tmp_path / "comparison"), batch_size=64, recommended_path=str(tmp_path / "recommended"),
        )  # fmt: skip
        return made, tmp_path / "recommended"

    return run


def test_a_posthoc_rows_model_does_its_adjustment_itself_and_its_numbers_are_the_rows(package, scores):
    made, folder = package("baseline+posthoc", standing="recommended")
    assert (made.network.row, made.network.variant, made.network.seed) == ("baseline+posthoc", "baseline", 2)
    for metric, value in made.network.metrics.items():
        stated = scores["baseline+posthoc"][metric]
        assert value == pytest.approx(stated, abs=1e-6) or (value is None and np.isnan(stated))
    assert RecommendedModel.read(folder) == made
    assert TrainingRecord.read(folder).seed == 2


def test_an_ensembles_model_averages_its_networks_each_adjusted_first(package, predictions, scores):
    temperatures = {"1": 1.3, "2": 0.4, "3": 2.5}
    members = {seed: ADJUSTMENT | {"temperature": each} for seed, each in temperatures.items()}
    priors = list(ADJUSTMENT["class_priors"].values())
    answers = [
        adjust_probabilities(predictions.probabilities(FOCUS), priors, 1.0, each) for each in temperatures.values()
    ]
    averaged = predictions.with_probabilities(FOCUS, np.float32(answers).mean(axis=0, dtype=np.float64), "ensemble")
    wanted = score(averaged).overall
    assert abs(wanted["ethnicity_macro_f1"] - scores["baseline+posthoc"]["ethnicity_macro_f1"]) > 1e-3
    stated = {name: float(wanted[name]) for name in SCALARS}
    made, folder = package(
        "baseline+posthoc+ensemble", kind="ensemble", seed=None, adjustment=None, members=members, stated=stated
    )
    assert (made.network.variant, made.network.seed, list(made.network.members)) == ("baseline", None, ["1", "2", "3"])
    for name, value in made.network.metrics.items():
        assert value == pytest.approx(stated[name], abs=1e-6) or (value is None and np.isnan(stated[name]))
    assert TrainingRecord.read(folder).seed == 1
    assert {TrainingRecord.read(path).seed for path in (folder / "members").iterdir()} == {2, 3}
    card = (folder / "model_card.md").read_text()
    for told in (
        "baseline, the mean of the answers of seeds 1, 2, 3",
        "After the network of seed 2, in the same graph | ethnicity probabilities raised to 1 / 0.400",
        "takes 3 times the time and the room of one",
        "It averages 3 networks.",
    ):
        assert told in card
    with pytest.raises(ArtifactError, match=r"but the comparison's row baseline\+posthoc\+ensemble has 0.99:"):
        package(
            "baseline+posthoc+ensemble", kind="ensemble", seed=None, adjustment=None, members=members,
            stated=stated | {"gender_accuracy": 0.99},
        )  # fmt: skip


def test_a_trained_rows_model_is_the_one_that_was_evaluated_byte_by_byte(package, models):
    _, folder = package()
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        assert (folder / name).read_bytes() == Path(models[1], name).read_bytes()


def test_every_file_has_its_digest(package):
    made, folder = package()
    digests = json.loads((folder / "digests.json").read_text())
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(digests) == files - {"digests.json"} >= {"model_card.md", "recommended.json", "variant.json"}
    assert made.network.files.items() <= digests.items()
    assert verify_digests(folder) == digests


def test_a_model_that_does_not_do_what_its_row_says_is_refused_and_nothing_is_left(package, models, tmp_path):
    with pytest.raises(ArtifactError, match="The packaged model has gender accuracy .*, but the comparison's row"):
        package(stated={"gender_accuracy": 0.99})
    with pytest.raises(ArtifactError, match="which is not among the 1 models: run compare again"):
        package(seed=2, paths=models[:1])
    assert not (tmp_path / "recommended").exists()


@pytest.mark.parametrize("standing", ["nothing learned", "no reference"])
def test_where_nothing_can_be_shipped_the_folder_says_why_and_holds_no_model(package, standing):
    made, folder = package(
        standing=standing, variant=None, kind=None, model=None, seed=None, validation_scores={}, because="Nothing."
    )
    assert made.network is None
    assert sorted(path.name for path in folder.iterdir()) == ["digests.json", "recommended.json"]
    assert json.loads((folder / "recommended.json").read_text()).items() >= {
        "standing": standing, "because": "Nothing.", "network": None
    }.items()  # fmt: skip


def test_the_card_tells_data_numbers_by_group_limits_and_uses(package):
    card = (package("baseline+posthoc")[1] / "model_card.md").read_text()
    for told in (
        "# Model card: baseline, post-hoc adjusted",
        "**kept**: baseline+posthoc",
        "baseline, seed 2",
        "the one with the median ethnicity macro F1 on the validation faces",
        "seed 1 0.700, seed 2 0.600, seed 3 0.500",
        "raised to 1 / 1.300, divided by the class shares to the power 1.0",
        "shares: White 0.600, Black 0.200, Asian 0.050, Indian 0.150",
        "`fingerprint`",
        "| Female, Indian | 80 |",
        "| **worst group** |",
        "Natural population",
        "| gender | 0.080 | 0.030 | 1.30 |",
        "Of 2 of the test set's 64 cells no face was in training",
        "Male, White, 1-10; Male, White, 11-20",
        "non-commercial",
        "Not for: decisions about a person",
        'signatures["serving_default"](image_bytes=',
    ):
        assert told in card
    assert "synthetic" not in card
    tables = [line for line in card.splitlines() if line.startswith("|")]
    assert not [line for line in tables if not line.endswith("|")]
