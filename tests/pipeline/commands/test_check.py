"""`evenface check`: what it says of a source, and that its settings suit."""

import csv

import pytest
import yaml

from components.sources.synthetic import generate
from components.sources.synthetic_settings import SyntheticSettings
from pipeline.settings import load_settings
from tests.components.pictures import encode_picture
from tests.pipeline.own_faces import CLASSES, COLUMNS, write_own_faces


def test_a_table_is_read_and_the_settings_for_it_are_written(command, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    table = write_own_faces(tmp_path, faces=600)
    done = command(
        "check", table, "--set", COLUMNS, "--set", "preprocess.near_copies=0", "--write", tmp_path / "own.yaml"
    )
    assert done.code == 0, done.err
    for said in (
        "604 rows, 600 faces to use, 3 faulty.",
        "1 not used: label missing\n  pictures/1.png (the age stands empty)",
        "1 not used: name repeated\n  pictures/0.png",
        "1 not used: no such image\n  pictures/none.png",
        "1 not used: ethnicity dropped\n  pictures/yew.png (Yew)",
        "left out: Yew (1).",
        "Ages up to 2000 are no years",
        "24 gender × class × age-bin cells",
        f"Next: evenface run --preset production --config {tmp_path / 'own.yaml'}",
    ):
        assert said in done.out
    settings = load_settings("production", str(tmp_path / "own.yaml"))
    section = settings.preprocess
    assert settings.source == str(table)
    assert section.table.age == "months"
    assert (section.kept_ethnicities, section.genders, section.undersample) == (CLASSES, ("man", "woman"), {})
    assert settings.compare.recommendation.utility.age_mae == pytest.approx(0.02 * 80 / 2000)
    assert settings.compare.recommendation.margins.age_mae == pytest.approx(2000 / 80)
    assert (section.max_age, section.age_bin_width, section.max_plausible_age) == (2000, 500, 2000)


def test_utkface_files_keep_their_settings_but_for_what_is_not_there(command, tmp_path):
    for name, content in generate(SyntheticSettings(faces=400, image_side=32, broken_files=1)):
        race = name.split("_")[2] if name.count("_") == 3 else ""
        if race != "3":
            (tmp_path / name.rpartition("/")[2]).write_bytes(content)
    loose = ["--set", "preprocess.max_reject_fraction=0.5"]
    done = command("check", tmp_path, "--preset", "demo", *loose)
    assert done.code == 0, done.err
    assert "Indian (0)" in done.out
    assert done.out.index("name lacks a field") < done.out.index("ethnicity dropped")
    _, _, text = done.out.partition("demo:\n\n")
    found = yaml.safe_load(text.partition("\n\nNext")[0])
    assert found["preprocess"] == {"max_reject_fraction": 0.5, "drop_ethnicities": ["Other", "Indian"]}
    assert set(found.get("build_test_set", {})) <= {"faces_per_cell", "training_reserve", "allow_shortfall"}
    refused = command("check", tmp_path, "--preset", "demo", "--set", "preprocess.max_reject_fraction=0.001")
    assert refused.code == 1
    assert "of the images are faulty, but a run accepts 0.1%: repair or remove them" in refused.sentence


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([["a.png", 1, "f", "Oak"]] * 30, "states one gender at most (f), but the network tells two apart: add faces"),
        ([["a.png", 1, "f", "Oak"], ["a.png", 1, "m", "Oak"]] * 30, "has fewer than two classes of 10 faces"),
        (
            [["a.png", "old", sex, kind] for sex in "fm" for kind in ("Oak", "Elm")] * 30,
            "states no age that is a whole",
        ),
        ([["no.png", 5, sex, kind] for sex in "fm" for kind in ("Oak", "Elm")] * 30, "All 120 images in"),
    ],
)
def test_faces_that_no_settings_suit_are_refused_in_one_sentence(command, tmp_path, rows, sentence):
    (tmp_path / "a.png").write_bytes(encode_picture(file_format="PNG"))
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "age", "gender", "ethnicity"], *rows])
    refused = command("check", tmp_path / "faces.csv")
    assert refused.code == 1
    assert sentence in refused.sentence
