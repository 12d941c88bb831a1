"""A SavedModel whose probabilities are adjusted post hoc, inside its graph."""

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components.dataset.outputs import Output
from components.model.serving import INPUT, SIGNATURE, load_served


class _Adjusted(tf.Module):
    """A served network, and the adjustment of one of its outputs."""

    def __init__(
        self, network: tf.Module, output: Output, priors: Sequence[float], tau: float, temperature: float
    ) -> None:
        super().__init__()
        self._network = network  # Tracked: the weights of the signature are its variables.
        self._signature = network.signatures[SIGNATURE]
        self._output = output.name
        self._exponent = 1 / temperature
        log_factors = -tau * np.log(np.asarray(priors, np.float64))
        self._factors = np.exp(log_factors - log_factors.max())
        self.serve = tf.function(self._serve, input_signature=[tf.TensorSpec([None], tf.string, name=INPUT)])

    def _serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        served = self._signature(image_bytes=image_bytes)
        # In double precision, as the comparison computes it from saved probabilities: one tie decided otherwise would
        # be another number.
        scaled = tf.cast(served[self._output], tf.float64) ** self._exponent * self._factors
        adjusted = scaled / tf.reduce_sum(scaled, axis=-1, keepdims=True)
        return {**served, self._output: tf.cast(adjusted, tf.float32)}


def export_adjusted(
    model_path: str | os.PathLike[str],
    output: Output,
    priors: Sequence[float],
    tau: float,
    temperature: float,
    path: str | os.PathLike[str],
) -> None:
    """Write a SavedModel that does what another one does and then adjusts one output: p^(1 / T) · prior^(−tau), scaled.

    It has the same signature and loads with TensorFlow alone, as does the other one, which it holds whole. The formula
    is that of :func:`components.imbalance.posthoc.adjust_probabilities` (Menon et al. 2021, arXiv 2007.07314).

    Args:
        model_path: SavedModel that :func:`~components.model.serving.export` wrote.
        output: The categorical output whose probabilities are adjusted.
        priors: Class shares that are divided out, all above 0, in the order of the classes.
        tau: Strength; 0 leaves the priors in.
        temperature: T, what the logits are divided by first.
        path: Directory to create.

    Raises:
        ArtifactError: If the directory is not a SavedModel with that signature.
    """
    network = load_served(model_path)
    adjusted = _Adjusted(network, output, priors, tau, temperature)
    tf.saved_model.save(adjusted, os.fspath(path), signatures={SIGNATURE: adjusted.serve})
