import keras
import numpy as np
import pytest

from components.model.batch_norm import BatchNormalization
from components.model.fusing import fuse


@pytest.mark.parametrize("size", [32, 75])
def test_a_fused_backbone_keeps_its_names_weights_and_outputs(size):
    shape = (size, size, 3)
    backbone = keras.applications.MobileNetV3Small(
        input_shape=shape, minimalistic=True, include_top=False, pooling="avg", weights=None
    )
    fused = fuse(backbone)
    assert [layer.name for layer in fused.layers[1:]] == [layer.name for layer in backbone.layers[1:]]
    pixels = np.random.default_rng(0).uniform(0, 255, (2, *shape)).astype(np.float32)
    np.testing.assert_allclose(fused(pixels), backbone(pixels), rtol=1e-5, atol=1e-5)
    kinds = [type(layer) for layer in fused.layers]
    assert keras.layers.BatchNormalization not in kinds
    assert BatchNormalization in kinds
    assert keras.layers.ZeroPadding2D not in kinds


def test_a_padding_that_is_not_the_convolutions_own_stays():
    images = keras.Input((8, 8, 3))
    padded = keras.layers.ZeroPadding2D(2, name="pad")(images)
    network = keras.Model(images, keras.layers.DepthwiseConv2D(3, strides=2, padding="valid", name="conv")(padded))
    fused = fuse(network)
    assert isinstance(fused.get_layer("pad"), keras.layers.ZeroPadding2D)
    assert fused.output_shape == network.output_shape
