"""What each registry keeps, and what becomes of it when a request or a process dies."""

import grpc
import pytest

from components.errors import ArtifactError, RequestError
from components.promote.promote import promote, rollback
from components.registries.registry import RegistryError, check_place, open_registry
from components.registries.settings import VertexRegistrySettings
from tests.components.promote.challengers import GOOD, MIDDLING, make_challenger, score, settings


@pytest.fixture
def challenge(tmp_path):
    def decide(registry, name="one", **skill):
        return promote(registry, make_challenger(tmp_path / name, name, **skill), score, settings())

    return decide


@pytest.mark.parametrize("place", ["s3://models", "vertex://faces", "mlflow+ftp://host", "https://host", "gs:///x"])
def test_a_place_that_names_no_registry_is_refused_before_anything_runs(place):
    with pytest.raises(RequestError):
        open_registry(place, "evenface", VertexRegistrySettings())


def test_credentials_are_neither_taken_in_an_address_nor_sent_in_the_clear(monkeypatch):
    with pytest.raises(RequestError, match=r"holds credentials: set MLFLOW_TRACKING_TOKEN") as told:
        check_place("mlflow+https://me:secret@tracking.example")
    assert "secret" not in str(told.value)
    check_place("mlflow+http://tracking.example")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    with pytest.raises(RequestError, match="would be sent to tracking.example over plain HTTP: write https://"):
        check_place("mlflow+http://tracking.example")
    check_place("mlflow+http://127.0.0.1:5000")
    check_place("mlflow+https://tracking.example")


def test_an_answer_that_is_lost_is_no_lost_race(place_of, object_store, challenge):
    registry = open_registry(*place_of("bucket"))
    challenge(registry, "one", **MIDDLING)
    object_store.losing = 1  # That of the claim of version 2, which is carried out.
    refused = object_store.refused
    assert challenge(registry, "two", **GOOD).version == "2"
    assert object_store.refused > refused, "the request was not repeated"
    object_store.losing, expected = 1, registry.champion()
    record = registry.history()[-1].model_copy(update={"id": "9"})
    registry.switch(record, expected)
    assert registry.champion().token != expected.token


def test_a_version_that_was_not_copied_to_its_end_is_none(place_of, challenge, tmp_path, object_store):
    from google.cloud import storage

    place, *rest = place_of("bucket")
    registry = open_registry(place, *rest)
    challenge(registry, "one", **MIDDLING)
    prefix = place.removeprefix("gs://models/")
    bucket = storage.Client(project="test").bucket("models")
    bucket.blob(f"{prefix}/claims/2").upload_from_string("{}")
    bucket.blob(f"{prefix}/versions/2/variables/skill.json").upload_from_string("{}")
    assert registry.versions() == ["1"]
    with pytest.raises(ArtifactError):
        registry.fetch("2", tmp_path / "fetched")
    assert challenge(registry, "two", **GOOD).version == "3"


def test_a_bucket_that_does_not_exist_is_named(place_of):
    place_of("bucket")
    registry = open_registry("gs://no-such-bucket/models", "evenface", VertexRegistrySettings())
    with pytest.raises(RegistryError, match="gs://no-such-bucket/models does not exist: check the name"):
        registry.keep(record_of())


def record_of():
    from components.registries.contract import PromotionRecord

    facts = {"decision": "refused", "case": "worse", "reason": "It is.", "version": None, "previous": None}
    return PromotionRecord(id="1", time="now", who="me@here", **facts)


def test_vertex_ai_knows_every_version_and_its_alias_follows_the_champion(place_of, vertex, challenge):
    place, name, options = place_of("vertex")
    registry = open_registry(place, name, options)
    challenge(registry, "one", **MIDDLING)
    challenge(registry, "two", **GOOD)
    first, second = vertex.models[f"projects/faces/locations/europe-west4/models/{name}"]
    assert second.artifact_uri == f"{options.artifacts}/versions/2"
    assert dict(second.labels) == {"evenface-row": "ins", "evenface-variant": "ins", "evenface-seed": "1"}
    assert (set(first.version_aliases), set(second.version_aliases)) == (
        {"default", "evenface-1"},
        {"evenface-2", "champion"},
    )
    rollback(registry)
    assert "champion" in first.version_aliases


def test_an_alias_that_could_not_be_moved_is_told_and_mended(place_of, vertex, challenge):
    registry = open_registry(*place_of("vertex"))
    challenge(registry, "one", **MIDDLING)
    vertex.order("MergeVersionAliases", grpc.StatusCode.PERMISSION_DENIED, "models.update denied")
    with pytest.raises(RegistryError, match="does not let you move the alias champion to version 2, which is the cham"):
        challenge(registry, "two", **GOOD)
    assert (registry.champion().number, registry.alias()) == ("2", "1")
    rollback(registry, "2")
    assert (registry.champion().number, registry.alias()) == ("2", "2")


def test_vertex_ai_needs_a_bucket():
    with pytest.raises(RequestError, match=r"none is set: set promotion.vertex.artifacts to gs://BUCKET/FOLDER"):
        open_registry("vertex://faces/europe-west4", "evenface", VertexRegistrySettings())
