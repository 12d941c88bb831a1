"""`evenface run`: wrong requests, failing stages, and the tables at its end."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.sources.synthetic import generate
from components.sources.synthetic_settings import SyntheticSettings
from pipeline.commands.run import RunOptions, show_results
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.settings import load_settings
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
        (["--set", "training.epochs=.inf"], "Setting 'training.epochs' can't be inf"),
        (["--set", "training.epochs=1e22"], "Setting 'training.epochs' can't be 1e+22"),
        (
            ["--set", "seeds=[9999999999]"],
            "seeds has a number that is too large: use whole numbers of at most 2147483647",
        ),
        (["--set", "training.epochs=-1"], "Setting 'training.epochs' can't be -1"),
        (["--set", "training.loss_weights.age=.nan"], "Setting 'training.loss_weights.age' can't be nan"),
        (["--set", "training.loss_weights.age=1e999"], "can't be inf"),
        (
            ["--set", f"training.epochs={'9' * 5000}"],
            "the value is not YAML (it has a value that can't be read: Exceeds",
        ),
        (["--set", "tune.fixed.dense_layers=-1"], "Setting 'tune.fixed.dense_layers' can't be -1"),
        (["--set", "tune.space.dense_layers=[1, 999]"], "Setting 'tune.space.dense_layers.1' can't be 999"),
        (["--set", "tune.space.learning_rate=[.1, 99]"], "nothing trains at a rate of 99: give a highest value of at"),
        (["--set", "seeds=2026-13-45"], "the value is not YAML (it has a value that can't be read: month must be in"),
        (["--set", "seeds=!!python/object:os.system {}"], "the value is not YAML (could not determine a constructor"),
        (["--set", "seeds=" + "[" * 5000], "the value is not YAML (it is nested too deeply)"),
        (["--set", "model={1: 2}"], "has the key 1, which no setting has"),
        (["--set", "source=&a [*a]"], "the value is not YAML (an alias in it contains itself)"),
        (["--set", "mo\ndel=1"], r"Unknown setting 'mo\ndel' (did you mean 'model'?)"),
        (
            ["--set", "model.backbone_weights=nowhere.keras"],
            "model.backbone_weights is nowhere.keras, where no file can be read: set it to 'imagenet', 'none' or the",
        ),
        (
            ["--set", "build_test_set.faces_per_cell=500"],
            "64 of the test set's 64 cells have too few faces, whatever their files hold: lower build_test_set.faces_p",
        ),
        (["--quiet", "--verbose"], "--quiet and --verbose contradict each other: give one of them."),
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


LAUGHS = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"{chr(ord(name) + 1)}: &{chr(ord(name) + 1)} [{', '.join([f'*{name}'] * 10)}]\n" for name in "abcdefgh"
)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (LAUGHS.encode(), "is not YAML (its aliases stand for more than 100,000 values): correct it."),
        (b"a: 1\n" * 400_000, "is not YAML (it is longer than 1,000,000 characters): correct it."),
        (b"\xff\xfe\xfa", "is not YAML ('utf-8' codec can't decode"),
        (b"- 1", "holds a list, not sections with keys: correct it."),
        (b"0", "holds a int, not sections with keys: correct it."),
        (b"yes: 1", "has the key True, which no setting has: correct it."),
        (b"model: &m {<<: *m}", "is not YAML ("),
        (b"seeds: !!timestamp never", "is not YAML (it has a value that can't be read"),
    ],
)
def test_a_faulty_configuration_file_is_refused_in_one_sentence(command, tmp_path, content, sentence):
    (tmp_path / "own.yaml").write_bytes(content)
    refused = command("run", "--output", tmp_path / "out", "--config", tmp_path / "own.yaml")
    assert refused.code == 2
    assert refused.err.strip() == refused.sentence
    assert sentence in refused.sentence
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("code", "sentence", "exit_code"),
    [
        (errno.ENOSPC, "evenface: The disk is full (out): free some space, or write elsewhere with --output", 1),
        (errno.EROFS, "evenface: The file system is read-only (out): write elsewhere with --output.", 2),
        (errno.EACCES, "evenface: This user may not do that (out): give this user the right to it", 2),
        (errno.ENOMEM, "evenface: There is not enough memory (out): close other programs", 1),
        (0, "evenface: There is not enough memory: close other programs", 1),
    ],
)
def test_what_the_machine_lacks_is_one_sentence(command, tmp_path, monkeypatch, code, sentence, exit_code):
    def lack(*arguments, **options):
        raise OSError(code, os.strerror(code), "out") if code else MemoryError

    monkeypatch.setattr(Path, "mkdir", lack)
    failed = command("run", "--output", tmp_path / "out")
    assert failed.code == exit_code
    assert failed.err.strip() == failed.sentence
    assert failed.sentence.startswith(sentence)


def test_a_missing_folder_for_temporary_files_is_a_wrong_request(command, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    refused = command("run", "--output", tmp_path / "out")
    assert refused.code == 2
    assert refused.sentence.endswith("missing, where no file can be written: create that folder, or unset TMPDIR.")


def test_a_file_that_may_not_grow_and_a_console_that_knows_no_tick_end_in_one_sentence(tmp_path):
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        f"sys.argv[1:] = ['run', '--output', {str(tmp_path / 'out')!r}, '--set', 'preprocess.synthetic.faces=400']; "
        "from pipeline.cli import main; main()"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    failed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    assert failed.returncode == 1
    assert "x preprocess (" in failed.stdout
    last = failed.stderr.strip().splitlines()[-1]
    assert "a file grew larger than this process may write" in last.lower(), failed.stderr[-2000:]
    assert "Traceback" not in failed.stderr


def test_a_folder_named_components_where_the_user_stands_is_not_taken_for_the_stages(tmp_path):
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "__init__.py").write_text("raise RuntimeError('the components of the user')")
    installed = Path(sys.executable).with_name("evenface")
    # Some synthetic files are broken: the first stage runs, counts them and says that they are too many.
    faces = ("--set", "preprocess.synthetic.faces=400", "--set", "preprocess.max_reject_fraction=0")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    failed = subprocess.run(
        [installed, "run", "--preset", "demo", "--output", "out", *faces],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert "the components of the user" not in failed.stdout + failed.stderr
    assert failed.returncode == 1
    assert "max_reject_fraction" in failed.stderr.strip().splitlines()[-1], failed.stderr[-2000:]


def faces_folder(path, count):
    path.mkdir()
    for name, content in list(generate(SyntheticSettings(faces=count, smallest_cell=0, broken_files=0))):
        (path / name).write_bytes(content)
    return path


def test_a_failed_stage_ends_the_run_with_its_name_and_the_cause(run_cli, tmp_path):
    source = faces_folder(tmp_path / "faces", 400)
    for file in sorted(source.iterdir())[::2]:
        file.write_bytes(b"no picture")
    settings = ("build_test_set.faces_per_cell=1", "build_test_set.allow_shortfall=true")
    options = [option for setting in settings for option in ("--set", setting)]
    failed = run_cli("run", "--source", source, "--output", tmp_path / "out", *options)
    assert failed.returncode == 1
    line = failed.stderr.strip().splitlines()[-1]
    assert line.startswith("evenface: Stage preprocess failed: ")
    assert "Traceback" not in failed.stdout + failed.stderr
    assert not (tmp_path / "out" / "report.html").exists()


def test_an_empty_source_says_so_before_anything_runs(command, tmp_path):
    (tmp_path / "faces").mkdir()
    refused = command("run", "--source", tmp_path / "faces", "--output", tmp_path / "out")
    assert refused.code == 2
    source = tmp_path / "faces"
    assert refused.err.strip() == f"evenface: The source {source} holds no file: fill it, or pass --source another one."
    assert not (tmp_path / "out").exists()


def test_settings_that_depend_on_each_other_move_together():
    for trials, random in ((2, 2), (20, 5)):
        assert load_settings("poc", overrides=[f"tune.trials={trials}"]).tune.random_trials == random


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
