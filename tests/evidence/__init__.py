"""Proofs of the statistics that take minutes: false recommendations, and the coverage of every kind of interval."""
