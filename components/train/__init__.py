"""Stage 5: train one variant with one seed, by way of the shared room ``training``, and export it."""
