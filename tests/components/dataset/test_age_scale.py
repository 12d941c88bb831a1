import numpy as np
import pytest

from components.dataset.age_scale import AgeScale


@pytest.mark.parametrize("target", ["log_age", "years"])
def test_ages_survive_encoding_and_decoding(target):
    ages = np.arange(1, 81)
    assert AgeScale(target, 80).decode(AgeScale(target, 80).encode(ages)) == pytest.approx(ages, rel=1e-5)


def test_the_bounds_are_those_of_the_proof_of_concept():
    scale = AgeScale("log_age", 80)
    assert (scale.lower, scale.upper) == (0.0, pytest.approx(np.log(80)))
