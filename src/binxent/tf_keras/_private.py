"""What the Keras 2 door takes from private parts of tf_keras and TensorFlow: tried with 2.18 to 2.21 of both."""

from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf
import tf_keras
from tf_keras.saving import get_registered_object, register_keras_serializable

Definition = TypeVar("Definition")
KerasTensor: Any = tf_keras.__internal__.KerasTensor


def mask_of(tensor):
    """Return the mask that a layer has left on its result, or None."""
    return getattr(tensor, "_keras_mask", None)


def converted(function):
    """Convert a function's control flow to the graph's where autograph is on, as Keras 2 converts `call`."""
    if tf.executing_eagerly():
        return function
    autograph = tf.__internal__.autograph
    return autograph.tf_convert(function, autograph.control_status_ctx())


def registered(package: str = "binxent") -> Callable[[Definition], Definition]:
    """Register a class or a function with Keras, which saves it by its name; type checkers keep its signature."""
    register: Any = register_keras_serializable(package)
    return register


def registered_class(name: str) -> Any:
    """Return a class of this door by its name."""
    return get_registered_object(f"binxent>{name}")


def not_converted(function: Definition) -> Definition:
    """Exclude a function from conversion by autograph; type checkers keep its signature."""
    return tf.autograph.experimental.do_not_convert(function)
