"""Stage 2: draw the balanced test set."""
