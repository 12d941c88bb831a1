"""The base of the cures' losses."""

import inspect
from typing import Any

import keras


class CureLoss(keras.losses.Loss):
    """A Keras loss that is saved as its constructor's arguments, each an attribute of the same name."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        arguments = [name for name in inspect.signature(type(self)).parameters if name != "options"]
        return {**super().get_config(), **{name: getattr(self, name) for name in arguments}}
