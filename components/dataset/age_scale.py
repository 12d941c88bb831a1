"""The scale on which the age head works."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class AgeScale:
    """Encode ages in years into training targets, and back.

    Attributes:
        target: ``"log_age"`` is the natural logarithm; ``"years"`` is years / ``max_age``, which keeps
            the loss near 1 and gives a year the same cost at every age (on the log scale it costs 1 / age).
        max_age: Highest age, in years. Predictions are clipped to 1 … ``max_age``.
    """

    target: Literal["log_age", "years"] = "log_age"
    max_age: int = 80

    @property
    def lower(self) -> float:
        """Target value of age 1."""
        return 0.0 if self.target == "log_age" else 1.0 / self.max_age

    @property
    def upper(self) -> float:
        """Target value of ``max_age``."""
        return float(np.log(self.max_age)) if self.target == "log_age" else 1.0

    def encode(self, age_years: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return the targets of ages in years, same shape, float32."""
        years = np.asarray(age_years, dtype=np.float64)
        targets = np.log(years) if self.target == "log_age" else years / self.max_age
        return targets.astype(np.float32)

    def decode(self, targets: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the ages in years that targets stand for, same shape."""
        values = np.asarray(targets, dtype=np.float64)
        return np.exp(values) if self.target == "log_age" else values * self.max_age
