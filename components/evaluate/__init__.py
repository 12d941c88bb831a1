"""Stage 6: score one model on the balanced test set."""
