"""The command line: help, wrong requests, failing stages."""

import subprocess
import sys

import pytest

from components.sources.synthetic import generate
from components.sources.synthetic_settings import SyntheticSettings


def only_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1, text
    return lines[0]


@pytest.mark.parametrize("command", ["run", "report", "predict", "variants"])
def test_every_command_has_help_with_an_example(run_cli, command):
    shown = run_cli(command, "--help")
    assert shown.returncode == 0
    assert f"Example: evenface {command}" in shown.stdout


def test_variants_lists_each_with_its_cures_source_and_settings(run_cli):
    shown = run_cli("variants")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[0].split() == ["name", "age", "gender", "ethnicity", "resampling"]
    rows = {line.split()[0]: number for number, line in enumerate(shown.stdout.splitlines()) if line[:1].isalpha()}
    assert {"baseline", "ins", "downsample", "denseweight_lmf", "cell_balanced"} <= set(rows)
    lines = shown.stdout.splitlines()[rows["ldam_drw"] :][:5]
    assert lines[0].split() == ["ldam_drw", "none", "none", "ldam", "+", "drw", "none"]
    below = " ".join(" ".join(lines[1:]).split())
    assert "Cao et al. 2019 (arXiv 1906.07413)" in below
    assert "ldam.max_margin=0.5, ldam.scale=1.0, drw.beta=0.9999, drw.fraction=0.2" in below


@pytest.mark.parametrize("statement", ["import pipeline", "import pipeline.cli", "import pipeline.definition"])
def test_importing_the_pipeline_imports_no_tensorflow(statement):
    code = (
        f"{statement}\nimport sys; print([name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "dmo"], "Unknown preset 'dmo' (did you mean 'demo'?)"),
        (["--preset", "poc"], "pass --source"),
        (["--source", "nowhere/faces.zip"], "The source nowhere/faces.zip does not exist: check --source."),
        (["--config", "nowhere.yaml"], "The configuration file nowhere.yaml does not exist"),
        (["--set", "model.image_sise=64"], "Unknown setting 'model.image_sise' (did you mean 'image_size'?)"),
        (["--set", "modle.image_size=64"], "Unknown setting 'modle' (did you mean 'model'?)"),
        (["--set", "training.epochs=many"], "Setting 'training.epochs' can't be 'many'"),
        (["--set", "training.epochs"], "write --set section.key=value"),
        (["--set", "variants=[baseline, denseweigth]"], "Unknown variant 'denseweigth' (did you mean 'denseweight'?)"),
        (
            ["--set", "variants=[ins]"],
            "The setting comparison.reference is 'baseline', which is not among",
        ),
        (["--set", "seeds=[1, 1]"], "The setting seeds names one value twice"),
        (["--set", "tuning.initial_points=9", "--set", "tuning.trials=3"], "initial_points (9) is above trials (3)"),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence_before_anything_runs(run_cli, tmp_path, arguments, sentence):
    refused = run_cli("run", "--output", tmp_path / "out", *arguments, cwd=tmp_path)
    assert refused.returncode == 2
    assert sentence in only_line(refused.stderr)
    assert not (tmp_path / "out").exists()


def faces_folder(path, count):
    path.mkdir()
    for name, content in list(generate(SyntheticSettings(faces=count, smallest_cell=0, broken_files=0))):
        (path / name).write_bytes(content)
    return path


def test_a_failed_stage_ends_the_run_with_its_name_and_the_cause(run_cli, tmp_path):
    source = faces_folder(tmp_path / "faces", 80)
    failed = run_cli("run", "--source", source, "--output", tmp_path / "out")
    assert failed.returncode == 1
    line = failed.stderr.strip().splitlines()[-1]
    assert line.startswith("evenface: Stage ")
    assert "Traceback" not in failed.stdout + failed.stderr
    assert not (tmp_path / "out" / "report.html").exists()


def test_an_empty_source_says_so(run_cli, tmp_path):
    (tmp_path / "faces").mkdir()
    failed = run_cli("run", "--source", tmp_path / "faces", "--output", tmp_path / "out")
    assert failed.returncode == 1
    assert "Stage preprocess failed" in failed.stderr
    assert not list((tmp_path / "out").rglob("manifest"))
