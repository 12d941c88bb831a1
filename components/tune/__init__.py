"""Stage 4: search the hyperparameters, or pass on those that the settings fix."""
