"""Folders of abstract pictures named like UTKFace files, and a preprocess that knows where to write."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from components.dataset.manifest import Manifest
from components.files import read_json
from components.preprocess.preprocess import preprocess
from components.preprocess.settings import PreprocessSettings
from tests.components.pictures import encode_picture


@pytest.fixture
def source(tmp_path):
    """Give a folder with 2 faces in each gender x class x ten-year bin up to 90: 180 files."""
    folder = tmp_path / "UTKFace"
    folder.mkdir()
    for seed, (gender, race, age, copy) in enumerate(itertools.product(range(2), range(5), range(5, 95, 10), range(2))):
        (folder / f"{age}_{gender}_{race}_{copy}.jpg.chip.jpg").write_bytes(encode_picture(seed))
    return folder


@dataclass(frozen=True)
class Outcome:
    folder: Path
    facts: dict

    @property
    def manifest(self):
        return Manifest.read(self.folder / "manifest")

    @property
    def rejects(self):
        return pd.read_parquet(self.folder / "rejects")

    @property
    def summary(self):
        return read_json(self.folder / "summary")

    @property
    def reasons(self):
        return dict(zip(self.rejects["file_name"], self.rejects["reason"], strict=True))


@pytest.fixture
def run(tmp_path):
    """Give preprocess as a function of the source and the settings that matter."""
    numbers = itertools.count()

    def run_preprocess(source, source_fingerprint="", **settings):
        output = run_preprocess.latest = tmp_path / f"output-{next(numbers)}"
        section = PreprocessSettings(**{"undersample": {}, "max_reject_fraction": 1.0} | settings)
        paths = (str(output / name) for name in ("images", "manifest", "rejects", "summary"))
        return Outcome(output, preprocess(str(source), section, *paths, source_fingerprint))

    return run_preprocess
