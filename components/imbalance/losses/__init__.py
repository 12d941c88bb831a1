"""Keras losses of the cures, one per file."""
