"""Heads that the losses of the cures need, one per file."""
