"""Cross-entropy as a function of one number: the log-odds of the other classes against the true one.

With d = log Σ_{j≠y} exp z_j − z_y the probability of the true class is p = 1 / (1 + exp d), so
−log p = softplus(d) and log(1 − p) = −softplus(−d). Both are accurate where p is close to 0 or 1, and
neither they nor their gradients overflow. The losses of this package are built from them.
"""

from typing import Any

from keras import ops

_EXCLUDED = -1e30
"""Stands in for minus infinity, whose differences would be NaN."""


def logits_and_truth(labels: Any, outputs: Any) -> tuple[Any, Any]:
    """Return logits as float32 and a mask of the true class, both of shape ``[batch, classes]``.

    Args:
        labels: Class codes, shape ``[batch]`` or ``[batch, 1]``.
        outputs: Logits of any float type, shape ``[batch, classes]``; or ``[batch, 1]``, the single logit
            of a binary output, which equals two classes with the logits 0 and itself.
    """
    logits = ops.cast(outputs, "float32")
    if logits.shape[-1] == 1:
        logits = ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
    codes = ops.reshape(ops.cast(labels, "int32"), (-1, 1))
    return logits, ops.equal(ops.arange(logits.shape[-1], dtype="int32"), codes)


def pick(values: Any, true: Any) -> Any:
    """Return the true class's entry of ``[batch, classes]`` or ``[classes]`` values, shape ``[batch]``."""
    values = ops.convert_to_tensor(values, "float32")
    return ops.sum(ops.where(true, values, ops.zeros_like(values)), axis=-1)


def log_odds_against(logits: Any, true: Any) -> Any:
    """Return the log-odds of the other classes against the true one, shape ``[batch]``."""
    others = ops.logsumexp(ops.where(true, _EXCLUDED, logits), axis=-1)
    return others - pick(logits, true)


def cross_entropy(logits: Any, true: Any) -> Any:
    """Return −log of the true class's probability, shape ``[batch]``."""
    return ops.softplus(log_odds_against(logits, true))
