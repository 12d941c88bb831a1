"""What the devices of this machine are good for."""

import keras
import tensorflow as tf


def distribution() -> tf.distribute.Strategy:
    """Return how training is spread over devices: the active strategy, or one copy of the network for each GPU."""
    if tf.distribute.has_strategy() or len(tf.config.list_logical_devices("GPU")) < 2:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy()


def shared_batch(faces: int, wanted: int) -> int:
    """Return the largest batch up to ``wanted`` that the devices share evenly, with something for each in the last one.

    Args:
        faces: Number of faces in an epoch.
        wanted: Faces per batch that the settings ask for.
    """
    devices: int = distribution().num_replicas_in_sync
    # Keras builds a model from a first batch in equal parts, and an empty part has no shape.
    sizes = range(min(wanted, faces) // devices * devices, 0, -devices)
    return next((size for size in sizes if faces % size == 0 or faces % size >= devices), devices)


def compile_with_xla() -> bool:
    """Return whether XLA pays off for the network: on a GPU it does; on a CPU it made this one 8 times slower.

    JAX has no other way to compile, on any device.
    """
    return bool(tf.config.list_physical_devices("GPU")) or keras.backend.backend() == "jax"


def fastest_precision() -> str:
    """Return the Keras dtype policy that every GPU here has tensor cores for; float32 without a GPU.

    Volta and Turing (compute capability 7) have them for float16, Ampere and later (8) for bfloat16 too, which
    has float32's range and needs no loss scaling.
    """
    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    generation = min((detail.get("compute_capability", (0, 0))[0] for detail in details), default=0)
    if generation >= 8:
        return "mixed_bfloat16"
    return "mixed_float16" if generation == 7 else "float32"
