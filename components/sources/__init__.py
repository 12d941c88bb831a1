"""Where faces come from: a folder, an archive, a bucket, or made on the spot."""
