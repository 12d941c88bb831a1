"""Stage 4: search for hyperparameters, or pass on those fixed in the settings."""
