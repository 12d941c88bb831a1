"""From a source of image files to packed images, a manifest and the list of rejects."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.dataset.rejects import write_rejects
from components.dataset.summaries import Copies, CopyConflict, Correlation, Distributions, PreprocessSummary, Step
from components.errors import DataError
from components.files import atomic_path
from components.preprocess import selection
from components.preprocess.examination import Examined, examine_source
from components.preprocess.near_copies import group_near_copies
from components.preprocess.parts import read_parts
from components.preprocess.profiling import describe_data
from components.preprocess.reading import Reading, pack
from components.preprocess.settings import PreprocessSettings
from components.sources.source import Source, parse_source

_log = logging.getLogger(__name__)

_CONFLICTS_LISTED, _FILES_LISTED = 100, 4


def preprocess(
    source: str,
    settings: PreprocessSettings,
    images_path: str,
    manifest_path: str,
    rejects_path: str,
    summary_path: str,
    source_fingerprint: str = "",
) -> dict[str, Any]:
    """Read the source, verify and label every face, drop and undersample faces, pack the images.

    The steps: 1. read names and images, find copies; 2. drop copies; 3. drop classes; 4. drop ages above the
    limit; 5. undersample. The proof of concept limits the age after undersampling; here the limit comes first, so
    that undersampling counts only faces that can be used and leaves its floor among them. Copies come before the
    other drops, because the label of a dropped copy still reveals a conflict.

    Args:
        source: See :func:`components.sources.source.parse_source`.
        settings: The stage's settings.
        images_path: Directory of shards to write. They hold every readable face, including the dropped ones.
        manifest_path: Manifest to write, sorted by file name.
        rejects_path: Rejects to write: every file that is not in the manifest, and why.
        summary_path: JSON to write: the steps' counts, the distributions before and after, the
            correlations of the labels, the rejects by reason, the copies whose labels conflict.
        source_fingerprint: What the source's fingerprint was before the run; empty if nobody took it.

    Returns:
        ``fingerprint`` and the numbers of ``files``, ``faces``, ``faults`` and ``rejected`` files.

    Raises:
        RequestError: If the source does not exist. Nothing is written then.
        DataError: If the source is refused or damaged, has changed since the run began, has no faces or too many
            faulty files, or if a class has no face left. Nothing is written then.
    """
    outputs = images_path, manifest_path, rejects_path, summary_path, source_fingerprint
    return _prepare(examine_source(source, settings), source, settings, *outputs)


def look_through(source: str, settings: PreprocessSettings) -> tuple[Manifest, pd.DataFrame, PreprocessSummary]:
    """Do what :func:`preprocess` does, but keep no image.

    Args:
        source: As for :func:`preprocess`.
        settings: As for :func:`preprocess`.

    Returns:
        What it would write: the manifest, the rejects and the summary.

    Raises:
        RequestError: As :func:`preprocess`.
        DataError: As :func:`preprocess`.
    """
    with TemporaryDirectory() as folder:
        images, manifest, rejects, summary = (
            str(Path(folder) / name) for name in ("images", "faces", "rejects", "summary")
        )
        files = (file._replace(content=b"") for file in examine_source(source, settings))
        _prepare(files, source, settings, images, manifest, rejects, summary)
        return Manifest.read(manifest), pd.read_parquet(rejects), PreprocessSummary.read(summary)


def merge_parts(
    parts: Sequence[str],
    source: str,
    settings: PreprocessSettings,
    images_path: str,
    manifest_path: str,
    rejects_path: str,
    summary_path: str,
    source_fingerprint: str = "",
) -> dict[str, Any]:
    """Join the parts of a source, and from there on do what :func:`preprocess` does, with the same bytes as result.

    Args:
        parts: What :func:`components.preprocess.parts.read_part` wrote, all parts in any order.
        source: The source that they were read from.
        settings: As for :func:`preprocess`, like all that follows.
        images_path: Directory of shards to write.
        manifest_path: Manifest to write.
        rejects_path: Rejects to write.
        summary_path: JSON to write.
        source_fingerprint: What the source's fingerprint was before the run.

    Returns:
        As :func:`preprocess`.

    Raises:
        ArtifactError: If a part is missing or damaged, or if the parts listed different files. Nothing is written then.
        DataError: If the source has changed since the run began, has no faces or too many faulty files, or if a class
            has no face left. Nothing is written then.
    """
    outputs = images_path, manifest_path, rejects_path, summary_path, source_fingerprint
    return _prepare(read_parts(parts), source, settings, *outputs)


def _prepare(
    files: Iterable[Examined],
    source: str,
    settings: PreprocessSettings,
    images_path: str,
    manifest_path: str,
    rejects_path: str,
    summary_path: str,
    source_fingerprint: str = "",
) -> dict[str, Any]:
    """Pack and select the faces among the examined files of a source."""
    with atomic_path(images_path) as draft:
        origin = parse_source(source, settings.columns)
        reading = pack(files, origin, settings, draft)
        fingerprint = origin.identify(reading.fingerprint, settings.limits)
        origin.check_unchanged(source_fingerprint, reading.fingerprint, settings.limits)
        groups = _group_copies(reading, settings.near_copies)
        faces, removed, steps = _select(reading, origin, groups, settings)
        kept = faces.index.to_numpy()
        faces = faces.reset_index(drop=True)
        manifest = _manifest(faces, fingerprint, settings)
        _check(manifest)
    manifest.write(manifest_path)
    rejects = pd.concat([reading.rejects, removed])
    write_rejects(rejects_path, rejects)
    summary = PreprocessSummary(
        fingerprint=manifest.fingerprint,
        synthetic=source == "synthetic",
        labels_from="table" if origin.is_table else "file names",
        files=reading.files,
        faces=len(manifest),
        faults=len(reading.faults),
        rejected=len(rejects),
        steps=tuple(steps),
        rejects={str(reason): int(count) for reason, count in rejects["reason"].value_counts().items()},
        before=_distributions(
            reading.faces.rename(columns={"race": "ethnicity"}),
            settings.stated_labels,
        ),
        after=_distributions(manifest.faces, manifest.labels),
        correlation=_correlation(manifest),
        copies=_copies(faces, settings.duplicate_age_tolerance),
        profile=describe_data(reading, groups, manifest, kept, settings.stated_labels),
    )
    summary.write(summary_path)
    return summary.facts


def _select(
    reading: Reading, origin: Source, copy_groups: npt.NDArray[np.integer], settings: PreprocessSettings
) -> tuple[pd.DataFrame, pd.DataFrame, list[Step]]:
    """Apply the drops in order; return the faces that stay, those that are removed, and the counts of each step."""
    # Every drop copies what it leaves, so it is given numbers and no text.
    faces = reading.faces[["age", "gender", "race"]].assign(duplicate_group=copy_groups)
    steps = [
        _step(
            "files",
            reading.files,
            0,
            "every row of the table" if origin.is_table else "every regular file in the source",
        ),
        _step("readable", len(faces), reading.files - len(faces), f"{origin.reader.wanted} and an image that decodes"),
    ]
    removed = [pd.DataFrame({"file_name": [], "reason": [], "detail": []}, dtype=str)]
    for name, why, choose in _drops(reading, settings):
        lost = choose(faces)
        removed.append(lost.assign(file_name=reading.faces.loc[lost.index, "file_name"]))
        if len(lost):
            faces = faces.drop(index=lost.index)
        steps.append(_step(name, len(faces), len(lost), why))
    kept = reading.faces.loc[faces.index].assign(duplicate_group=faces["duplicate_group"])
    return kept, pd.concat(removed), steps


def _group_copies(reading: Reading, most_bits: int) -> npt.NDArray[np.integer]:
    """Return the group of copies of each readable face, including the faces that are dropped later.

    Two faces that are near-copies of a third stay together whether the third is used or not.
    """
    if most_bits == 0:
        return pd.factorize(reading.faces["content_hash"])[0]
    return group_near_copies(reading.hashes, most_bits)


def _drops(
    reading: Reading, settings: PreprocessSettings
) -> Iterator[tuple[str, str, Callable[[pd.DataFrame], pd.DataFrame]]]:
    """Yield the name, reason and function of each drop."""
    if settings.duplicates == "drop":
        tolerance = settings.duplicate_age_tolerance
        why = f"one copy stays, or none where {_conflict(settings)}"
        texts = reading.faces[["file_name", "content_hash"]]
        yield "duplicates", why, lambda faces: selection.copies(faces.join(texts), tolerance)
    dropped = partial(selection.dropped_classes, names=settings.drop_ethnicities, classes=settings.ethnicities)
    why = f"classes not used: {', '.join(settings.drop_ethnicities) or 'none'}"
    yield "drop_ethnicities", why, dropped
    if "age" in settings.outputs:
        yield "max_age", f"older than {settings.max_age}", partial(selection.too_old, max_age=settings.max_age)
    fractions = ", ".join(f"{fraction:.0%} of {name}" for name, fraction in settings.undersample.items()) or "nothing"
    cell = " × ".join([name for name in ("gender", "age") if name in settings.outputs]) or "class"
    cell += " bin" if "age" in settings.outputs else ""
    why = f"{fractions} removed, but no {cell} brought below {settings.floor_per_cell} faces"
    undersampled = partial(
        selection.undersampled,
        fractions=settings.undersample,
        floor_per_cell=settings.floor_per_cell,
        labels=settings.labels,
        seed=settings.seed,
        classes=settings.ethnicities,
    )
    yield "undersample", why, undersampled


def _conflict(settings: PreprocessSettings) -> str:
    """Return when the labels of copies conflict, as the end of a sentence."""
    classes = " or ".join(settings.labels.classified)
    differ = f"{classes} differ{'' if ' ' in classes else 's'}"
    if "age" not in settings.outputs:
        return differ
    return f"{differ}, or ages by more than {settings.duplicate_age_tolerance} {settings.age_unit}"


def _step(name: str, faces: int, removed: int, why: str) -> Step:
    _log.info("%s: %d removed, %d left (%s)", name, removed, faces, why)
    return Step(step=name, faces=faces, removed=removed, why=why)


def _manifest(faces: pd.DataFrame, fingerprint: str, settings: PreprocessSettings) -> Manifest:
    """Return the manifest of the selected faces."""
    labels = settings.labels
    codes = {settings.ethnicities.index(name): code for code, name in enumerate(labels.ethnicities)}
    table = faces.assign(
        duplicate_group=pd.factorize(faces["duplicate_group"])[0],
        log_age=np.log(faces["age"].astype(np.float64)),
        ethnicity=faces["race"].map(codes).astype(np.int8),
        age_bin=labels.age_bin(faces["age"].to_numpy()),
    ).drop(columns="race")
    return Manifest(table, labels, fingerprint, {"stage": "preprocess", "settings": settings.to_parameter()})


def _check(manifest: Manifest) -> None:
    if len(manifest) == 0:
        oldest = f"above {manifest.labels.max_age} {manifest.labels.age_unit} or "
        has_ages = "age" in manifest.labels.outputs
        raise DataError(
            f"No face is left because each is {oldest if has_ages else ''}of a dropped class",
            remedy=f"change {'preprocess.max_age or ' if has_ages else ''}preprocess.drop_ethnicities",
        )
    remedy = "use a source that has such faces, or, for an ethnicity, add it to preprocess.drop_ethnicities"
    manifest.require_every_class("is left", remedy)


def _distributions(faces: pd.DataFrame, labels: Labels) -> Distributions:
    classes = {
        output: dict(zip(names, np.bincount(faces[output], minlength=len(names)).tolist(), strict=True))
        for output, names in ((output, labels.names(output)) for output in labels.classified)
    }
    if "age" not in labels.outputs:
        return classes
    return classes | {"age": {str(age): int(count) for age, count in faces["age"].value_counts().sort_index().items()}}


def _copies(faces: pd.DataFrame, age_tolerance_years: int) -> Copies:
    """Count the copies among the selected faces."""
    copied = faces.loc[
        faces["duplicate_group"].duplicated(keep=False), ["content_hash", "duplicate_group", "age", "gender", "race"]
    ]
    conflicts = selection.label_conflicts(copied, "duplicate_group", age_tolerance_years)
    conflicting = conflicts[conflicts.any(axis=1)]
    members = copied.groupby("duplicate_group").indices
    counts = Copies(
        groups=len(conflicts),
        faces=len(copied),
        identical=int(copied["content_hash"].duplicated(keep=False).sum()),
        conflicting=len(conflicting),
        conflicts=tuple(
            CopyConflict(
                faces=len(members[group]),
                files=faces.loc[copied.index[members[group][:_FILES_LISTED]], "file_name"].tolist(),
                differ=differ.index[differ].tolist(),
            )
            for group, differ in conflicting.head(_CONFLICTS_LISTED).iterrows()
        ),
    )
    _log.info("copies: %(faces)d faces in %(groups)d groups, the labels of %(conflicting)d conflict", counts.to_json())
    return counts


def _correlation(manifest: Manifest) -> Correlation:
    ages = ("age", "log_age") if "age" in manifest.labels.outputs else ()
    columns = (*ages, *manifest.labels.classified)
    matrix = manifest.faces[list(columns)].astype(np.float64).corr().to_numpy()
    rounded = tuple(tuple(None if np.isnan(value) else round(float(value), 6) for value in row) for row in matrix)
    return Correlation(columns=columns, matrix=rounded)
