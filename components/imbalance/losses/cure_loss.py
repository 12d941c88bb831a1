"""The base of the cures' losses."""

import inspect
from typing import Any

import keras


class CureLoss(keras.losses.Loss):
    """A Keras loss that is saved as its constructor's arguments, each an attribute of the same name."""

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        parameters = inspect.signature(type(self)).parameters.values()
        names = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
