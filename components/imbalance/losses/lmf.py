"""Large-margin-aware focal loss: LMF (Sadi et al. 2022, arXiv 2212.12741)."""

from collections.abc import Sequence
from typing import Any

import keras

from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.focal import Focal
from components.imbalance.losses.ldam import LDAM, ldam_margins
from components.imbalance.treatment import require_every_class


@keras.saving.register_keras_serializable(package="evenface")
class LMF(CureLoss):
    """A linear combination of two losses: ``alpha · LDAM + beta · focal``.

    Args:
        class_counts: Training faces per class, all above 0.
        alpha: Weight of LDAM. Default 2.5.
        beta: Weight of the focal loss. Default 0.05.
        gamma: Focusing exponent. Default 4.
        max_margin: LDAM's margin of the rarest class, in logits. Default 0.5.
        scale: LDAM's factor on the logits. Default 1; the authors use 30.
        class_weighted: Weight the classes by their margins: LDAM as a weighted mean over the batch, the
            focal loss as a plain mean of weighted losses. The authors' code does this, their formula does not.
            Default False.
        factor: Factor on the whole loss. Default 1.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> loss = LMF([100, 100], alpha=1.0, beta=0.0, max_margin=0.0)
        >>> round(float(loss([0], [[0.0, 0.0]])), 4)
        0.6931
    """

    def __init__(
        self,
        class_counts: Sequence[float],
        *,
        alpha: float = 2.5,
        beta: float = 0.05,
        gamma: float = 4.0,
        max_margin: float = 0.5,
        scale: float = 1.0,
        class_weighted: bool = False,
        factor: float = 1.0,
        name: str = "lmf",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        require_every_class(class_counts, "lmf")
        self.class_counts = [float(count) for count in class_counts]
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.max_margin = max_margin
        self.scale = scale
        self.class_weighted = class_weighted
        self.factor = factor
        weights = ldam_margins(self.class_counts, max_margin).tolist() if class_weighted else None
        self.ldam = LDAM(self.class_counts, max_margin=max_margin, scale=scale, class_weights=weights)
        self.focal = Focal(gamma, class_weights=weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``; codes and logits are those of :mod:`log_odds`."""
        losses = self.alpha * self.ldam.call(y_true, y_pred) + self.beta * self.focal.call(y_true, y_pred)
        return self.factor * losses
