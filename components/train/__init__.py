"""Stage 5: train one variant with one seed, using the shared package ``training``, and export it."""
