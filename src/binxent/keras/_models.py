"""The same model ending in logits, to train, or in probabilities, to serve.

A sigmoid that has rounded to 0 or 1 has no gradient, so a model that is confidently wrong stops learning, and its loss
stays at the clip. A model that ends in logits does not; no weight changes, and none is copied.
"""

from collections.abc import Iterable
from typing import Any

import keras

from binxent.keras._output_activations import RESHAPING, activation, node_of, outputs_of, passes_on, source
from binxent.keras._private import Functional, Sigmoid
from binxent.keras._recompile import compile_alike, is_binary_loss_of_logits, losses_of_outputs

UNSHARED = ("_inbound_nodes", "_outbound_nodes", "build", "quantize")  # Keras binds these to one layer


def logits_model(model: keras.Model) -> keras.Model:
    """Return the same model without the sigmoids that its outputs end in: it gives logits.

    Layers and variables are the model's own, so training either trains both. Nothing happens to `model`. If it is
    compiled, so is the result, with the same optimizer, state included, and with losses and metrics made to take
    logits: ours and Keras's binary cross-entropy and focal loss with from_logits=True, by name or as objects; the
    threshold of `BinaryAccuracy`; metrics without such an option inside of `metrics.FromLogits`. If a loss cannot be
    made to take logits, the result is not compiled, and a warning says so.

    Args:
        model: A functional model, or a sequential one that is built. Each output that ends in a sigmoid loses it, as
            `Activation("sigmoid")`, as `activation="sigmoid"` of a dense or convolutional layer, as
            `keras.ops.sigmoid`, within nested models and before layers that only reshape, too.

    Returns:
        The model that ends in logits, with the names of `model` and of its outputs.

    Raises:
        TypeError: `model` is neither functional nor sequential.
        ValueError: It is not built, or none of its outputs ends in a sigmoid.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
        >>> model.compile("sgd", "binary_crossentropy")
        >>> model = logits_model(model)
        >>> model.loss.from_logits, model.layers[-1].activation.__name__
        (True, 'linear')
    """
    outputs = _symbolic_outputs(model, "logits_model", "End its `call` in logits, without the sigmoid, and")
    converted = [index for index, output in enumerate(outputs) if source(output)[0] == "sigmoid"]
    if not converted:
        ends = ", ".join(f"'{source(output)[1].name}'" for output in outputs)
        raise ValueError(
            f"An output of `model` must come out of a sigmoid for it to be dropped; model '{model.name}' ends in "
            f"{ends}. If it gives logits already, all it needs is a loss with from_logits=True."
        )
    return _convert(model, converted, keras.activations.linear)


def with_sigmoid(model: keras.Model, outputs: Iterable[str] | None = None) -> keras.Model:
    """Return the same model with a sigmoid at its end: it gives probabilities, for serving.

    The way back from `logits_model`, with shared layers and variables and, if `model` is compiled, the same optimizer
    and losses and metrics that take probabilities. Keep training the model of logits.

    Args:
        model: A model whose output is logits: functional or sequential, or, with a single output, any.
        outputs: The names of the outputs that are logits. None is the only output, or those with a compiled binary loss
            that has from_logits=True.

    Returns:
        The model that ends in probabilities.

    Raises:
        ValueError: It is not built, it is not clear which outputs are logits, or one ends in a sigmoid already.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> with_sigmoid(model).layers[-1].activation.__name__
        'sigmoid'
    """
    if not isinstance(model, (Functional, keras.Sequential)) and not outputs:
        return keras.Sequential([model, keras.layers.Activation("sigmoid")], name=model.name)
    found = _symbolic_outputs(model, "with_sigmoid", "End a copy of its `call` in a sigmoid, or")
    names = _output_names(model)
    if outputs is not None:
        unknown = set(outputs) - set(names)
        if unknown:
            raise ValueError(f"`outputs` must be among {names}; got {sorted(unknown)}.")
        converted = [names.index(name) for name in outputs]
    elif len(found) == 1:
        converted = [0]
    else:
        converted = [index for index, loss in losses_of_outputs(model).items() if is_binary_loss_of_logits(loss)]
        if not converted:
            raise ValueError(
                f"It must be clear which outputs of model '{model.name}' are logits: pass `outputs`, some of {names}, "
                "or compile the model with a binary loss that has from_logits=True for each of them."
            )
    for index in converted:
        kind, layer = source(found[index])
        if kind == "sigmoid":
            raise ValueError(f"`model` must end in logits; its layer '{layer.name}' is a sigmoid already.")
    return _convert(model, converted, keras.activations.sigmoid)


def _symbolic_outputs(model, name, instead):
    if not isinstance(model, (Functional, keras.Sequential)):
        raise TypeError(
            f"`{name}` must see a model's layers, in a functional or a sequential model; got a {type(model).__name__}. "
            f"{instead} give the loss from_logits=True."
        )
    outputs = outputs_of(model)
    if not outputs:
        raise ValueError(
            f"Model '{model.name}' must be built to share its variables: begin it with keras.Input(...), or call it on "
            "a batch."
        )
    return outputs


def _output_names(model):
    if isinstance(model, keras.Sequential):
        return [model.layers[-1].name]
    structure = model._outputs_struct
    return sorted(structure) if isinstance(structure, dict) else list(model.output_names)


def _convert(model, converted, activate):
    """Return the model with another activation at the end of some outputs, compiled if the model is."""
    if isinstance(model, keras.Sequential):
        first: Any = model.inputs[0]
        layers = [*model.layers]
        last = max(index for index, layer in enumerate(layers) if not _is_passed_by(layer, activate) or index == 0)
        layers[last : last + 1] = _converted_layers(layers[last], activate)
        start = keras.Input(batch_shape=first.shape, dtype=first.dtype, name=first.name)
        result = keras.Sequential([start, *layers], name=model.name)
    else:
        outputs = outputs_of(model)
        replaced = _Replacements(model, [outputs[index] for index in converted], activate)
        by_identity = {id(outputs[index]): replaced(outputs[index]) for index in converted}
        structure = keras.tree.map_structure(lambda output: by_identity.get(id(output), output), model._outputs_struct)
        kind = keras.Model if type(model) is Functional else type(model)
        result = kind(inputs=model._inputs_struct, outputs=structure, name=model.name)
    if model.compiled:
        names = [_output_names(model), _output_names(result)]
        compile_alike(result, model, converted, names, from_logits=activate is keras.activations.linear)
    return result


class _Replacements:
    """Symbolic outputs with another activation at their end, in the existing graph."""

    def __init__(self, model, outputs, activate):
        self.model, self.activate, self.nested = model, activate, {}
        self.ends = [self.end(output) for output in outputs]

    def end(self, output):
        """Return the tensor whose activation is to be changed."""
        operation = output._keras_history.operation
        return self.end(node_of(output).input_tensors[0]) if _is_passed_by(operation, self.activate) else output

    def __call__(self, output):
        operation, _, index = output._keras_history
        node = node_of(output)
        if _is_passed_by(operation, self.activate):
            return operation(self(node.input_tensors[0]))
        if isinstance(operation, keras.Model) and outputs_of(operation):
            if id(node) not in self.nested:  # a nested model is replaced once, however many outputs are converted
                converted = [end._keras_history.tensor_index for end in self.ends if node_of(end) is node]
                twin = _convert_nested(operation, converted, self.activate)
                self.nested[id(node)] = keras.tree.flatten(twin(*node.arguments.args, **node.arguments.kwargs))
            return self.nested[id(node)][index]
        if isinstance(operation, Sigmoid):
            return keras.layers.Activation(self.activate, name=operation.name)(node.input_tensors[0])
        stays = any(consumer.operation in self.model.operations for consumer in operation._outbound_nodes)
        first, *others = _converted_layers(operation, self.activate, renamed=stays)
        result = output if first is operation else first(*node.arguments.args, **node.arguments.kwargs)
        for layer in others:
            result = layer(result)
        return result


def _is_passed_by(layer, activate):
    """Return whether the activation to be changed comes before this layer."""
    return isinstance(layer, RESHAPING) or (activate is keras.activations.linear and passes_on(layer))


def _convert_nested(model, converted, activate):
    compiled, model.compiled = model.compiled, False  # the compilation of a nested model has no effect on the whole
    try:
        return _convert(model, converted, activate)
    finally:
        model.compiled = compiled


def _converted_layers(layer, activate, renamed=False):
    """Return the replacement of the last layer: its twin with another activation, or itself and a sigmoid."""
    if isinstance(layer, keras.Model) and outputs_of(layer):
        return [_convert_nested(layer, [0], activate)]
    if activation(layer) is None:
        return [layer, keras.layers.Activation(activate)]
    return [_twin(layer, activate, renamed)]


def _twin(layer, activate, renamed):
    """Make a layer that shares its variables with another one, and has another activation."""
    twin: Any = type(layer).__new__(type(layer))  # pyright: ignore[reportCallIssue]
    own = dict(twin.__dict__)
    twin.__dict__.update({name: value for name, value in layer.__dict__.items() if name not in UNSHARED})
    twin.__dict__.update({name: own[name] for name in UNSHARED if name in own})
    twin._inbound_nodes, twin._outbound_nodes = [], []
    if isinstance(layer, keras.layers.TimeDistributed):
        inner = _twin(layer.layer, activate, renamed)
        # Set in `__dict__`, because Keras locks the attributes of built layers; no variable is added.
        twin.__dict__["_layers"] = [inner]
        if "layer" in twin.__dict__:
            twin.__dict__["layer"] = inner
        else:  # on torch, which keeps modules in a dictionary of their own
            twin.__dict__["_modules"] = twin._modules | {"layer": inner}
    else:
        twin.activation = activate
    if renamed:  # the layer stays in the model, too
        twin.name = f"{layer.name}_{'logits' if activate is keras.activations.linear else 'sigmoid'}"
    return twin
