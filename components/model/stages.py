"""What a training in stages does to a network: its body is kept, its heads change.

The body is everything up to the features that all heads share; the heads are the layers after it.
"""

import keras
import numpy as np
import numpy.typing as npt

_BODY = ("images", "backbone", "dense_", "dropout_")
"""How the names of the body's layers begin."""


def freeze_body(network: keras.Model) -> None:
    """Make every layer but the heads untrainable; batch normalisation then uses its moving statistics."""
    for layer in network.layers:
        layer.trainable = _is_head(layer)


def renew_heads(network: keras.Model) -> None:
    """Give the heads new initial weights."""
    for layer in network.layers:
        if _is_head(layer) and layer.weights:
            fresh = type(layer).from_config(layer.get_config())
            fresh.build(layer.input.shape)
            layer.set_weights(fresh.get_weights())


def normalise_head(network: keras.Model, name: str, power: float) -> None:
    """Divide the weights of each class of an output by their norm to a power, and drop the biases.

    Args:
        network: A network with a dense head for the output.
        name: The output's name.
        power: Exponent, from 0 (no change of the weights) to 1 (all of one norm).
    """
    head = network.get_layer(name)
    head.set_weights([normalise_weights(head.kernel, power), np.zeros(head.bias.shape)])


def normalise_weights(kernel: npt.ArrayLike, power: float) -> npt.NDArray[np.float64]:
    """Return class weights w / ‖w‖^power (tau-normalisation: Kang et al. 2020, arXiv 1910.09217, equation 3).

    All are multiplied by the geometric mean of ‖w‖^power, which changes no decision and keeps the probabilities
    about as sharp as they were.

    Args:
        kernel: Shape ``[features, classes]``; no column is zero.
        power: Exponent.
    """
    weights = np.asarray(kernel, np.float64)
    factors = np.linalg.norm(weights, axis=0) ** -power
    return np.asarray(weights * factors / np.exp(np.log(factors).mean()), np.float64)


def _is_head(layer: keras.layers.Layer) -> bool:
    return not layer.name.startswith(_BODY)
