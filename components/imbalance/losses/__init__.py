"""Keras losses of the cures, one a file."""
