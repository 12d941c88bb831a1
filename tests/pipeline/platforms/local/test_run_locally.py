"""Collecting what a local run made: all of it, or one sentence."""

from types import SimpleNamespace

import pytest
from kfp import dsl

from components.digests import digest_of, write_digests
from components.errors import ArtifactError
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.platforms.local.run_locally import collect
from pipeline.platforms.submission import RunFailedError
from tests.components.compare.comparisons import make_comparison

DECLARED = ["comparison", "manifest", "hyperparameters"]


@pytest.fixture
def made(tmp_path):
    """Give the outputs of a finished run of one variant, in KFP's own folders, and the run's folder."""
    kfp = tmp_path / "kfp"
    (kfp / "model").mkdir(parents=True)
    for name in ("model/saved_model.pb", "predictions", "validation", "manifest", "hyperparameters"):
        (kfp / name).write_text(name)
    comparison = make_comparison({"baseline": 0.6}, seeds=(1,), posthoc=False)
    paths = {"model": "model", "predictions": "predictions", "validation_predictions": "validation"}
    place = comparison.runs[0].model_copy(update={name: str(kfp / path) for name, path in paths.items()})
    comparison.model_copy(update={"runs": [place]}).write(kfp / "comparison")
    outputs = {name: dsl.Artifact(uri=str(kfp / name)) for name in DECLARED}
    outputs["manifest"] = dsl.Dataset(uri=str(kfp / "manifest"))
    return SimpleNamespace(outputs=outputs, kfp=kfp, folder=RunFolder(tmp_path / "run"))


def test_models_predictions_and_data_lie_where_the_readme_says(made):
    comparison = collect(made.outputs, DECLARED, made.folder)
    assert list(comparison.variants) == ["baseline"]
    assert made.folder.comparison.is_file()
    assert (made.folder.models / "baseline" / "1" / "saved_model.pb").is_file()
    assert (made.folder.predictions / "baseline" / "1.parquet").read_text() == "predictions"
    assert (made.folder.validation / "baseline" / "1.parquet").read_text() == "validation"
    assert sorted(path.name for path in made.folder.data.iterdir()) == ["hyperparameters.json", "manifest.parquet"]


@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_an_output_that_a_runner_only_claims_is_named(made, damage):
    (made.kfp / "manifest").unlink() if damage == "missing" else (made.kfp / "manifest").write_text("")
    with pytest.raises(RunFailedError, match="ended without its output 'manifest': see "):
        collect(made.outputs, DECLARED, made.folder)
    assert not made.folder.comparison.exists()


def test_a_recommended_model_that_was_changed_is_not_delivered(made):
    packaged = made.kfp / "recommended"
    packaged.mkdir()
    (packaged / "saved_model.pb").write_text("graph")
    write_digests(packaged)
    made.outputs["recommended"] = dsl.Model(uri=str(packaged))
    collect(made.outputs, [*DECLARED, "recommended"], made.folder)
    assert (made.folder.recommended / "saved_model.pb").read_text() == "graph"
    (packaged / "saved_model.pb").write_text("grabh")
    with pytest.raises(ArtifactError, match="saved_model.pb was changed since"):
        collect(made.outputs, [*DECLARED, "recommended"], made.folder)
    assert (made.folder.recommended / "saved_model.pb").read_text() == "graph"


def test_a_model_that_is_none_is_named(made):
    (made.kfp / "model" / "saved_model.pb").unlink()
    with pytest.raises(RunFailedError, match="left no model for baseline, seed 1: run again"):
        collect(made.outputs, DECLARED, made.folder)


def test_models_of_an_earlier_run_in_the_folder_go(made):
    stale = made.folder.models / "old" / "1"
    stale.mkdir(parents=True)
    collect(made.outputs, DECLARED, made.folder)
    assert not stale.exists()


def test_a_copy_is_what_the_stage_made(made):
    digests = {artifact.path: digest_of(artifact.path) for artifact in made.outputs.values()}
    digests[str(made.kfp / "model")] = digest_of(made.kfp / "model")
    collect(made.outputs, DECLARED, made.folder, digests)
    (made.kfp / "model" / "saved_model.pb").write_text("saved_model.pb?")
    with pytest.raises(RunFailedError, match="'model' was changed on disk while the run went on: run the same command"):
        collect(made.outputs, DECLARED, made.folder, digests)
    assert not (made.folder.models / "baseline" / "1").exists()
