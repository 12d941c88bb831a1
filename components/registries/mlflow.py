"""MLflow's model registry: versions of a registered model, and its alias ``champion``."""

import json
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.digests import verify_digests
from components.errors import ArtifactError
from components.mlflow_server import connect, explained, find_experiment, is_missing
from components.registries.contract import PromotionRecord
from components.registries.registry import CHAMPION, LostRaceError, Version

RECORD_FILE = "promotion.json"
"""The decision, as an artifact of its run."""

_MODEL = "model"
_AGAIN_SECONDS = 0.2
_SETTLE_SECONDS = 2
_TURN = "evenface.turn"
"""Tag of the registered model: the decision that changes, or last changed, the champion."""


class MlflowRegistry:
    """A registered model on an MLflow server.

    Each version has a run of its own, which holds its files; each decision has one, which holds its record. Both are in
    the experiment ``NAME/promotions``.

    MLflow can't change an alias on a condition. A promotion therefore writes its name into a tag, looks whether it is
    still there and the champion still the expected one, moves the alias, and looks again: of two at a time at most one
    is told that it won, but the alias may have moved twice.

    Args:
        uri: Address of the server.
        name: Name of the registered model.
    """

    def __init__(self, uri: str, name: str) -> None:
        self.place = f"{uri}, model {name}"
        self._uri = uri
        self._name = name
        self._client = connect(uri)

    def champion(self) -> Version | None:
        """Return the version with the alias."""
        model = self._model()
        number = None if model is None else dict(model.aliases).get(CHAMPION)
        if number is None:
            return None
        return Version(str(number), dict(model.tags).get(_TURN))

    def versions(self) -> list[str]:
        """Return the versions whose files are complete: MLflow lists no other."""
        with explained(self._uri):
            found = self._all(self._client.search_model_versions, filter_string=f"name = '{self._name}'")
        return sorted((str(each.version) for each in found), key=int)

    def fetch(self, version: str, folder: Path) -> None:
        """Download a version's files and verify them."""
        import mlflow.artifacts
        from mlflow.exceptions import MlflowException

        with explained(self._uri):
            try:
                source = self._client.get_model_version(self._name, version).source
            except MlflowException as error:
                if not is_missing(error) and getattr(error, "error_code", "") != "INVALID_PARAMETER_VALUE":
                    raise
                known = ", ".join(self.versions()) or "none"
                raise ArtifactError(
                    f"{self.place} has no version {version}", remedy=f"choose one of those it has: {known}"
                ) from None
            with tempfile.TemporaryDirectory(dir=folder.parent) as holder:
                found = mlflow.artifacts.download_artifacts(
                    artifact_uri=source, dst_path=holder, tracking_uri=self._uri
                )
                Path(found).replace(folder)
        verify_digests(folder)

    def add(self, folder: Path, record: PromotionRecord) -> str:
        """Upload the folder into a run and register it."""
        from mlflow.exceptions import MlflowException

        facts = record.challenger.model_dump(exclude_none=True) if record.challenger else {}
        tags = {f"evenface.{key}": str(value) for key, value in facts.items()} | {"evenface.decision": record.id}
        with explained(self._uri):
            run = self._start(f"version of {record.id}", "version", tags)
            self._client.log_artifacts(run.info.run_id, str(folder), _MODEL)
            self._client.set_terminated(run.info.run_id)
            if self._model() is None:
                # Another promotion may create it at the same time.
                with suppress(MlflowException):
                    self._client.create_registered_model(self._name)
            source = f"{run.info.artifact_uri}/{_MODEL}"
            made = self._client.create_model_version(self._name, source, run.info.run_id, tags=tags)
        return str(made.version)

    def switch(self, record: PromotionRecord, expected: Version | None) -> None:
        """Move the alias if the champion is still the expected one, and see that it stays."""
        with explained(self._uri):
            self._check(record, expected)
            self._take_turn(record)
            self._check(record, Version(expected.number if expected else "", record.id))
            self._client.set_registered_model_alias(self._name, CHAMPION, str(record.version))
            try:
                self._check(record, Version(str(record.version), record.id))
            except LostRaceError:
                # The other one either moves the alias at once or has seen that it was moved, and gives up.
                time.sleep(_SETTLE_SECONDS)
                champion = self.champion()
                if champion is None or champion.number != record.version:
                    raise
        self.keep(record)

    def _take_turn(self, record: PromotionRecord) -> None:
        """Write the promotion's name into the tag, in place of any other's."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.set_registered_model_tag(self._name, _TURN, record.id)
        except MlflowException:
            # Two that create the tag at the same moment: the server's database refuses the second, once.
            time.sleep(_AGAIN_SECONDS)
            self._client.set_registered_model_tag(self._name, _TURN, record.id)

    def _check(self, record: PromotionRecord, expected: Version | None) -> None:
        model = self._model()
        number = dict(model.aliases).get(CHAMPION) if model is not None else None
        turn = dict(model.tags).get(_TURN) if model is not None else None
        # While there is no champion, a promotion that died may have left its tag.
        wanted = (None, turn) if expected is None else (expected.number or None, expected.token)
        if (None if number is None else str(number), turn) != wanted:
            raise LostRaceError(record.version, None if number is None else str(number))

    def keep(self, record: PromotionRecord) -> None:
        """Log a run with the record."""
        facts = {"evenface.decision": record.decision, "evenface.case": record.case, "evenface.id": record.id}
        with explained(self._uri):
            run = self._start(f"{record.decision} {record.id}", "promotion", facts)
            content = json.dumps(record.to_json(), indent=2, ensure_ascii=False)
            self._client.log_text(run.info.run_id, content, RECORD_FILE)
            self._client.set_terminated(run.info.run_id)

    def history(self) -> list[PromotionRecord]:
        """Return the records of all runs."""
        with explained(self._uri):
            experiment = find_experiment(self._client, f"{self._name}/promotions")
            query = "tags.`evenface.kind` = 'promotion' and attributes.status = 'FINISHED'"
            runs = self._all(self._client.search_runs, experiment_ids=[experiment], filter_string=query)
            texts = [self._text(run.info.run_id) for run in runs]
        records = [PromotionRecord.parse(json.loads(text), self.place) for text in texts]
        return sorted(records, key=lambda record: record.id)

    def _text(self, run_id: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(run_id, RECORD_FILE, folder)).read_text(encoding="utf-8")

    def _start(self, name: str, kind: str, tags: dict[str, str]) -> Any:
        experiment = find_experiment(self._client, f"{self._name}/promotions")
        return self._client.create_run(experiment, run_name=name, tags={"evenface.kind": kind, **tags})

    def _model(self) -> Any:
        from mlflow.exceptions import MlflowException

        with explained(self._uri):
            try:
                return self._client.get_registered_model(self._name)
            except MlflowException as error:
                if is_missing(error):
                    return None
                raise

    @staticmethod
    def _all(search: Any, **query: Any) -> list[Any]:
        found, token = [], None
        while True:
            page = search(**query, page_token=token)
            found += page
            token = page.token
            if not token:
                return found
