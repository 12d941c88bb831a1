"""Outputs that are switched off: what is refused before anything starts, and a model that knows no age."""

import json

import pytest
import tensorflow as tf

from components.build_test_set.build_test_set import build_test_set
from components.compare.compare import Inputs, compare
from components.compare.contract import Comparison
from components.dataset.manifest import Manifest
from components.errors import DataError
from components.evaluate.evaluate import evaluate
from components.evaluation.catalogue import SCALARS, switched_on
from components.preprocess.preprocess import preprocess
from components.recommend.card import render_card
from components.recommend.contract import PackagedNetwork
from components.split.split import split
from components.train.train import train
from components.training.record import TrainingRecord
from components.tune.gather import gather_hyperparameters
from components.tune.tune import tune
from pipeline.settings import load_settings
from tests.components.pictures import encode_picture
from tests.pipeline.own_faces import CLASSES, GENDERS, write_own_faces

WITHOUT_AGE = "preprocess.outputs=[ethnicity, gender]"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give the folder of what each stage wrote for own faces without an age, of one variant that cures two outputs."""
    folder = tmp_path_factory.mktemp("ageless")
    table = write_own_faces(folder, faces=200, without=["months"])
    given = [
        WITHOUT_AGE,
        "preprocess.table={image: photo, gender: sex, ethnicity: kind}",
        f"preprocess={{ethnicities: {json.dumps(CLASSES)}, genders: {list(GENDERS)}, drop_ethnicities: []}}",
        "preprocess={undersample: {}, near_copies: 0}",
        "variants=[denseweight_lmf]",
        "compare={reference: denseweight_lmf, resamples: 100}",
        "tune.fixed={dense_units: 8}",
        "training.epochs=1",
    ]
    settings = load_settings("demo", overrides=given)
    written = (
        "images manifest rejects summary test pool test_summary training validation search table hyperparameters "
        "trials model predictions validated comparison.json report.html report.md"
    )
    path = {name: str(folder / name) for name in written.split()}
    preprocess(str(table), settings.preprocess, path["images"], path["manifest"], path["rejects"], path["summary"])
    build_test_set(path["manifest"], settings.build_test_set, path["test"], path["pool"], path["test_summary"])
    split(path["pool"], settings.split, path["training"], path["validation"])
    faces = {"images_path": path["images"], "train_path": path["training"], "validation_path": path["validation"]}
    run = {"variant": "denseweight_lmf", "recipe": settings.recipe, "state_path": ""}
    tune(**faces, **run, settings=settings.tune, hyperparameters_path=path["search"], trials_path=path["table"])
    gather_hyperparameters([path["search"]], [path["table"]], path["hyperparameters"], path["trials"])
    train(**faces, **run, seed=42, hyperparameters_path=path["hyperparameters"], model_path=path["model"])
    tested = path["images"], path["validation"], path["test"], path["model"]
    evaluate(*tested, settings.evaluate, path["predictions"], path["validated"])
    inputs = Inputs(
        models=[(path["model"], path["model"])],
        predictions=[path["predictions"]],
        validation_predictions=[path["validated"]],
        source=str(table),
        train=path["training"],
        preprocess_summary=path["summary"],
        test_set_summary=path["test_summary"],
        **{
            name: path[name]
            for name in ("images", "manifest", "validation", "test", "rejects", "hyperparameters", "trials")
        },
    )
    outputs = (path[name] for name in ("comparison.json", "report.html", "report.md"))
    compare(inputs, settings.runs(), settings.compare, *outputs)
    return folder


def test_a_cell_is_a_gender_and_a_class_where_the_age_is_off(run):
    test = Manifest.read(run / "test")
    assert test.labels.cell_count == len(GENDERS) * len(CLASSES)
    assert test.labels.cell_name(1) == f"{GENDERS[0]}, {CLASSES[1]}"
    assert set(test.cell_counts()) == {3}


def test_the_network_has_no_head_for_what_is_off_and_the_variant_runs_on_what_is_left(run, command):
    record = TrainingRecord.read(run / "model")
    assert set(record.cures) == {"gender", "ethnicity", "resampling"}
    assert record.cures["ethnicity"] == ("lmf",)
    assert not [key for key in record.statistics.parameters if key.startswith("denseweight")]
    signature = tf.saved_model.load(str(run / "model")).signatures["serving_default"]
    assert set(signature.structured_outputs) == {"gender", "ethnicity"}
    shown = command("predict", run / "pictures" / "7.png", "--model", run / "model", "--format", "json")
    assert shown.code == 0, shown.err
    [face] = json.loads(shown.out)
    expected = {"image", "gender", "ethnicity", "problem"}
    assert set(face) == expected | {f"gender_{name}" for name in GENDERS} | {f"ethnicity_{name}" for name in CLASSES}


def test_comparison_report_and_card_leave_out_what_is_off_without_a_hole(run):
    comparison = json.loads((run / "comparison.json").read_text())
    row = comparison["variants"]["denseweight_lmf"]
    assert not [name for name in row if name.startswith("age")]
    assert set(row["learned"]) == {"gender", "ethnicity"}
    assert set(comparison["dataset"]["splits"]["test"]) == {"gender", "ethnicity"}
    report = (run / "report.html").read_text()
    assert 'id="age"' not in report
    assert 'href="#age"' not in report
    assert "Gender accuracy" in report
    for text in (report.partition("</style>")[2].partition("<pre")[0], (run / "report.md").read_text()):
        words = text.lower().replace("<", " ").replace(">", " ").split()
        assert not {"age", "ages", "years", "nan", "mae"} & set(words)
    card = _card(run)
    assert "estimates gender and ethnicity from" in card
    assert "nan" not in card.lower().split()
    assert "Ages from" not in card


def _card(run):
    """Return the model card of the network, as if it were recommended."""
    comparison = Comparison.read(run / "comparison.json")
    row = comparison.variants["denseweight_lmf"]
    metrics = {
        name: row.scalar(metric).value for name, metric in switched_on(SCALARS, comparison.dataset.labels).items()
    }
    network = PackagedNetwork(
        row="denseweight_lmf",
        title=row.title,
        variant="denseweight_lmf",
        seed=42,
        adjustment=None,
        metrics=metrics,
        validation_metric="ethnicity_macro_f1",
        validation_scores={"42": 0.5},
        image_size=32,
        files={},
    )
    return render_card(comparison, TrainingRecord.read(run / "model"), network)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["preprocess.outputs=[age, gender]"], "lack ethnicity, whose classes are what is balanced: add ethnicity"),
        (["preprocess.outputs=[ethnicity, hair]"], "There is no output 'hair': choose from age, gender, ethnicity"),
        (["preprocess.outputs=[ethnicity, ethnicity]"], "An output is repeated: ethnicity, ethnicity: name each once"),
        (["preprocess.table={gender: ''}"], "table.gender names no column: name one, or take gender out of"),
        (
            [WITHOUT_AGE, "variants=[baseline, lds]"],
            "The variant 'lds' has no cure but lds for the age, which preprocess.outputs leaves out: take lds out of",
        ),
        (
            [WITHOUT_AGE, "compare.recommendation.primary_metric=age_mae"],
            "The setting compare.recommendation.primary_metric needs the age, which preprocess.outputs leaves out",
        ),
        (
            [WITHOUT_AGE, "promotion.policy.primary_metric=age_mae"],
            "The setting promotion.policy.primary_metric needs the age",
        ),
        (
            [WITHOUT_AGE, "promotion.policy.floor.age_mae=9"],
            "The setting promotion.policy.floor.age_mae needs the age",
        ),
    ],
)
def test_what_asks_for_an_output_that_is_off_is_refused_at_once(command, tmp_path, given, sentence):
    options = [word for setting in given for word in ("--set", setting)]
    refused = command("run", "--preset", "demo", *options, "--output", tmp_path / "out")
    assert refused.code == 2
    assert sentence in refused.sentence
    assert not (tmp_path / "out").exists()


def test_the_order_and_the_default_of_the_outputs_change_nothing():
    plain = load_settings("demo")
    named = load_settings("demo", overrides=["preprocess.outputs=[ethnicity, gender, age]"])
    assert named.digest() == plain.digest()
    assert "outputs" not in plain.preprocess.to_parameter()
    assert load_settings("demo", overrides=[WITHOUT_AGE]).digest() != plain.digest()


def test_rows_that_lack_a_gender_are_rejects_and_many_of_them_name_the_setting(command, tmp_path):
    (tmp_path / "a.png").write_bytes(encode_picture(file_format="PNG"))
    rows = "".join(f"a.png,{age},,White\n" for age in range(1, 40))
    table = tmp_path / "faces.csv"
    table.write_text(f"image,age,gender,ethnicity\n{rows}")
    outputs = (str(tmp_path / name) for name in ("images", "manifest", "rejects", "summary"))
    with pytest.raises(DataError, match=r"the gender stands empty.*or take gender out of preprocess\.outputs"):
        preprocess(str(table), load_settings("demo").preprocess, *outputs)
    refused = command("run", "--preset", "demo", "--source", table, "--output", tmp_path / "out")
    assert refused.code == 2
    assert "39 of the 39 rows" in refused.sentence
    assert "take gender out of preprocess.outputs" in refused.sentence
    table.write_text("image,ethnicity\na.png,White\n")
    refused = command("run", "--preset", "demo", "--source", table, "--output", tmp_path / "out")
    assert refused.code == 2
    assert "has no column 'age': " in refused.sentence
    assert "without one, take age out of preprocess.outputs" in refused.sentence
