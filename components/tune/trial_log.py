"""What happened in every trial of a search: one JSON file per trial, from which the table of trials is made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TrialLog:
    """The epochs of the trials, kept with the search, so that a resumed search has them all.

    Attributes:
        directory: Local directory of the search.
    """

    directory: Path

    def write(self, trial: int, rows: Sequence[Row]) -> None:
        """Keep the epochs of a trial so far, in place of those kept before."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self._path(trial)
        # Another process may read it at any moment.
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(rows), encoding="utf-8")
        draft.replace(path)

    def rows(self, trial: int) -> list[Row]:
        """Return the epochs of a trial so far; none of one that has not begun."""
        path = self._path(trial)
        return [*_read(path)] if path.exists() else []

    def fail(self, trial: int, values: Row, reason: str) -> None:
        """Keep why a trial failed; one that did so before its first epoch gets a row with epoch 0."""
        rows = self.rows(trial) or [{"trial": str(trial), "epoch": 0, **values}]
        self.write(trial, [{**row, "reason": reason} for row in rows])

    def read(self) -> pd.DataFrame:
        """Return the table of trials, one row per trial and epoch.

        Returns:
            Columns ``trial`` and ``epoch`` (both from 1), ``status`` (``completed`` or ``failed``), ``reason`` (of
            a failure), the trial's hyperparameters and its logs. A trial that failed before its first epoch
            has one row, with epoch 0.
        """
        paths = sorted(self.directory.glob("*.json"), key=lambda path: int(path.stem))
        rows = [row for path in paths for row in _read(path)]
        if not rows:
            return no_trials()
        table = pd.DataFrame(rows)
        reasons = table.pop("reason") if "reason" in table else pd.Series(None, index=table.index)
        table.insert(2, "status", ["completed" if missing else "failed" for missing in reasons.isna()])
        table.insert(3, "reason", reasons.astype("str"))
        return table

    def _path(self, trial: int) -> Path:
        return self.directory / f"{trial}.json"


def no_trials() -> pd.DataFrame:
    """Return the table of a search that had no trials."""
    return pd.DataFrame({"trial": pd.Series(dtype="str"), "epoch": pd.Series(dtype="int64")})


def _read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return rows
