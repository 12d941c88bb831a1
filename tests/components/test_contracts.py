"""The published JSON Schemas: they are those of the code, and a real run's files keep to them."""

import json
from pathlib import Path

import jsonschema
import pytest

import components
from components.compare.contract import Comparison
from components.recommend.contract import RecommendedModel
from components.registries.contract import PromotionRecord
from components.training.record import TrainingRecord

FOLDER = Path(components.__file__).parent
PUBLISHED = [
    (Comparison, FOLDER / "compare" / "comparison.schema.json"),
    (TrainingRecord, FOLDER / "training" / "variant.schema.json"),
    (RecommendedModel, FOLDER / "recommend" / "recommended.schema.json"),
    (PromotionRecord, FOLDER / "registries" / "promotion.schema.json"),
]


@pytest.mark.parametrize(("contract", "path"), PUBLISHED)
def test_the_published_schema_is_that_of_the_code(contract, path):
    assert json.loads(path.read_text()) == contract.model_json_schema(), f"write {path.name} anew with `make schemas`"


@pytest.mark.parametrize(("contract", "path"), PUBLISHED)
def test_a_schema_refuses_what_the_contract_does_not_know(contract, path):
    schema = json.loads(path.read_text())
    assert schema["additionalProperties"] is False
    with pytest.raises(jsonschema.ValidationError, match="unknown"):
        jsonschema.validate({"unknown": 1}, schema)


def test_the_files_of_a_real_run_keep_to_the_schemas(demo_run):
    schemas = {path.name: json.loads(path.read_text()) for _, path in PUBLISHED}
    jsonschema.validate(json.loads(demo_run.folder.comparison.read_text()), schemas["comparison.schema.json"])
    packaged = demo_run.folder.recommended / "recommended.json"
    jsonschema.validate(json.loads(packaged.read_text()), schemas["recommended.schema.json"])
    records = sorted(demo_run.folder.models.rglob("variant.json"))
    assert len(records) == 4
    for record in records:
        jsonschema.validate(json.loads(record.read_text()), schemas["variant.schema.json"])
