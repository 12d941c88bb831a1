"""The optimizer that the settings ask for."""

import math

import pytest

from components.training.compiled import learning_rate
from components.training.settings import TrainingSettings


def rates(steps, **training):
    """Return the learning rate of each step of a run of 4 epochs, tuned to 0.8."""
    rate = learning_rate(0.8, TrainingSettings(epochs=4, **training), steps)
    return [float(rate(step)) if callable(rate) else rate for step in range(4 * steps)]


def cosine(steps):
    return [0.8 * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps)]


def test_without_a_warmup_the_rate_is_the_tuned_one_or_falls_from_it():
    assert rates(2) == [0.8] * 8
    assert rates(2, learning_rate_schedule="cosine") == pytest.approx(cosine(8), rel=1e-5)


def test_a_warmup_rises_in_equal_parts_and_the_schedule_follows():
    assert rates(4, warmup_epochs=1) == pytest.approx([0.2, 0.35, 0.5, 0.65, *[0.8] * 12], rel=1e-5)
    warm = rates(4, warmup_epochs=1, learning_rate_schedule="cosine")
    assert warm == pytest.approx([0.2, 0.35, 0.5, 0.65, *cosine(12)], rel=1e-5)
