"""What a data set is: images in shards, manifests, what their codes mean, and what was rejected or counted."""
