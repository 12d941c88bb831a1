"""A SavedModel made of others: probabilities adjusted post hoc, and networks averaged, inside one graph."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from components.dataset.outputs import Output
from components.model.serving import INPUT, SIGNATURE, load_served


@dataclass(frozen=True)
class PosthocAdjustment:
    """What is done to the probabilities of a network: p^(1 / T) · prior^(−tau), scaled to sum to 1.

    The formula is that of :func:`components.imbalance.posthoc.adjust_probabilities` (Menon et al. 2021, arXiv
    2007.07314).

    Attributes:
        output: The categorical output that is adjusted.
        priors: Class shares that are divided out, all above 0, in the order of the classes.
        tau: Strength; 0 leaves the priors in.
        temperature: T, what the logits are divided by first.
    """

    output: Output
    priors: Sequence[float]
    tau: float
    temperature: float


Part = tuple[str | os.PathLike[str], PosthocAdjustment | None]
"""The directory of a SavedModel, and what is done to its probabilities."""


class _Member(tf.Module):
    """A served network, and the adjustment of one of its outputs."""

    def __init__(self, network: tf.Module, adjustment: PosthocAdjustment | None) -> None:
        super().__init__()
        self._network = network  # Tracked: the weights of the signature are its variables.
        self._signature = network.signatures[SIGNATURE]
        self._adjusted = "" if adjustment is None else adjustment.output.name
        if adjustment is not None:
            self._exponent = 1 / adjustment.temperature
            log_factors = -adjustment.tau * np.log(np.asarray(adjustment.priors, np.float64))
            self._factors = np.exp(log_factors - log_factors.max())

    def __call__(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        served = dict(self._signature(image_bytes=image_bytes))
        if self._adjusted:
            # In double precision, as the comparison computes it from saved probabilities: one tie decided otherwise
            # would be another number.
            scaled = tf.cast(served[self._adjusted], tf.float64) ** self._exponent * self._factors
            adjusted = scaled / tf.reduce_sum(scaled, axis=-1, keepdims=True)
            served[self._adjusted] = tf.cast(adjusted, tf.float32)
        return served


class _Combined(tf.Module):
    """One or more networks behind one signature."""

    def __init__(self, members: Sequence[_Member]) -> None:
        super().__init__()
        self._members = list(members)
        self.serve = tf.function(self._serve, input_signature=[tf.TensorSpec([None], tf.string, name=INPUT)])

    def _serve(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        [first, *others] = [member(image_bytes) for member in self._members]
        if not others:
            return first

        def mean(name: str) -> tf.Tensor:
            answers = [tf.cast(served[name], tf.float64) for served in (first, *others)]
            # As in components.evaluation.predictions.average: rounded once.
            return tf.cast(tf.add_n(answers) / len(answers), tf.float32)

        return {name: mean(name) for name in first}


def export_combined(parts: Sequence[Part], path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that averages what others answer, each after its adjustment.

    Ages and probabilities are averaged. It has the signature of the others and loads with TensorFlow alone, as they do;
    it holds them whole, so it takes the time and the room of all of them.

    Args:
        parts: One SavedModel or more that :func:`~components.model.serving.export` wrote, of the same outputs.
        path: Directory to create.

    Raises:
        ArtifactError: If a directory is not a SavedModel with that signature.
    """
    combined = _Combined([_Member(load_served(model), adjustment) for model, adjustment in parts])
    tf.saved_model.save(combined, os.fspath(path), signatures={SIGNATURE: combined.serve})
