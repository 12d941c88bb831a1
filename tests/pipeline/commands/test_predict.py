"""`evenface predict` and `evenface report`: wrong paths, many pictures, bad ones among them."""

import csv
import io
import json
import subprocess
import sys

import pytest

from tests.components.pictures import encode_picture


@pytest.fixture
def model(demo_run):
    return demo_run.folder.models / "baseline" / "42"


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Give a folder of three faces, one in a folder of its own, and two files that are none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces" / "inner").mkdir(parents=True)
    for number, name in enumerate(("[red]a.jpg", "b.png", "inner/c.JPG")):
        kind = {"mode": "RGBA", "file_format": "PNG"} if name == "b.png" else {}
        (tmp_path / "faces" / name).write_bytes(encode_picture(number, **kind))
    (tmp_path / "faces" / "cmyk.jpg").write_bytes(encode_picture(mode="CMYK"))
    (tmp_path / "faces" / "notes.txt").write_text("no picture")
    return tmp_path / "faces"


def test_a_folder_is_read_to_its_depths_and_what_is_no_face_is_named_while_the_rest_goes_on(command, model, pictures):
    shown = command("predict", "faces", "gone.jpg", "--model", model)
    assert shown.code == 1
    assert shown.out.count("years") == 3
    assert all(name in shown.out for name in ("[red]a.jpg", "b.png", "c.JPG"))
    assert "faces/cmyk.jpg can't be used: CMYK image" in shown.err
    assert "gone.jpg can't be used: it can't be read (No such file or directory)" in shown.err
    assert shown.sentence == "evenface: 2 of 5 pictures can't be used: give sound JPEG or PNG files."


def test_json_and_csv_say_the_same_in_the_order_of_the_pictures(command, model, pictures, monkeypatch):
    wanted = ("faces/b.png", "faces/cmyk.jpg", "faces/inner/c.JPG")
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(wanted) + "\n"))
    rows = json.loads(command("predict", "-", "--model", model, "--format", "json").out)
    assert [row["image"] for row in rows] == list(wanted)
    assert [row["problem"] is None for row in rows] == [True, False, True]
    assert 1 <= rows[0]["age"] <= 80
    classes = ("White", "Black", "Asian", "Indian")
    assert sum(rows[0][f"ethnicity_{name}"] for name in classes) == pytest.approx(1, abs=1e-5)
    assert rows[0]["ethnicity"] == max(classes, key=lambda name: rows[0][f"ethnicity_{name}"])
    table = list(csv.DictReader(io.StringIO(command("predict", *wanted, "--model", model, "--format", "csv").out)))
    assert [{name: str(value) for name, value in row.items() if value is not None} for row in rows] == [
        {name: value for name, value in row.items() if value} for row in table
    ]


def test_a_pattern_stands_for_its_files_and_the_newest_recommended_model_is_asked(
    demo_run, command, pictures, tmp_path
):
    refused = command("predict", "faces/*.png")
    assert (refused.code, refused.sentence) == (
        2, "evenface: No run in runs recommends a model: name one with --model."
    )  # fmt: skip
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "demo").symlink_to(demo_run.folder.path)
    shown = command("predict", "faces/*.png")
    assert shown.code == 0, shown.err
    assert "b.png" in shown.out
    assert "By the model runs/demo/recommended" in shown.out


def test_a_wrong_path_is_refused_before_tensorflow_is_imported_and_the_right_one_is_named(tmp_path):
    run = tmp_path / "run"
    for name in ("recommended/saved_model.pb", "models/ins/3/saved_model.pb", "comparison.json"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
    code = (
        "import sys; from pipeline.cli import main\n"
        "for words in {!r}:\n"
        "    sys.argv[1:] = words\n"
        "    try: main()\n"
        "    except SystemExit as end: assert end.code == 2, end.code\n"
        "assert not {{'tensorflow', 'keras'}} & set(sys.modules)"
    )
    face = tmp_path / "face.jpg"
    face.write_bytes(encode_picture())
    wrong = [
        ["predict", str(face), "--model", str(run)],
        ["predict", str(face), "--model", str(run / "models" / "ins" / "4")],
        ["predict", str(face), "--model", str(run / "models" / "ins" / "3")],
        ["report", str(run / "models")],
        ["report", str(tmp_path)],
    ]
    ended = subprocess.run([sys.executable, "-c", code.format(wrong)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines() == [
        f"evenface: {run} holds no model: give {run}/recommended.",
        f"evenface: There is no folder {run}/models/ins/4: give {run}/recommended.",
        f"evenface: {run}/models/ins/3 holds a SavedModel without variant.json, which names its classes: "
        "give one that evenface exported, with everything beside it.",
        f"evenface: {run / 'models'} holds no finished run: give {run}.",
        f"evenface: {tmp_path} holds no finished run: give {run}.",
    ]
