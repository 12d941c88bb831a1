"""Where faces come from: a folder, an archive, a bucket, or the generator of synthetic faces."""
