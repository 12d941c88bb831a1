"""Stage 5: train one variant with one seed."""
