"""The profile of a data set: what another one is compared with when the data itself is no longer at hand."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from components.contract import Contract
from components.dataset.labels import Labels

PROFILE_FILE = "data_profile.json"
"""The profile of the data that a model was made from, in the model's folder."""

STATISTICS: dict[str, npt.NDArray[np.float64]] = {
    "brightness": np.linspace(0, 256, 65),
    "sharpness": np.geomspace(0.5, 512, 61),
    "side": np.geomspace(16, 16384, 81),
    "bits_per_pixel": np.geomspace(1 / 64, 64, 73),
}
"""Ends of the bins in which each statistic of a picture is counted; what lies outside is counted in two more bins.

``brightness`` is the mean of the grey picture of 32 × 32 pixels that the perceptual hash is taken from, 0 to 255;
``sharpness`` the standard deviation of that picture's Laplacian, which is small for a blurred picture (Pech-Pacheco et
al. 2000, "Diatom autofocusing in brightfield microscopy"); ``side`` the root of width times height, in pixels;
``bits_per_pixel`` the size of the file, which falls with compression and with lost detail.
"""


class Histogram(Contract):
    """How often values fall into bins."""

    edges: tuple[float, ...]
    """Ends of the bins, ascending."""
    counts: tuple[int, ...]
    """Values below the first end, between each two, and from the last end on: one more than there are ends."""
    mean: float
    """Mean of the values."""

    @classmethod
    def of(cls, values: npt.NDArray[Any], edges: npt.NDArray[np.float64]) -> "Histogram":
        """Count values, shape ``[faces]``, into the bins between ascending ends."""
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        ends = tuple(float(f"{edge:.6g}") for edge in edges)
        return cls(edges=ends, counts=tuple(counts.tolist()), mean=round(float(values.mean(dtype=np.float64)), 6))


class Profile(Contract):
    """What a data set looks like: counts alone, from which nothing of a single face can be told."""

    schema_version: Literal[1] = 1
    fingerprint: str
    """Identity of the data set."""
    labels: Labels
    """Names of the classes and age bins."""
    candidates: int
    """Files of the source that could have been faces: readable ones and faulty ones."""
    faults: int
    """Of those, the faulty ones."""
    copies: int
    """Of the readable ones, those of which the source holds another copy before them."""
    source_classes: dict[str, dict[str, int]]
    """Readable faces by class of each classified output, before any was dropped; ``unknown`` has a code that UTKFace
    does not have."""
    classes: dict[str, dict[str, int]]
    """Faces that are used, by class of each classified output."""
    ages: Histogram
    """Faces that are used, by age in years."""
    cells: dict[str, int]
    """Faces that are used, by gender × ethnicity × age-bin cell; empty cells are left out."""
    images: dict[str, Histogram]
    """Faces that are used, by each of :data:`STATISTICS`."""

    @property
    def faces(self) -> int:
        """Number of faces that are used."""
        return sum(self.ages.counts)

    @property
    def readable(self) -> int:
        """Number of readable faces in the source."""
        return self.candidates - self.faults
