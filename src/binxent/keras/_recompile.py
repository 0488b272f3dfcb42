"""Compile a model as another is compiled, with losses and metrics of logits for those of probabilities, or back."""

import math
import warnings
from typing import Any

import keras

from binxent.keras import _functions, _registry, losses, metrics
from binxent.losses import FAMILY

# Every name and function of a binary loss, and the class that takes its place.
NAMES = {
    alias: kind.__name__
    for kind in FAMILY
    for alias in (
        *_registry.NAMES[kind.__name__],
        *(getattr(module, str(kind.name)) for module in (keras.losses, _functions) if hasattr(module, str(kind.name))),
    )
}
BINARY_LOSSES = (losses.Loss, keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy)
ACCURACIES = ("accuracy", "acc", "binary_accuracy", "BinaryAccuracy")


class NotBinary(Exception):
    """A loss that cannot be made to take other predictions."""


def compile_alike(result, model, converted, names, *, from_logits):
    """Compile `result` as `model` is.

    Args:
        result: The model to compile.
        model: The compiled model.
        converted: Which outputs are of the other kind in `result`.
        names: The names of the outputs of `model`, and those of `result`.
        from_logits: Whether `converted` are logits in `result`.
    """
    compiled_metrics = model._compile_metrics
    try:
        loss = _per_output(model.loss, converted, names, lambda loss: _loss(loss, from_logits))
    except NotBinary as error:
        warnings.warn(
            f"Model '{model.name}' is compiled with the loss {error}, which cannot be made to take "
            f"{'logits' if from_logits else 'probabilities'}: the new model is not compiled. Compile it yourself.",
            UserWarning,
            stacklevel=4,
        )
        return

    def renewed(metric):
        return (
            [_metric(each, from_logits) for each in metric]
            if isinstance(metric, list)
            else _metric(metric, from_logits)
        )

    def renewed_for_outputs(given):
        if given is None:
            return None
        single = len(names[0]) == 1 and not isinstance(given, dict)
        return (
            renewed([*given] if isinstance(given, tuple) else given)
            if single
            else _per_output(given, converted, names, renewed, others=_fresh)
        )

    result.compile(
        optimizer=model.optimizer,
        loss=loss,
        loss_weights=_renamed(model._compile_loss._user_loss_weights if model._compile_loss else None, names),
        metrics=renewed_for_outputs(compiled_metrics._user_metrics if compiled_metrics else None),
        weighted_metrics=renewed_for_outputs(compiled_metrics._user_weighted_metrics if compiled_metrics else None),
        run_eagerly=model.run_eagerly,
        steps_per_execution=model.steps_per_execution,
        jit_compile=model.jit_compile,
    )


def losses_of_outputs(model):
    """Return the compiled loss of each output, by its number."""
    loss, count = getattr(model, "loss", None) if model.compiled else None, len(keras.tree.flatten(model.outputs))
    if isinstance(loss, dict):
        order = sorted(loss) if isinstance(model._outputs_struct, dict) else model.output_names
        return {index: loss[name] for index, name in enumerate(order) if name in loss}
    if isinstance(loss, (list, tuple)):
        return dict(enumerate(loss))
    return dict.fromkeys(range(count), loss)


def is_binary_loss_of_logits(loss):
    """Return whether a loss is a binary loss of logits."""
    return isinstance(loss, BINARY_LOSSES) and bool(loss.get_config()["from_logits"])


def _per_output(given, converted, names, renew, others=lambda part: part):
    """Renew the parts of an argument of `compile`: an object for all outputs, a sequence or a dictionary."""
    before, after = names
    if isinstance(given, dict):
        numbers = {name: index for index, name in enumerate(before)}
        return {
            after[numbers[name]] if name in numbers else name: (renew if numbers.get(name) in converted else others)(
                part
            )
            for name, part in given.items()
        }
    if isinstance(given, (list, tuple)):
        return [(renew if index in converted else others)(part) for index, part in enumerate(given)]
    if len(converted) == len(before):
        return renew(given)
    return {name: (renew if index in converted else others)(given) for index, name in enumerate(after)}


def _renamed(weights, names):
    return _per_output(weights, (), names, None) if isinstance(weights, dict) else weights


def _loss(loss, from_logits):
    if loss is None:
        return None
    if isinstance(loss, BINARY_LOSSES):
        return type(loss).from_config(loss.get_config() | {"from_logits": from_logits})
    name = _named(loss)
    if name is None:
        raise NotBinary(repr(loss))
    return getattr(losses, name)(from_logits=from_logits)


def _metric(metric, from_logits):
    if isinstance(metric, metrics.FromLogits):
        return _fresh(metric if from_logits else metric.metric)
    if isinstance(metric, str) and metric in ACCURACIES:
        name = metric if metric != "BinaryAccuracy" else "binary_accuracy"
        return keras.metrics.BinaryAccuracy(name, threshold=0.0 if from_logits else 0.5)
    name = _named(metric)
    if name is not None:
        return getattr(metrics, name)(from_logits=from_logits)
    if isinstance(metric, keras.metrics.BinaryAccuracy):
        return type(metric).from_config(metric.get_config() | {"threshold": _moved(metric.threshold, from_logits)})
    if isinstance(metric, keras.metrics.Metric) and "from_logits" in metric.get_config():
        return type(metric).from_config(metric.get_config() | {"from_logits": from_logits})
    return metrics.FromLogits(_fresh(metric)) if from_logits else _fresh(metric)


def _named(alias):
    """Return the name of the class that takes the place of a name or a function."""
    return NAMES.get(alias) if isinstance(alias, str) or callable(alias) else None


def _fresh(metric) -> Any:
    """Return a metric without its state; names and functions stay as they are."""
    if isinstance(metric, (list, tuple)):
        return [_fresh(each) for each in metric]
    return type(metric).from_config(metric.get_config()) if isinstance(metric, keras.metrics.Metric) else metric


def _moved(threshold, from_logits):
    if not from_logits:
        return 1 / (1 + math.exp(-threshold))
    return (
        math.log(threshold) - math.log1p(-threshold) if 0 < threshold < 1 else math.copysign(math.inf, threshold - 0.5)
    )
