"""The profile of a data set, from what preprocess knows about it."""

import numpy as np
import numpy.typing as npt

from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.dataset.profile import STATISTICS, Histogram, Profile
from components.dataset.reasons import Reason
from components.preprocess.reading import Reading

_UNKNOWN_CODES = {"gender": Reason.UNKNOWN_GENDER, "ethnicity": Reason.UNKNOWN_RACE}


def describe_data(
    reading: Reading,
    copy_groups: npt.NDArray[np.integer],
    manifest: Manifest,
    kept: npt.NDArray[np.int64],
    stated: Labels,
) -> Profile:
    """Return the profile of a data set.

    Args:
        reading: Everything that the source held.
        copy_groups: Group of copies of each readable face.
        manifest: The faces that are used.
        kept: Row in ``reading`` of each of those.
        stated: What the codes in ``reading`` mean.
    """
    source_classes = {}
    for output in stated.classified:
        codes = reading.faces["race" if output == "ethnicity" else output]
        source_classes[output] = _count(codes, stated.names(output))
        source_classes[output]["unknown"] = int((reading.faults["reason"] == _UNKNOWN_CODES[output]).sum())
    labels, faces = manifest.labels, manifest.faces
    cells = manifest.cell_counts().tolist()
    return Profile(
        fingerprint=manifest.fingerprint,
        labels=labels,
        candidates=len(reading.faces) + len(reading.faults),
        faults=len(reading.faults),
        copies=len(reading.faces) - len(np.unique(copy_groups)),
        source_classes=source_classes,
        classes={output: _count(faces[output], labels.names(output)) for output in labels.classified},
        ages=Histogram.of(faces["age"].to_numpy(), np.arange(1.0, labels.max_age + 2)),
        cells={labels.cell_name(cell): count for cell, count in enumerate(cells) if count},
        images={name: Histogram.of(reading.statistics[name][kept], edges) for name, edges in STATISTICS.items()},
    )


def _count(codes: npt.ArrayLike, names: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(names, np.bincount(np.asarray(codes), minlength=len(names)).tolist(), strict=True))
