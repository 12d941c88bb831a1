"""A small pipeline with KFP's real local runner, run again after its artifacts were tampered with."""

import contextlib
import io
import shutil
from pathlib import Path

import kfp.local
import pytest
from kfp import dsl

from pipeline.platforms.local.executor import SubprocessExecutor
from pipeline.platforms.local.leftovers import sweep
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.platforms.local.verified_cache import VerifiedCache, cached_in


@dsl.component(base_image="test-python", install_kfp_package=False)
def preprocess(source: str, source_fingerprint: str, images: dsl.Output[dsl.Dataset]):
    from pathlib import Path

    from components.digests import seal

    Path(images.path, "inner").mkdir(parents=True)
    Path(images.path, "inner", "shard").write_text(f"{source_fingerprint}, {source}")
    seal(images)


@dsl.component(base_image="test-python", install_kfp_package=False)
def intrude(images: dsl.Input[dsl.Dataset]):
    from pathlib import Path

    Path(images.path, "inner", "shard").write_text("harm")


@dsl.component(base_image="test-python", install_kfp_package=False)
def train(images: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model]) -> float:
    from pathlib import Path

    from components.digests import require_unchanged, seal

    require_unchanged(images)
    Path(model.path).write_text(Path(images.path, "inner", "shard").read_text())
    seal(model)
    return 0.5


@dsl.pipeline
def small(source: str, source_fingerprint: str) -> dsl.Model:
    images = preprocess(source=source, source_fingerprint=source_fingerprint).outputs["images"]
    return train(images=images).outputs["model"]


@dsl.pipeline
def intruded(source: str, source_fingerprint: str) -> dsl.Model:
    images = preprocess(source=source, source_fingerprint=source_fingerprint).outputs["images"]
    return train(images=images).after(intrude(images=images)).outputs["model"]


class Runs:
    """Runs the pipeline in one folder, each run with a cache object of its own, as each command has."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder.artifacts.resolve()

    def run(self, source="faces", fingerprint="f", *, reuse=True, pipeline=small):
        """Return the model's text, the stages that ran, and what was shown."""
        shown, log = [], io.StringIO()
        self.log = log
        self.root.mkdir(parents=True, exist_ok=True)
        self.cache = VerifiedCache(self.folder.cache.resolve(), reuse=reuse, show=shown.append)
        with contextlib.redirect_stdout(log), SubprocessExecutor().runner([], []) as runner, cached_in(self.cache):
            kfp.local.init(runner, pipeline_root=str(self.root), enable_caching=True)
            model = pipeline(source=source, source_fingerprint=fingerprint).output
        stages = [stage for stage in ("preprocess", "train") if f"'{stage}'" in log.getvalue()]
        return Path(model.path).read_text(), stages, shown


@pytest.fixture
def runs(tmp_path):
    return Runs(RunFolder(tmp_path / "run"))


def only(folder, pattern):
    (path,) = folder.rglob(pattern)
    return path


def test_what_was_made_is_reused_and_what_was_changed_is_made_again(runs):
    assert runs.run() == ("f, faces", ["preprocess", "train"], [])
    # The name of the source is no part of the key, its fingerprint is.
    assert runs.run(source="faces.tar") == ("f, faces", [], [])
    only(runs.root, "model").write_text("f, face!")
    model, stages, shown = runs.run()
    assert (model, stages) == ("f, faces", ["train"])
    assert shown == ["! train: model changed on disk after it was made, so it is made again"]
    (only(runs.root, "inner") / "more").touch()
    model, stages, shown = runs.run()
    # The same images came out and took their old place, so what was trained on them stays.
    assert (model, stages) == ("f, faces", ["preprocess"])
    assert runs.run() == ("f, faces", [], [])
    (only(runs.root, "inner") / "more").touch()
    model, stages, shown = runs.run(source="other")
    assert (model, stages) == ("f, other", ["preprocess", "train"])
    assert shown == ["! preprocess: images changed on disk after it was made, so it is made again"]
    # KFP's own record, from which names, metadata and parameters are read.
    for record in runs.folder.cache.glob("*.json"):
        record.write_text(record.read_text().replace('"Output": 0.5', '"Output": 0.9'))
    assert runs.run()[1:] == (["train"], ["! train: record changed on disk after it was made, so it is made again"])
    assert runs.run()[1:] == ([], [])


def test_what_was_changed_while_the_run_goes_on_is_not_read(runs):
    runs.run()
    runs.cache.forget("train")
    # The images and their seal come from the cache.
    with pytest.raises(RuntimeError):
        runs.run(pipeline=intruded)
    assert "ArtifactError: The artifact images was changed or removed after its stage had ended" in runs.log.getvalue()
    assert runs.run() == (
        "f, faces",
        ["preprocess", "train"],
        ["! preprocess: images changed on disk after it was made, so it is made again"],
    )


def test_without_reuse_all_is_made_anew_and_is_what_the_next_run_reuses(runs):
    runs.run()
    (only(runs.root, "inner") / "more").touch()
    assert runs.run(reuse=False)[1:] == (["preprocess", "train"], [])
    assert runs.run()[1:] == ([], [])


def test_what_no_entry_refers_to_is_swept_with_the_drafts_and_nothing_else(runs):
    runs.run()
    runs.cache.forget("train")
    models = runs.folder.path / "models"
    for draft in (models / ".42.abcd_123" / "42", runs.folder.path / ".mine.folder"):
        draft.mkdir(parents=True)
    assert sweep(runs.folder, runs.cache) >= 2
    assert [path.name for path in runs.root.glob("small-*/*")] == ["preprocess"]
    assert sorted(path.name for path in runs.folder.path.iterdir()) == [".mine.folder", ".pipeline", "models"]
    assert not list(models.iterdir())
    assert runs.run()[1] == ["train"]


def test_a_folder_that_was_copied_does_not_lean_on_the_first(runs, tmp_path):
    runs.run()
    shutil.copytree(runs.folder.path, tmp_path / "copy")
    copy = Runs(RunFolder(tmp_path / "copy"))
    assert copy.run()[1:] == (["preprocess", "train"], [])
