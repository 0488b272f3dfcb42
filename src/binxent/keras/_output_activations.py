"""The activation that each output of a model ends in: a sigmoid, none, or another.

It is read from functional and sequential models, nested ones included.
"""

from typing import Any

import keras

from binxent.keras._private import Sigmoid

# Layers whose activation is the last thing they do.
ACTIVATED = (
    keras.layers.Activation,
    keras.layers.Dense,
    keras.layers.EinsumDense,
    *(
        getattr(keras.layers, f"{kind}{rank}D{transposed}")
        for kind, ranks, transposed in (
            ("Conv", (1, 2, 3), ""),
            ("Conv", (1, 2, 3), "Transpose"),
            ("DepthwiseConv", (1, 2), ""),
            ("SeparableConv", (1, 2), ""),
        )
        for rank in ranks
    ),
)
RESHAPING = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Permute, keras.layers.Identity)


def source(output) -> tuple[str | None, Any]:
    """Return the kind and the operation of the activation that an output ends in.

    Args:
        output: A symbolic tensor of a model.

    Returns:
        "sigmoid", "linear" or None, and the layer or operation.
    """
    operation, _, index = output._keras_history
    if isinstance(operation, keras.Model) and outputs_of(operation):
        return source(outputs_of(operation)[index])
    if isinstance(operation, RESHAPING) or passes_on(operation):
        return source(node_of(output).input_tensors[0])
    return activation(operation), operation


def activation(operation) -> str | None:
    """Return whether an operation ends in a "sigmoid", or is "linear"."""
    if isinstance(operation, keras.layers.TimeDistributed):
        return activation(operation.layer)
    if isinstance(operation, Sigmoid):
        return "sigmoid"
    if isinstance(operation, ACTIVATED) and is_builtin(operation, "call"):
        last = operation.activation
        return (
            "sigmoid" if last is keras.activations.sigmoid else "linear" if last is keras.activations.linear else None
        )
    return None


def passes_on(operation):
    """Return whether an operation is an `Activation("linear")`."""
    return isinstance(operation, keras.layers.Activation) and activation(operation) == "linear"


def outputs_of(model) -> list:
    """Return the symbolic outputs of a functional or a built sequential model; others have none."""
    try:
        return keras.tree.flatten(model.outputs)
    except (AttributeError, ValueError):  # subclassed; sequential and not built
        return []


def node_of(tensor):
    """Return the node of the call that returned a symbolic tensor."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def is_builtin(thing, *methods):
    """Return whether methods are those of a class of Keras, overridden by no subclass."""
    return all(getattr(type(thing), name).__module__.startswith("keras.") for name in methods if hasattr(thing, name))
