"""The GPU models of the settings, in every platform's own words."""

import pytest

from pipeline.platforms.kubeflow.nodes import GPU_MODELS, GPU_NODE_LABELS
from pipeline.platforms.resources import ACCELERATORS
from pipeline.platforms.vertex.machines import ACCELERATOR_TYPES, MACHINES


@pytest.mark.parametrize("models", [*GPU_MODELS.values(), ACCELERATOR_TYPES, MACHINES])
def test_every_platform_knows_every_gpu_model(models):
    assert set(models) == set(ACCELERATORS)


def test_every_kind_of_node_label_has_its_models():
    assert set(GPU_MODELS) == set(GPU_NODE_LABELS)
