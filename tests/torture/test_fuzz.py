"""The short form of the fuzz run; ``make torture`` runs the long one."""

import pytest

from tests.torture.fuzz import TARGETS, fuzz


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_input_ends_in_one_sentence(name):
    outcome = fuzz(name, 60, same_every_time=True)
    assert outcome.cases >= 60
