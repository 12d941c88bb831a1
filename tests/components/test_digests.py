"""Digests: what was changed, lost or added since is named, and no stage reads it."""

import ast
import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
from kfp.dsl.executor import Executor

import components
from components.digests import digest_of, require_unchanged, verify_digests, write_digests
from components.errors import ArtifactError
from components.model.settings import Hyperparameters
from components.training.search import SearchResult
from components.tune.component import gather_hyperparameters

STAGES = {
    node.name: node
    for file in Path(components.__file__).parent.glob("*/component.py")
    for node in ast.parse(file.read_text()).body
    if isinstance(node, ast.FunctionDef)
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "data").write_bytes(b"weights")
    return tmp_path


def test_they_are_the_sha256_of_every_other_file_and_can_be_written_again(folder):
    digests = write_digests(folder)
    assert digests == {
        "saved_model.pb": hashlib.sha256(b"graph").hexdigest(),
        "variables/data": hashlib.sha256(b"weights").hexdigest(),
    }
    assert verify_digests(folder) == write_digests(folder) == digests


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda folder: (folder / "saved_model.pb").write_bytes(b"grabh"), "saved_model.pb was changed since"),
        (lambda folder: (folder / "variables" / "data").unlink(), "variables/data is missing since"),
        (lambda folder: (folder / "assets").write_bytes(b""), "assets was added since"),
        (lambda folder: (folder / "digests.json").unlink(), "digests.json does not exist"),
        (lambda folder: (folder / "digests.json").write_text("[1]"), "digests.json holds no digests"),
    ],
)
def test_what_no_longer_matches_is_named(folder, harm, sentence):
    write_digests(folder)
    harm(folder)
    with pytest.raises(ArtifactError, match=sentence):
        verify_digests(folder)


def test_a_file_has_its_sha256_and_a_folder_that_of_the_listing_that_sha256sum_prints(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"second")
    (tmp_path / "a").write_bytes(b"first")
    assert digest_of(tmp_path / "a") == hashlib.sha256(b"first").hexdigest()
    listing = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in (("a", b"first"), ("b/c", b"second"))
    )
    assert digest_of(tmp_path) == hashlib.sha256(listing.encode()).hexdigest()


def test_every_byte_and_every_name_counts(tmp_path):
    (tmp_path / "a").write_bytes(b"first")
    before = digest_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert digest_of(tmp_path) != before
    (tmp_path / "b").rename(tmp_path / "a")
    assert digest_of(tmp_path) == before
    (tmp_path / "a").write_bytes(b"First")
    assert digest_of(tmp_path) != before
    with pytest.raises(FileNotFoundError):
        digest_of(tmp_path / "missing")


class Gathering:
    """The fan-in of two searches, called as KFP calls it on every platform, with and without seals of its inputs."""

    def __init__(self, folder):
        self.folder = folder
        for variant in ("baseline", "ins"):
            SearchResult(variant=variant, values=Hyperparameters(), source="a test", trials=0).write(
                self.search(variant)
            )
            pd.DataFrame({"trial": ["1"]}).to_parquet(self.table(variant))
        self.seals = {path: {"sha256": digest_of(path)} for path in folder.iterdir()}

    def search(self, variant):
        return self.folder / f"{variant}.json"

    def table(self, variant):
        return self.folder / f"{variant}.parquet"

    def run(self):
        """Return what the platform is told of each output: its metadata."""

        def listed(*paths):
            return {"artifacts": [{"uri": str(path), "metadata": self.seals.get(path, {})} for path in paths]}

        variants, told = ("baseline", "ins"), self.folder / "out" / "told.json"
        given = {
            "inputs": {
                "artifacts": {
                    "searches": listed(*map(self.search, variants)),
                    "tables": listed(*map(self.table, variants)),
                }
            },
            "outputs": {
                "artifacts": {name: listed(told.with_name(name)) for name in ("hyperparameters", "trials")},
                "outputFile": str(told),
            },
        }
        Executor(given, gather_hyperparameters).execute()
        outputs = json.loads(told.read_text())["artifacts"]
        return {name: output["artifacts"][0]["metadata"] for name, output in outputs.items()}


def test_what_a_stage_made_is_sealed_and_what_was_changed_since_is_not_read(tmp_path):
    gathering = Gathering(tmp_path)
    made = gathering.run()
    assert made == {name: {"sha256": digest_of(tmp_path / "out" / name)} for name in ("hyperparameters", "trials")}
    pd.DataFrame({"trial": ["2"]}).to_parquet(gathering.table("ins"))
    sentence = (
        "The artifact ins.parquet was changed or removed after its stage had ended: restore it, or make it again "
        "with --set platform.caching=false (on one machine: run again)."
    )
    with pytest.raises(ArtifactError) as failure:
        gathering.run()
    assert str(failure.value) == sentence
    gathering.seals.clear()
    assert gathering.run()["hyperparameters"] == made["hyperparameters"]


def test_an_artifact_that_is_gone_is_named_and_one_that_can_not_be_read_is_no_change(tmp_path):
    class Sealed:
        path, metadata = str(tmp_path / "images"), {"sha256": digest_of(tmp_path)}

    with pytest.raises(ArtifactError, match="^The artifact images was changed or removed"):
        require_unchanged(Sealed)
    (tmp_path / "images").symlink_to(tmp_path / "images")
    with pytest.raises(OSError, match="symbolic links"):
        require_unchanged(Sealed)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_requires_its_inputs_unchanged_before_it_works_and_seals_its_outputs_at_the_end(stage):
    *body, last = [statement for statement in STAGES[stage].body if not _prepares(statement)]
    required = [name for statement in [*body, last] for name in _arguments(statement, "require_unchanged")]
    assert sorted(required) == sorted(_declared(stage, "Input"))
    assert not required or _arguments(body[0], "require_unchanged"), "the inputs are required after the work"
    # What the user interfaces draw is metadata, which no bucket holds.
    drawn = {"Metrics", "ClassificationMetrics"}
    assert sorted(_arguments(last, "seal")) == sorted(_declared(stage, "Output", but=drawn))


def _prepares(statement):
    """Say whether a statement imports, documents or opens the log."""
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.With) or (
        isinstance(statement, ast.Expr)
        and (isinstance(statement.value, ast.Constant) or ast.unparse(statement) == "log_to_console()")
    )


def _arguments(statement, function):
    """Return the names that a statement, if it calls the function, calls it with."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return []
    call = statement.value
    return [ast.unparse(argument).lstrip("*") for argument in call.args] if ast.unparse(call.func) == function else []


def _declared(stage, kind, but=frozenset()):
    """Return the names of a stage's artifacts of a kind, Input or Output, that are of no type in `but`."""
    return [
        argument.arg
        for argument in STAGES[stage].args.args
        if isinstance(argument.annotation, ast.Subscript)
        and ast.unparse(argument.annotation.value) == kind
        and ast.unparse(argument.annotation.slice) not in but
    ]
