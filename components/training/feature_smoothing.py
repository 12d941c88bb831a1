"""The statistics that feature distribution smoothing needs after every epoch (FDS: arXiv 2102.09554)."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from components.imbalance.fds import calibration
from components.imbalance.heads.smoothed_age import CalibratedUnit
from components.training.compiled import trained_network
from components.training.data import TrainingData
from components.training.devices import compile_with_xla


class FeatureSmoothing(keras.callbacks.Callback):
    """Calibrate a head after every epoch, by the features of all training faces at each age.

    Mean and variance of an age's features are running averages over the epochs. The features are those of the images
    as they are, from the network as it will be used; the authors take them from one more pass of training.

    Args:
        unit: Layer of the network that takes the features.
        network: The network.
        data: Training faces.
        batch_size: Faces at once.
    """

    def __init__(self, unit: CalibratedUnit, network: keras.Model, data: TrainingData, batch_size: int) -> None:
        super().__init__()
        self.unit, self.images, self.batch_size = unit, data.train.images, batch_size
        self.ages = np.rint(data.age_scale.decode(data.train.targets["age"][:, 0])).astype(np.int64)
        self.body = keras.Model(network.input, unit.input)
        self.body.compile(jit_compile=compile_with_xla())
        self.statistics: npt.NDArray[np.float64] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Update the statistics and the calibration for the next epoch."""
        counts, latest = self._measure()
        old = latest if self.statistics is None else self.statistics
        self.statistics = self.unit.momentum * old + (1.0 - self.unit.momentum) * latest
        means, variances = self.statistics
        scale, shift = calibration(means, variances, counts > 0, np.asarray(self.unit.window))
        self.unit.scale.assign(scale.astype(np.float32))
        self.unit.shift.assign(shift.astype(np.float32))

    def _measure(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the faces of each age, ``[ages]``, and their features' mean and variance, ``[2, ages, features]``."""
        sums: Any = 0.0
        counts = np.bincount(self.ages - 1, minlength=self.unit.ages).astype(np.float64)
        for start in range(0, len(self.ages), self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, len(self.ages)))
            features = np.asarray(self.body.predict_on_batch(self.images[rows].astype(np.float32)), np.float64)
            members = np.eye(self.unit.ages)[self.ages[rows] - 1]
            sums = sums + np.stack([members.T @ features, members.T @ features**2])
        number = counts[:, None]
        means = sums[0] / np.maximum(number, 1.0)
        variances = np.maximum(sums[1] - number * means**2, 0.0) / np.maximum(number - 1.0, 1.0)
        return counts, np.stack([means, variances])


def smoothed_features(model: keras.Model, data: TrainingData, batch_size: int) -> list[FeatureSmoothing]:
    """Return the callback that a model with a :class:`CalibratedUnit` trains with; none for a model without."""
    network = trained_network(model)
    units = [layer for layer in network.layers if isinstance(layer, CalibratedUnit)]
    return [FeatureSmoothing(unit, network, data, batch_size) for unit in units]
