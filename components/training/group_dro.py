"""A model that is trained on its worst cells: online group DRO (Sagawa et al. 2020, arXiv 1911.08731)."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from components.dataset.age_scale import AgeScale
from components.dataset.labels import Labels


def reweigh(log_weights: Any, losses: Any, members: Any, step: float) -> tuple[Any, Any]:
    """Return the logarithms of the groups' weights after one step, and the factor of each face's loss.

    The weights are q ← q · exp(step · loss of the group), scaled to sum to 1 (algorithm 1), where a group's loss is the
    mean over its faces in the batch, and 0 without any, as in the authors' code. The mean over the batch of
    factor · loss is then Σ q · (loss of the group), which is what is minimised. Logarithms, because a weight that had
    once been rounded to 0 would never grow again.

    Args:
        log_weights: Shape ``[groups]``; minus infinity for a group that has no weight.
        losses: Shape ``[batch]``.
        members: 1 where a face belongs to a group, else 0, shape ``[batch, groups]``.
        step: Step size.
    """
    counts = ops.maximum(ops.sum(members, axis=0), 1.0)
    raised = log_weights + step * ops.matmul(losses, members) / counts
    updated = raised - ops.logsumexp(raised)
    factors = ops.matmul(members, ops.exp(updated) / counts) * ops.cast(ops.shape(members)[0], "float32")
    return updated, factors


class GroupDRO(keras.Model):
    """A functional model whose loss, while it trains, weights the gender × ethnicity × age-bin cells.

    A face's cell follows from its targets. The sum of all outputs' losses decides how a cell is weighted; its weight
    is that of all outputs. Validation is the plain loss.

    Args:
        inputs, outputs, name: Of the functional model.
        step: Step of the cells' weights.
        labels: Cells.
        age_scale: Scale of the age targets.
        targets: Training targets, by output, shape ``[faces, 1]``: cells without faces have no weight.
    """

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        *,
        name: str,
        step: float,
        labels: Labels,
        age_scale: AgeScale,
        targets: Mapping[str, Any],
    ) -> None:
        super().__init__(inputs, outputs, name=name)
        self.step, self.labels, self.age_scale = step, labels, age_scale
        filled = np.asarray(ops.max(self.members(targets), axis=0)) > 0
        start = np.where(filled, -np.log(filled.sum()), -np.inf).astype(np.float32)
        self.log_weights = keras.Variable(start, trainable=False, aggregation="mean", name="log_weights")

    def compile(
        self, *, loss: Mapping[str, keras.losses.Loss], loss_weights: Mapping[str, float], **options: Any
    ) -> None:
        """Compile as Keras does, with a loss and its weight for each output."""
        self.face_losses = {name: (each, loss_weights[name]) for name, each in loss.items()}
        super().compile(loss=loss, loss_weights=loss_weights, **options)

    def members(self, targets: Mapping[str, Any]) -> Any:
        """Return 1 where a face belongs to a cell, else 0, float32, shape ``[batch, cells]``."""
        cells = 0
        for column in self.labels.cell_columns:
            codes = self._age_bins(targets["age"]) if column == "age_bin" else ops.cast(targets[column], "int32")
            cells = cells * len(self.labels.names(column)) + ops.reshape(codes, (-1,))
        return ops.one_hot(cells, self.labels.cell_count, dtype="float32")

    def _age_bins(self, targets: Any) -> Any:
        ages = ops.cast(targets, "float32")
        years = ops.exp(ages) if self.age_scale.target == "log_age" else ages * self.age_scale.max_age
        return (ops.cast(ops.round(years), "int32") - 1) // self.labels.age_bin_width

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the loss, a scalar, after a step of the cells' weights if the model is training."""
        if training:
            sample_weight = self._weigh(y, y_pred, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training=training)

    def _weigh(self, y: Mapping[str, Any], y_pred: Mapping[str, Any], sample_weight: Mapping[str, Any] | None) -> Any:
        given = sample_weight or {name: ops.ones_like(values, "float32") for name, values in y.items()}
        weights = {name: ops.reshape(values, (-1,)) for name, values in given.items()}
        losses = sum(
            share * weights[name] * loss.call(y[name], y_pred[name]) for name, (loss, share) in self.face_losses.items()
        )
        updated, factors = reweigh(self.log_weights, ops.stop_gradient(losses), self.members(y), self.step)
        self.log_weights.assign(updated)
        return {name: values * factors for name, values in weights.items()}
