"""The statistics that feature distribution smoothing needs after every epoch (FDS: arXiv 2102.09554)."""

from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt

from components.imbalance.fds import calibration
from components.imbalance.heads.smoothed_age import CalibratedUnit
from components.training.callbacks import State
from components.training.compiled import trained_network
from components.training.data import TrainingData
from components.training.devices import compile_with_xla, shared_batch


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
        self.unit, self.images = unit, data.train.images
        self.batch_size = shared_batch(len(self.images), batch_size)
        self.ages = np.rint(data.age_scale.decode(data.train.targets["age"][:, 0])).astype(np.int64)
        self.body = keras.Model(network.input, unit.input)
        self.body.compile(jit_compile=compile_with_xla())
        self.statistics: npt.NDArray[np.float64] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Update the statistics and the calibration for the next epoch."""
        latest = self._measure()
        old = latest if self.statistics is None else self.statistics
        self.statistics = self.unit.momentum * old + (1.0 - self.unit.momentum) * latest
        means, variances = self.statistics
        filled = np.isin(np.arange(1, self.unit.ages + 1), self.ages)
        scale, shift = calibration(means, variances, filled, np.asarray(self.unit.window))
        self.unit.scale.assign(scale.astype(np.float32))
        self.unit.shift.assign(shift.astype(np.float32))

    def state(self) -> State:
        """Return the statistics."""
        return {"statistics": [] if self.statistics is None else [self.statistics]}

    def restore(self, state: State) -> None:
        """Take up the statistics."""
        self.statistics = next(iter(state["statistics"]), None)

    def _measure(self) -> npt.NDArray[np.float64]:
        """Return mean and variance of the features of each age, ``[2, ages, features]``, 0 without faces."""
        steps = -(-len(self.ages) // self.batch_size)
        features = self.body.predict(self._batches(), steps=steps, verbose=0)
        statistics = np.zeros((2, self.unit.ages, features.shape[1]))
        for age in np.unique(self.ages):
            own = features[self.ages == age].astype(np.float64)
            statistics[:, age - 1] = own.mean(axis=0), own.var(axis=0, ddof=min(1, len(own) - 1))
        return statistics

    def _batches(self) -> Iterator[tuple[npt.NDArray[np.float32]]]:
        for start in range(0, len(self.ages), self.batch_size):
            yield (self.images[start : start + self.batch_size].astype(np.float32),)


def smoothed_features(model: keras.Model, data: TrainingData, batch_size: int) -> list[FeatureSmoothing]:
    """Return the callback that a model with a :class:`CalibratedUnit` trains with; none for a model without."""
    network = trained_network(model)
    units = [layer for layer in network.layers if isinstance(layer, CalibratedUnit)]
    return [FeatureSmoothing(unit, network, data, batch_size) for unit in units]
