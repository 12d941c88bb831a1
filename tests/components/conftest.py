"""Fixtures that many components share: simulated faces and networks, given cells, pictures."""

import numpy as np
import pytest

from components.dataset.labels import Labels
from tests.components.manifests import build_manifest
from tests.components.pictures import encode_picture, pack_tar, pack_zip
from tests.components.registries.places import mlflow_url, object_store, place_of, registry, vertex  # noqa: F401
from tests.components.simulation import simulate_manifest, simulate_predictions, simulate_run


@pytest.fixture(scope="session")
def predict():
    """Give the simulator of predictions."""
    return simulate_predictions


@pytest.fixture(scope="session")
def make_manifest():
    """Give the simulator of manifests."""
    return simulate_manifest


SMALL = Labels(ethnicities=("White", "Black"), max_age=20)


def label_faces(faces, labels=SMALL):
    """Return the manifest of (gender, ethnicity, age bin, duplicate group) for each face."""
    gender, ethnicity, age_bin, group = np.array(faces, int).reshape(-1, 4).T
    return build_manifest(1 + age_bin * labels.age_bin_width, gender, ethnicity, groups=group, labels=labels)


@pytest.fixture(scope="session")
def label():
    """Give a function that returns the manifest of given cells and duplicate groups."""
    return label_faces


@pytest.fixture(scope="session")
def fill():
    """Give a function that returns a manifest with the same number of faces in every cell."""

    def fill_cells(per_cell, labels=SMALL):
        cells = np.repeat(np.indices(labels.cell_shape).reshape(3, -1).T, per_cell, axis=0)
        return label_faces(np.column_stack([cells, np.arange(len(cells))]), labels)

    return fill_cells


@pytest.fixture(scope="session")
def picture():
    """Give the maker of pictures."""
    return encode_picture


@pytest.fixture(scope="session")
def tar():
    """Give the packer of tar archives."""
    return pack_tar


@pytest.fixture(scope="session")
def zipped():
    """Give the packer of zip archives."""
    return pack_zip


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Export an untrained network, its age read from a score per age, with its record once, as train does."""
    from components.dataset.age_scale import AgeScale
    from components.imbalance.heads.age_distribution import AgeDistribution
    from components.model.network import build_network
    from components.model.serving import export
    from components.model.settings import Hyperparameters, ModelSettings

    model, settings = tmp_path_factory.mktemp("exported"), ModelSettings(image_size=32, backbone_weights="none")
    small, heads = Hyperparameters(dense_units=8), {"age": AgeDistribution(AgeScale(), np.zeros(80))}
    network = build_network(settings, small, Labels(), AgeScale(), initial_age=3.25, heads=heads)
    export(network, AgeScale(), settings.image_size, model)
    simulate_run(simulate_predictions("ins", 3)).record.write(model)
    return model
