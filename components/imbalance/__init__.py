"""Cures for class imbalance: losses, weights and resampling, and the variants that combine them."""
