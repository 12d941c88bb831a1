"""Stage 10: tell an MLflow server what was trained and how well it does."""
