"""Tests that hurt: kills, races and fuzzing, for longer than a suite may take. `make torture` runs them."""
