"""Metrics that Keras does not have for sparse targets."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="evenface")
class MacroF1(keras.metrics.Metric):
    """Macro F1 over a whole epoch, from sparse targets and logits or probabilities.

    The confusion counts are summed over the batches and the score is computed from the sums: the
    mean of per-batch scores is a different number. A class that is neither present nor predicted
    scores 0, as in scikit-learn when all labels are passed.

    Args:
        classes: Number of classes.
        name: Name of the metric. Default ``"macro_f1"``.
        dtype: Type of the counts. Default float32.
    """

    def __init__(self, classes: int, name: str = "macro_f1", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.classes = classes
        self.confusion = self.add_weight(shape=(classes, classes), initializer="zeros", name="confusion")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of codes and weights, ``[batch]`` or ``[batch, 1]``, and scores, ``[batch, classes]``."""
        truth = ops.one_hot(ops.reshape(ops.cast(y_true, "int32"), (-1,)), self.classes, dtype=self.dtype)
        predicted = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes, dtype=self.dtype)
        if sample_weight is not None:
            truth = truth * ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        self.confusion.assign_add(ops.matmul(ops.transpose(truth), predicted))

    def result(self) -> Any:
        """Return the macro F1 of all batches since the last reset, a scalar."""
        hits = ops.diagonal(self.confusion)
        support_and_predicted = ops.sum(self.confusion, axis=0) + ops.sum(self.confusion, axis=1)
        return ops.mean(ops.where(support_and_predicted > 0, 2 * hits / ops.maximum(support_and_predicted, 1e-12), 0.0))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "classes": self.classes}
