"""What a look at a source finds: everything that preprocess and the test set would do, and the settings to use."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.build_test_set.build_test_set import draw_test_set
from components.build_test_set.settings import BuildTestSetSettings
from components.dataset.manifest import Manifest
from components.dataset.reasons import CANDIDATES, FAULTS
from components.dataset.summaries import PreprocessSummary
from components.preprocess.preprocess import look_through
from components.preprocess.settings import PreprocessSettings
from components.sources.source import Source, parse_source
from pipeline.check.labels import (
    outputs_with_columns,
    outputs_with_labels,
    suit_labels,
    suit_recommendation,
    suit_variants,
    tally_labels,
)
from pipeline.settings import Settings

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Findings:
    """What a source holds, and how it would be used.

    Attributes:
        manifest: The faces that would be used.
        rejects: Every other file or row, and why.
        summary: What preprocess would count.
        drawable: Faces of each cell that may be drawn for the test set, shape ``[cells]``.
        taken: Faces of each cell that would be drawn, shape ``[cells]``.
        test_set: Settings of the test set to use.
        changes: Settings to use that differ from those given, by section.
        notes: What to know about them.
        stated: Rows of a table that state each output; empty for another source.
    """

    manifest: Manifest
    rejects: pd.DataFrame
    summary: PreprocessSummary
    drawable: Counts
    taken: Counts
    test_set: BuildTestSetSettings
    changes: dict[str, Any]
    notes: list[str]
    stated: dict[str, int]

    @property
    def faults(self) -> pd.DataFrame:
        """The files or rows that are themselves faulty."""
        return self.rejects[self.rejects["reason"].isin(FAULTS)]

    @property
    def fault_share(self) -> float:
        """Share of the faults among all that could have been faces."""
        candidates = len(self.manifest) + int(self.rejects["reason"].isin(CANDIDATES).sum())
        return len(self.faults) / max(1, candidates)

    @property
    def short_cells(self) -> list[str]:
        """The cells that would give the test set fewer faces than the others, and what they hold, the rarest first."""
        short = np.flatnonzero(self.taken < self.test_set.faces_per_cell)
        ordered = short[np.argsort(self.drawable[short], kind="stable")]
        return [f"{self.manifest.labels.cell_name(int(cell))}: {self.drawable[cell]}" for cell in ordered]


def check_source(source: Source, settings: Settings) -> Findings:
    """Read a source as a run would, but keep no image.

    Raises:
        RequestError: If the source does not exist or, of a table, a column.
        DataError: If it can't be read, or no settings would make it fit.
    """
    section, notes = _with_outputs(settings.preprocess, *outputs_with_columns(source, settings.preprocess))
    source = parse_source(source.name, section.columns)
    tally = tally_labels(source, section)
    section, lacking = _with_outputs(section, *outputs_with_labels(tally, section))
    changed, about_labels = suit_labels(source, tally, section)
    notes += [*lacking, *about_labels]
    if section.outputs != settings.preprocess.outputs:
        changed = {"outputs": list(section.outputs)} | changed
    section = PreprocessSettings.model_validate(section.model_dump() | changed)
    # How many faults are too many is for the user to see here, not a reason to stop.
    manifest, rejects, summary = look_through(source.name, section.model_copy(update={"max_reject_fraction": 1.0}))
    most = settings.build_test_set.model_copy(update={"faces_per_cell": len(manifest), "training_reserve": 0})
    drawable = draw_test_set(manifest, most).drawable
    suited = suit_test_set(drawable, settings.build_test_set)
    test_set = settings.build_test_set.model_copy(update=suited)
    has_age = "age" in section.outputs
    weighed = suit_recommendation(section.max_age, settings.compare.recommendation) if has_age else {}
    variants, about_variants = suit_variants(settings.variants, section.outputs)
    sections: dict[str, Any] = {
        "preprocess": changed,
        "build_test_set": suited,
        "compare": {"recommendation": weighed} if weighed else {},
    }
    changes = {name: values for name, values in sections.items() if values}
    if section.outputs != settings.preprocess.outputs and about_variants:
        changes["variants"] = variants
        notes += about_variants
    taken = draw_test_set(manifest, test_set).taken
    stated = {name: tally.stated(name) for name in settings.preprocess.outputs} if source.is_table else {}
    return Findings(manifest, rejects, summary, drawable, taken, test_set, changes, notes, stated)


def _with_outputs(
    section: PreprocessSettings, outputs: tuple[str, ...], notes: list[str]
) -> tuple[PreprocessSettings, list[str]]:
    return section.model_copy(update={"outputs": outputs}), notes


def suit_test_set(drawable: Counts, settings: BuildTestSetSettings) -> dict[str, Any]:
    """Return the settings of the test set to change so that it can be filled and something is left for training.

    Half of the rarest cell may be drawn, or, where that has no two faces, half of a cell of middling size.

    Args:
        drawable: Faces of each cell that may be drawn, shape ``[cells]``.
        settings: The settings that are given.
    """
    wanted, reserve = settings.faces_per_cell, settings.training_reserve
    rarest, middling = int(drawable.min()), int(np.median(drawable))
    if rarest >= wanted + reserve or (settings.allow_shortfall and middling >= wanted + reserve):
        return {}
    if rarest >= 2 and not settings.allow_shortfall:
        suited = {"faces_per_cell": min(wanted, rarest // 2), "training_reserve": min(reserve, rarest - rarest // 2)}
    else:
        half = max(1, middling // 2)
        suited = {
            "faces_per_cell": min(wanted, half),
            "training_reserve": min(max(reserve, 1), half),
            "allow_shortfall": True,
        }
    return {key: value for key, value in suited.items() if value != getattr(settings, key)}
