"""Ages in whole years 1, 2, …, the unit of the losses and heads that score every age."""

from typing import Any

from keras import ops

from components.dataset.age_scale import AgeScale


def years_of(targets: Any, age_scale: AgeScale) -> Any:
    """Return the ages in years that targets of the age head stand for, whole and float32, shape ``[batch, 1]``."""
    values = ops.reshape(ops.cast(targets, "float32"), (-1, 1))
    return ops.round(ops.exp(values) if age_scale.target == "log_age" else values * age_scale.max_age)


def targets_of(years: Any, age_scale: AgeScale) -> Any:
    """Return ages in years, of any shape, on the scale of the age head."""
    return ops.log(years) if age_scale.target == "log_age" else years / age_scale.max_age


def ages_like(probabilities: Any) -> Any:
    """Return the ages 1 … n that n probabilities per face belong to, float32, shape ``[n]``."""
    return ops.arange(1, probabilities.shape[-1] + 1, dtype="float32")


def expected_years(probabilities: Any) -> Any:
    """Return the mean of distributions over the ages ``[batch, ages]``, in years, shape ``[batch, 1]``."""
    return ops.sum(probabilities * ages_like(probabilities), axis=-1, keepdims=True)
