from pathlib import Path

import pytest

from components.dataset.summaries import PreprocessSummary, TestSetSummary
from components.errors import ArtifactError
from components.files import read_json, write_json


@pytest.mark.parametrize(("kind", "artifact"), [(PreprocessSummary, "summary"), (TestSetSummary, "test_summary")])
def test_a_summary_survives_reading_and_writing_and_refuses_other_keys(small_data, tmp_path, kind, artifact):
    path, original = tmp_path / "summary", Path(getattr(small_data, artifact))
    kind.read(original).write(path)
    assert path.read_bytes() == original.read_bytes()
    write_json(path, read_json(path) | {"colour": "red"})
    with pytest.raises(ArtifactError, match=r"\(colour: Extra inputs are not permitted\): rerun the stage"):
        kind.read(path)
