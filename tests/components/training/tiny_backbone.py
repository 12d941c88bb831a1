"""One convolution in the place of the backbone, which takes ten times as long to trace."""

import keras


def build_tiny_backbone(settings):
    """Return a backbone with a BatchNorm, so that it has statistics that move as a real one has."""
    inputs = outputs = keras.Input((settings.image_size, settings.image_size, 3))
    for layer in (
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(8, 3, 4),
        keras.layers.BatchNormalization(),
        keras.layers.GlobalMaxPooling2D(),
    ):
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name="backbone")
