"""From faces to a fitted network: batches, augmentation, the fit and its callbacks."""
