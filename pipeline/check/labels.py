"""Settings that suit the labels of a source: its classes, genders and ages."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from components.compare.settings import RecommendationSettings
from components.errors import DataError
from components.imbalance.registry import find_variant
from components.preprocess.settings import PreprocessSettings
from components.sources.face_labels import UNREAD, FaceLabels
from components.sources.source import Source, TableSource
from components.sources.table_labels import whole_age
from components.suggestion import did_you_mean

_FEWEST = 10
"""Faces below which a class is more likely a slip of the pen than something that can be learnt and tested."""
_FACES_PER_CELL = 20
"""Faces that a cell should have on average: half for the test set, half for training."""
_MOST_BINS = 10
_LARGEST_AGE = 32767
_ROUND = (1, 2, 5)
_YEARS = 80
"""The age range, in years, that the defaults of the recommendation are made for."""
_OLDEST_PERSON = 130
"""Years that nobody has reached."""


@dataclass
class Tally:
    """How often a source states each label, whatever the settings allow.

    Attributes:
        rows: Rows or files.
        genders: Rows or files by gender.
        ethnicities: Rows or files by class.
        ages: Rows or files by age; only whole numbers from 1 up.
        has_age: Rows or files with an age of any kind.
    """

    rows: int = 0
    genders: Counter[str] = field(default_factory=Counter)
    ethnicities: Counter[str] = field(default_factory=Counter)
    ages: Counter[int] = field(default_factory=Counter)
    has_age: int = 0

    def stated(self, output: str) -> int:
        """Return how many rows or files state anything for an output."""
        if output == "age":
            return self.has_age
        return (self.genders if output == "gender" else self.ethnicities).total()


def tally_labels(source: Source, section: PreprocessSettings) -> Tally:
    """Count the labels that a source states; no image is opened.

    Raises:
        RequestError: If the source does not exist or, of a table, a column.
        DataError: If it can't be read.
    """
    tally = Tally()
    for file in source.list_files(section.limits, section.synthetic):
        if file.stated is not None:
            gender, ethnicity, age = file.stated.gender, file.stated.ethnicity, whole_age(file.stated.age)
        elif isinstance(labels := source.reader.read(file, section.vocabulary), FaceLabels):
            gender, ethnicity = section.genders[labels.gender], section.ethnicities[labels.race]
            age = labels.age
        else:
            continue
        tally.rows += 1
        tally.has_age += file.stated is None or bool(file.stated.age)
        tally.genders.update([gender] if gender else [])
        tally.ethnicities.update([ethnicity] if ethnicity else [])
        tally.ages.update([age] if age else [])
    return tally


def outputs_with_columns(source: Source, section: PreprocessSettings) -> tuple[tuple[str, ...], list[str]]:
    """Return the outputs of the settings for which a source has a place, and what to know about the others.

    A column of a name that the settings give, or that is nearly there, is left for reading the table to complain about.

    Raises:
        RequestError: If a table can't be read.
        DataError: If it is damaged or too large.
    """
    if not isinstance(source, TableSource):
        return section.outputs, []
    from components.sources.table import read_columns

    source.check()
    header = read_columns(source.place, section.limits, section.table.separator)
    free = [column for column in header if column not in section.table.columns]
    absent = [
        name
        for name in UNREAD
        if name in section.outputs
        and getattr(section.table, name) == name
        and name not in header
        and not did_you_mean(name, free)
    ]
    notes = [
        f"There is no column '{name}', so the {name} is switched off; preprocess.table.{name} names another one."
        for name in absent
    ]
    return tuple(name for name in section.outputs if name not in absent), notes


def outputs_with_labels(tally: Tally, section: PreprocessSettings) -> tuple[tuple[str, ...], list[str]]:
    """Return the outputs of the settings that enough rows state, and what to know about the others."""
    lacking = {name: tally.rows - tally.stated(name) for name in UNREAD if name in section.outputs}
    most = section.max_reject_fraction * tally.rows
    absent = {name: rows for name, rows in lacking.items() if rows > most}
    notes = [
        f"{rows:,} of {tally.rows:,} rows state no {name}, so the {name} is switched off."
        for name, rows in absent.items()
    ]
    return tuple(name for name in section.outputs if name not in absent), notes


def suit_variants(variants: Sequence[str], outputs: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the variants that differ where some outputs are switched off, and what to know about the others.

    Args:
        variants: Names of the variants to train.
        outputs: Names of the outputs that there are.
    """
    kept: dict[tuple[Any, ...], str] = {}
    notes: list[str] = []
    for name in variants:
        variant = find_variant(name)
        left = variant.treating(outputs)
        recipe = (tuple(left.cures.items()), tuple(left.overrides.items()))
        if variant.cures and not left.cures:
            notes.append(f"The variant {name} treats nothing that is left, and is left out.")
        elif recipe in kept:
            notes.append(f"The variant {name} is then the same as {kept[recipe]}, and is left out.")
        else:
            kept[recipe] = name
    return list(kept.values()), notes


def suit_labels(source: Source, tally: Tally, section: PreprocessSettings) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of preprocess to change so that the labels of a source fit, and what to know about them.

    Raises:
        DataError: If there are not two genders or two classes.
    """
    changes: dict[str, Any] = {}
    notes: list[str] = []
    if source.is_table:
        changes |= _genders(source, tally, section, notes) if "gender" in section.outputs else {}
        changes |= _new_classes(tally, section)
    classes = changes.get("ethnicities", section.ethnicities)
    dropped = changes.get("drop_ethnicities", section.drop_ethnicities)
    scarce = [name for name in classes if name not in dropped and tally.ethnicities[name] < _FEWEST]
    if scarce:
        changes["drop_ethnicities"] = [*dropped, *scarce]
        counts = ", ".join(f"{name} ({tally.ethnicities[name]})" for name in scarce)
        notes.append(f"Classes with fewer than {_FEWEST} faces can't be learnt and tested, and are left out: {counts}.")
    kept = [name for name in classes if name not in changes.get("drop_ethnicities", dropped)]
    if len(kept) < 2:
        raise DataError(
            f"The source {source.name} has fewer than two classes of {_FEWEST} faces",
            remedy="add faces, or name another column with preprocess.table.ethnicity",
        )
    if any(name not in kept for name in section.undersample):
        changes["undersample"] = {}
    if "age" in section.outputs:
        changes |= _ages(source, tally, section, len(kept), notes)
    return changes, notes


def suit_recommendation(max_age: int, settings: RecommendationSettings) -> dict[str, Any]:
    """Return what an age error weighs where ages can't be years: as much as the same share of 80 years does.

    Args:
        max_age: Highest age.
        settings: The settings that are given; what differs from the defaults was chosen, and stays.
    """
    if max_age <= _OLDEST_PERSON or settings != RecommendationSettings():
        return {}
    scale = max_age / _YEARS
    margins = settings.margins
    return {
        "utility": {"age_mae": _rounded(settings.utility.model_dump()["age_mae"] / scale)},
        "margins": {
            "age_mae": _rounded(margins.age_mae * scale),
            "worst_group": {"age_mae": _rounded(margins.worst_group.age_mae * scale)},
        },
    }


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _genders(source: Source, tally: Tally, section: PreprocessSettings, notes: list[str]) -> dict[str, Any]:
    if len(tally.genders) < 2:
        found = ", ".join(tally.genders) or "none"
        raise DataError(
            f"The source {source.name} states one gender at most ({found}), but the network tells two apart",
            remedy="add faces of another, name another column with preprocess.table.gender, or take gender out of "
            "preprocess.outputs",
        )
    chosen = sorted(name for name, _ in tally.genders.most_common(2))
    others = [f"{name} ({faces})" for name, faces in tally.genders.most_common()[2:]]
    if others:
        notes.append(f"The network tells two genders apart; rows with another one are faulty: {', '.join(others)}.")
    return {} if set(chosen) == set(section.genders) else {"genders": chosen}


def _new_classes(tally: Tally, section: PreprocessSettings) -> dict[str, Any]:
    if set(tally.ethnicities) <= set(section.ethnicities):
        return {}
    return {
        "ethnicities": sorted(tally.ethnicities, key=lambda name: (-tally.ethnicities[name], name)),
        "drop_ethnicities": [],
    }


def _ages(source: Source, tally: Tally, section: PreprocessSettings, classes: int, notes: list[str]) -> dict[str, Any]:
    """Return the age range and bins to use: those of the settings where they fit."""
    ages = [age for age in tally.ages if age <= _LARGEST_AGE]
    if not ages:
        raise DataError(
            f"The source {source.name} states no age that is a whole number from 1 up",
            remedy="name another column with preprocess.table.age, round the ages up, or take age out of "
            "preprocess.outputs",
        )
    oldest, width = max(ages), section.age_bin_width
    fits = section.max_age - width < oldest and (oldest <= section.max_age or not source.is_table)
    if fits:
        return {}
    groups = classes * len(section.labels.genders)
    bins = max(2, min(_MOST_BINS, tally.ages.total() // (groups * _FACES_PER_CELL)))
    if not bins / 2 <= oldest / width <= _MOST_BINS:
        width = next(size * 10**power for power in count() for size in _ROUND if oldest <= bins * size * 10**power)
    highest = -(-oldest // width) * width
    # A slip of the pen, such as 999, would leave a bin after the other without faces.
    while highest > width and sum(tally.ages[age] for age in ages if highest - width < age <= highest) < groups:
        highest -= width
    if above := sum(tally.ages[age] for age in ages if age > highest):
        notes.append(f"So few faces are older than {highest} that no test can be made of them: {above} are left out.")
    if highest > _OLDEST_PERSON and section.age_unit == "years":
        notes.append(f"Ages up to {highest} are no years: say what they count, as in preprocess.age_unit=months.")
    changes: dict[str, Any] = {"max_age": min(highest, _LARGEST_AGE), "age_bin_width": width}
    if max(oldest, highest) > section.max_plausible_age:
        changes["max_plausible_age"] = min(max(oldest, highest), _LARGEST_AGE)
    return changes
