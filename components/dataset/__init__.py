"""Faces and their labels: sources, packed images, manifests, loading, augmentation, synthetic faces."""
