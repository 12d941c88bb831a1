"""Stage 3: divide the pool into train and validation."""
