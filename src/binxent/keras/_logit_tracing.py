"""The origin of predictions, where it is known: the logits behind them, and the layer that computed them.

A saturated sigmoid has no gradient, and a loss that takes one kind of predictions for the other trains the wrong model;
both go unnoticed when only values are seen. Logits and probabilities are never told apart by their values.
"""

import sys
import warnings
from typing import Any

import keras

from binxent.keras._output_activations import is_builtin, outputs_of, source
from binxent.keras._private import is_transformed

CHECKS = 8  # calls to check: a model is traced a few times, and has perhaps several outputs
BUILTIN_STEPS = ("call", "train_step", "test_step", "compute_loss", "compute_metrics")
# TensorFlow's names for operations, and torch's.
SIGMOIDS = ("Sigmoid", "SigmoidBackward0")
RESHAPING = {"ExpandDims", "Identity", "Reshape", "Squeeze"} | {
    f"{name}Backward{number}" for name in ("Permute", "Squeeze", "Unsqueeze", "View") for number in (0, 1)
}
SUMS = ("AddV2", "BiasAdd", "AddBackward0", "AddmmBackward0")
PRODUCTS = ("Conv2D", "MatMul", "ConvolutionBackward0", "MmBackward0", "TBackward0")
VARIABLES = ("ReadVariableOp", "AccumulateGrad")

if keras.backend.backend() == "tensorflow":
    from binxent.tensorflow._logit_tracing import logits_of_sigmoid as logits_behind
else:

    def logits_behind(predictions: Any) -> Any:
        """Return the logits whose sigmoid predictions are known to be, or None; JAX leaves no trace of them.

        On torch, Keras leaves the input of its sigmoid on the result, but that of its softmax as well. The graph of
        autograd tells them apart; without a graph, the sigmoid is computed again and compared.
        """
        if keras.backend.backend() != "torch" or is_transformed():
            return None
        logits = getattr(predictions, "_keras_logits", None)
        if logits is None or getattr(predictions, "grad_fn", None) is None:
            return logits if logits is not None and _is_sigmoid(predictions, logits) else None
        return logits if predictions.grad_fn.name() == "SigmoidBackward0" else None


def warn_if_mismatched(name, from_logits, y_pred, checks_left):
    """Warn if predictions are known not to be of the kind that a loss or metric expects.

    Args:
        name: Name of the loss or metric.
        from_logits: Whether it expects logits.
        y_pred: The predictions, as they were passed to it.
        checks_left: How many checks are left, this one included: later calls of a loss should not pay for checks.

    Returns:
        How many checks are left now.
    """
    if keras.backend.backend() == "torch" and is_transformed():
        return checks_left - 1
    if _has_several_labels(y_pred) and _is_class_weighted():
        message = (
            f"`{name}`: for several labels, class_weight of `fit` is not a weight of labels. Keras takes the argmax of "
            "each row for its class, which is right only if exactly one label of each row is 1. Give the loss "
            "pos_weight instead, one number for each label."
        )
        warnings.warn(message, UserWarning, stacklevel=3)
    kind, where = _by_model(y_pred) or _by_graph(y_pred) or (None, "")
    if from_logits and kind == "sigmoid":
        message = (
            f"`{name}` has from_logits=True, but the predictions come straight out of a sigmoid{where}: they are "
            "probabilities. Drop from_logits=True; or better, drop the sigmoid: `binxent.keras.logits_model(model)` is "
            "the same model without it."
        )
    elif not from_logits and kind == "linear":
        message = (
            f"`{name}` takes probabilities, but the predictions come straight out of a layer without activation"
            f"{where}: they are logits. Pass from_logits=True, or give the layer activation='sigmoid'."
        )
    else:
        return checks_left - 1
    warnings.warn(message, UserWarning, stacklevel=3)
    return 0


def _by_model(y_pred):
    """Return the source of predictions in the model whose training or evaluation is further up the stack."""
    for frame, model in _models_at_work():
        # A step that a subclass overrides may change the outputs before the loss gets them.
        if outputs_of(model) and is_builtin(model, *BUILTIN_STEPS):
            outputs = keras.tree.flatten(frame.f_locals.get("y_pred"))
            found = [index for index, output in enumerate(outputs) if output is y_pred]
            if found and len(outputs) == len(outputs_of(model)):
                kind, layer = source(outputs_of(model)[found[0]])
                return kind, f" (layer '{layer.name}')"
    return None


def _has_several_labels(y_pred):
    try:
        shape = tuple(y_pred.shape)
    except (AttributeError, ValueError):  # a list; a tensor of unknown rank
        return False
    return len(shape) > 1 and shape[-1] != 1


def _is_class_weighted():
    return any(
        frame.f_code.co_name == "fit" and frame.f_locals.get("class_weight") is not None
        for frame, _ in _models_at_work()
    )


def _models_at_work():
    """Yield the frames up the stack in which a method of a model is running, and the model."""
    frame = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.Model):
            yield frame, owner
        frame = frame.f_back


def _by_graph(y_pred):
    """Return the source of predictions in the graph of TensorFlow or torch, or in the attribute that Keras sets."""
    if keras.backend.backend() == "tensorflow" and _is_symbolic(y_pred):
        return _kind(y_pred.op, _tf_name, _tf_inputs), f" ('{y_pred.op.name}')"
    if getattr(y_pred, "grad_fn", None) is not None:
        return _kind(y_pred.grad_fn, _torch_name, _torch_inputs), ""
    return None if logits_behind(y_pred) is None else ("sigmoid", "")


def _kind(operation, name_of, inputs_of):
    """Return the kind of an operation of a graph: "sigmoid", or "linear" for a product plus a variable."""

    def before_reshaping(operation):
        while name_of(operation) in RESHAPING:
            operation = inputs_of(operation)[0]
        return operation

    operation = before_reshaping(operation)
    if name_of(operation) in SIGMOIDS:
        return "sigmoid"
    terms = [name_of(before_reshaping(term)) for term in inputs_of(operation)] if name_of(operation) in SUMS else []
    affine = any(term in PRODUCTS for term in terms) and any(term in VARIABLES for term in terms)
    return "linear" if affine else None


def _tf_name(op):
    return op.type


def _tf_inputs(op):
    return [tensor.op for tensor in op.inputs]


def _torch_name(step):
    return step.name().removeprefix("torch::autograd::")


def _torch_inputs(step):
    return [before for before, _ in step.next_functions if before is not None]


def _is_symbolic(tensor):
    import tensorflow as tf

    return tf.is_symbolic_tensor(tensor)


def _is_sigmoid(y_pred, logits):
    again: Any = keras.ops.sigmoid(logits)
    return again.shape == y_pred.shape and again.dtype == y_pred.dtype and bool(keras.ops.all(again == y_pred))
