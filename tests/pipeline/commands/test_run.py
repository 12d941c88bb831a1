"""`evenface run`: wrong requests, failing stages, and the tables at its end."""

import pytest

from components.sources.synthetic import generate
from components.sources.synthetic_settings import SyntheticSettings
from pipeline.commands.run import RunOptions, show_results
from pipeline.platforms.local.run_folder import RunFolder
from tests.components.compare.comparisons import make_comparison


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "dmo"], "Unknown preset 'dmo' (did you mean 'demo'?)"),
        (["--preset", "poc"], "pass --source"),
        (["--source", "nowhere/faces.zip"], "The source nowhere/faces.zip does not exist: check --source."),
        (["--config", "nowhere.yaml"], "The configuration file nowhere.yaml does not exist"),
        (["--set", "model.image_sise=64"], "Unknown setting 'model.image_sise' (did you mean 'image_size'?)"),
        (["--set", "modle.image_size=64"], "Unknown setting 'modle' (did you mean 'model'?)"),
        (["--set", "tuning.trials=2"], "Unknown setting 'tuning' (did you mean 'tune'?)"),
        (["--set", "training.epochs=many"], "Setting 'training.epochs' can't be 'many'"),
        (["--set", "training.epochs"], "write --set section.key=value"),
        (["--set", "variants=[baseline, denseweigth]"], "Unknown variant 'denseweigth' (did you mean 'denseweight'?)"),
        (
            ["--set", "variants=[ins]"],
            "The setting compare.reference is 'baseline', which is not among",
        ),
        (["--set", "seeds=[1, 1]"], "The setting seeds repeats a value"),
        (
            ["--set", "compare.permutations=399", "--set", "variants=[baseline, ins, lds, lmf, drw]"],
            "With 399 permutations and up to 26 tests nothing can be significant at 0.05: the smallest p-value is "
            "0.065 after Holm's adjustment: set compare.permutations to 519 or more.",
        ),
        (["--set", "seeds=[-1]"], "A seed is -1: use seeds of 0 or more."),
        (["--image", "evenface:1"], "--image applies only to containers: add --runner docker."),
        (["--set", "prices={cpu_core_hour: 1, memory_gb_hour: 1, accelerator_hour: {t4: 1}}"], "no accelerator 't4'"),
        (["--set", "tune.initial_points=9", "--set", "tune.trials=3"], "initial_points (9) is above trials (3)"),
        (["--set", "training.warmup_epochs=8"], "warmup_epochs is 8, which leaves none of the 8 epochs: lower warmup"),
        (["--set", "training.warmup_epochs=2"], "leaves none of the 2 epochs of a trial: lower it"),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence_before_anything_runs(
    command, tmp_path, monkeypatch, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    refused = command("run", "--output", tmp_path / "out", *arguments)
    assert refused.code == 2
    assert refused.err.strip() == refused.sentence
    assert sentence in refused.sentence
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
    source = tmp_path / "faces"
    assert failed.stderr.strip() == (
        f"evenface: Stage preprocess failed: The source {source} holds no file: fill it, or pass --source another one."
    )
    assert not list((tmp_path / "out").rglob("manifest"))


@pytest.mark.parametrize(("confidence", "title"), [(0.95, "95 % intervals"), (0.9, "90 % intervals")])
def test_the_table_says_how_wide_its_intervals_are(tmp_path, capsys, confidence, title):
    show_results(make_comparison(confidence=confidence), RunFolder(tmp_path), 1.0)
    assert title in capsys.readouterr().out


@pytest.mark.parametrize(("variant", "line"), [("ins", "Recommended {}"), (None, "Recommended no model, see {}/reco")])
def test_where_the_recommended_model_is_or_why_there_is_none_is_printed(tmp_path, capsys, variant, line):
    comparison = make_comparison()
    found = comparison.recommended.model_copy(update={"variant": variant})
    folder = RunFolder(tmp_path)
    show_results(comparison.model_copy(update={"recommended": found}), folder, 1.0)
    assert line.format(folder.recommended) in capsys.readouterr().out


def test_the_command_that_a_report_repeats_names_no_folder_of_this_machine():
    options = RunOptions(
        preset="poc", config="/home/ann/mine.yaml", overrides=["seeds=[1, 2]", "model.backbone_weights=/data/w.h5"]
    )
    assert options.command("run", "/home/ann/faces.zip") == (
        "evenface run --preset poc --config mine.yaml --set 'seeds=[1, 2]' --set model.backbone_weights=w.h5 "
        "--source faces.zip"
    )
