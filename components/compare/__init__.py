"""Stage 7: put all runs side by side and recommend a variant, with the reason."""
