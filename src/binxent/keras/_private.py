"""What the Keras door takes from private parts of Keras and torch: tried with Keras 3.8 to 3.15 and torch 2.7 to 2.13.

Attributes of models that are not public either are read in `_models.py`, `_recompile.py` and `_output_activations.py`:
`_keras_history`, `_inbound_nodes`, `_inputs_struct`, `_outputs_struct`, `_compile_loss`, `_compile_metrics`. The logits
that Keras's activations leave on their results, `_keras_logits`, are read in `_logit_tracing.py`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import keras.src.losses
import keras.src.metrics
from keras.saving import get_registered_object, register_keras_serializable
from keras.src.backend import get_keras_mask, set_keras_mask  # no public name gives the mask that a layer leaves
from keras.src.losses.loss import scale_loss_for_distribution  # applied by Keras's own losses
from keras.src.models.functional import Functional  # the class of functional models
from keras.src.ops.nn import Sigmoid  # the operation of `keras.ops.sigmoid` in a functional model

__all__ = [
    "LOSSES_BY_NAME",
    "METRICS_BY_NAME",
    "Functional",
    "Sigmoid",
    "get_keras_mask",
    "is_transformed",
    "registered",
    "registered_class",
    "scale_loss_for_distribution",
    "set_keras_mask",
]

Definition = TypeVar("Definition")

# Where `keras.losses.get` and `keras.metrics.get`, and so `model.compile`, look names up.
LOSSES_BY_NAME = keras.src.losses.ALL_OBJECTS_DICT
METRICS_BY_NAME = keras.src.metrics.ALL_OBJECTS_DICT


def is_transformed():
    """Return whether torch is compiling or transforming, so that the origin of tensors is unknown."""
    import torch

    return torch.compiler.is_dynamo_compiling() or torch._C._are_functorch_transforms_active()


def registered(package: str = "binxent") -> Callable[[Definition], Definition]:
    """Register a class or a function with Keras, which saves it by its name; type checkers keep its signature."""
    register: Any = register_keras_serializable(package)
    return register


def registered_class(name: str) -> Any:
    """Return a class of this door by its name."""
    return get_registered_object(f"binxent>{name}")
