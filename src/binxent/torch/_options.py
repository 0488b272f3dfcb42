"""The options in torch's dialect: the kinds of values that they take, and the losses that they name."""

import functools
import inspect
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch

from binxent import losses
from binxent._core import formulas, options
from binxent.torch._private import constant_when_compiled, guarded_number, legacy_reduction

ReductionKind: TypeAlias = Literal["none", "mean", "sum", "weighted_mean"]
Number: TypeAlias = float | np.floating[Any] | np.integer[Any]


class SupportsArray(Protocol):
    """What NumPy takes for an array: arrays, tensors, columns of tables."""

    def __array__(self, *arguments: Any, **options: Any) -> np.ndarray[Any, Any]:
        """Return the array."""
        ...


PosWeight: TypeAlias = Number | Sequence[float] | SupportsArray

REDUCTIONS = ("none", "mean", "sum", "weighted_mean")
PLAIN_TENSORS = (torch.Tensor, torch.nn.Parameter)
NOT_POSITIVE = "`pos_weight` must be finite and >= 0; got {}."


def check_reduction(kind: Any) -> None:
    """Refuse an unknown reduction."""
    if not isinstance(kind, str) or kind not in REDUCTIONS:
        raise ValueError(f"{kind!r} is not a valid value for reduction; it must be one of {', '.join(REDUCTIONS)}.")


def reduction_kind(size_average: Any, reduce: Any, reduction: Any) -> Any:
    """Translate torch's two old names of a reduction.

    Raises:
        TypeError: One of them is neither True, False nor None.
    """
    if size_average is None and reduce is None:
        return reduction
    average, kept = (
        each if each is None else options.boolean(name, each)
        for name, each in (("size_average", size_average), ("reduce", reduce))
    )
    return legacy_reduction(average, kept)


def check_tensor(name: str, value: Any) -> None:
    """Refuse a weight that is not a tensor of real numbers."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"`{name}` must be a tensor; got {described(value)}. Pass torch.tensor({name}).")
    if value.is_complex():
        raise TypeError(f"`{name}` must be real; got {value.dtype}.")


def number(name: str, value: Any) -> float:
    """Return the plain number that an option holds now.

    Args:
        name: The option, for errors.
        value: As `_core.options.number` takes it.

    Raises:
        TypeError: It is not a number, or it is a tensor that requires a gradient, which an option would not pass on,
            or a tensor on a GPU, whose value would have to be waited for.
    """
    if type(value) in options.PLAIN:
        return value
    if torch.compiler.is_dynamo_compiling():
        raise TypeError(f"`{name}` must be a plain number under torch.compile; got a {type(value).__name__}.")
    if isinstance(value, torch.Tensor) and (
        value.requires_grad or type(value) not in PLAIN_TENSORS or not value.is_cpu
    ):
        raise TypeError(
            f"`{name}` must be a plain number, without a gradient and not on a GPU; got {described(value)}. "
            f"Pass a Python number, such as {name}.item()."
        )
    return options.number(name, value)


def described(value: Any) -> str:
    """Describe a value, for errors."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        gradient = " that requires a gradient" if isinstance(value, torch.Tensor) and value.requires_grad else ""
        return f"a {type(value).__name__} of shape {tuple(value.shape)}{gradient}"
    return repr(value) if isinstance(value, str) else f"a {type(value).__name__}"


def tensor_of_pos_weight(pos_weight: Any, dtype: torch.dtype, device: torch.device | None) -> torch.Tensor:
    """Return a number or an array-like as a new tensor.

    Raises:
        TypeError: It does not hold numbers.
        ValueError: A number is negative or not finite. Under `torch.compile` nothing is checked.
    """
    if torch.compiler.is_dynamo_compiling():
        return torch.as_tensor(pos_weight, dtype=dtype, device=device)
    array = np.asarray(options.numbers("pos_weight", pos_weight))
    if array.size and not (array.min() >= 0 and array.max() < math.inf):
        raise ValueError(NOT_POSITIVE.format(pos_weight))
    return torch.tensor(array.tolist(), dtype=dtype, device=device)


def check_pos_weight(pos_weight: torch.Tensor, dtype: torch.dtype) -> None:
    """Refuse a tensor on a CPU with values that no `pos_weight` may have, once until it changes.

    Args:
        pos_weight: The tensor.
        dtype: The precision to compute in.

    Raises:
        ValueError: A number is negative or not finite, in its own precision or in that.
    """
    place, version = id(pos_weight), None if pos_weight.is_inference() else pos_weight._version
    known = _checked.get(place)
    if known is not None and known[0]() is pos_weight and known[1:] == (version, dtype):
        return
    values = pos_weight.detach()
    values = values if values.is_floating_point() else values.double()
    if values.numel() and not (values.min().item() >= 0 and values.max().item() < math.inf):
        found = f"values from {values.min().item():.9g} to {values.max().item():.9g}"
        raise ValueError(NOT_POSITIVE.format(found if values.dim() else f"{values.item():.9g}"))
    if values.dtype is torch.float64 and dtype is torch.float32:
        options.check_precision([("pos_weight", values.numpy())], "float32")
    _checked[place] = weakref.ref(pos_weight, lambda _: _checked.pop(place, None)), version, dtype


@constant_when_compiled
def check_precision(dtype: str, *values: Any) -> None:
    """Refuse the options of a `losses.Pointwise`, given by its values, that do not fit into a precision."""
    return _check_precision(losses.Pointwise(*values), dtype)


@functools.lru_cache(maxsize=256)
def _check_precision(loss, dtype):
    options.check_precision(loss.options, dtype)


_checked: dict[int, tuple[weakref.ref[torch.Tensor], int | None, torch.dtype]] = {}


def _made_once(make: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function from plain numbers to a loss: convert the arguments to those, and cache losses."""
    parameters = inspect.signature(make).parameters
    optional = {name for name, parameter in parameters.items() if parameter.default is None}

    @functools.lru_cache(maxsize=256)
    def kept(*values):
        if any(value is not None and type(value) not in options.PLAIN for value in values):
            raise TypeError  # a tensor is hashed by its identity, not by its value
        return make(*values)

    @constant_when_compiled
    def literals(*values):
        kind, (build, *choices), *others = kept(*values).values()
        return kind, build.__name__, tuple(choices), *others

    def plain(name, value):
        return value if value is None and name in optional else number(name, value)

    @functools.wraps(make)
    def loss_of(*values):
        if torch.compiler.is_dynamo_compiling():
            values = [plain(name, value) for name, value in zip(parameters, values, strict=True)]
            values = [value if value is None else guarded_number(value) for value in values]
            kind, name, choices, *others = literals(*values)  # a constant must not contain a function
            return losses.Pointwise(kind, (getattr(formulas, name), *choices), *others)
        try:
            return kept(*values)
        except TypeError:
            pass  # an argument is not a plain number
        return kept(*map(plain, parameters, values))

    return loss_of


def binary_cross_entropy_of(
    from_logits: bool, pos_weight: Any, label_smoothing: Any, ignore_index: Any, input: Any
) -> tuple[Any, torch.Tensor | None]:
    """Return the loss, and `pos_weight` as a tensor like the input; a number is a part of the loss."""
    if pos_weight is not None and not isinstance(pos_weight, (*options.PLAIN, np.generic)):
        if not isinstance(pos_weight, torch.Tensor):
            dtype = torch.float64 if getattr(input, "dtype", None) is torch.float64 else torch.float32
            pos_weight = tensor_of_pos_weight(pos_weight, dtype, getattr(input, "device", None))
        return _binary_cross_entropy(from_logits, label_smoothing, True, ignore_index, None), pos_weight
    return _binary_cross_entropy(from_logits, label_smoothing, False, ignore_index, pos_weight), None


@_made_once
def _binary_cross_entropy(from_logits, label_smoothing, is_weighted, ignore_index=None, pos_weight=None):
    loss = losses.BinaryCrossentropy(from_logits, label_smoothing, pos_weight=pos_weight, ignore_label=ignore_index)
    pointwise = loss.pointwise.read_as(None if from_logits else "clamped_probability")
    return pointwise.with_pos_weight(1.0) if is_weighted else pointwise


@_made_once
def focal_loss_of(gamma, label_smoothing, alpha=None, ignore_index=None):
    """Return the loss; an `alpha` of None or -1 balances nothing."""
    balance = options.class_balance(alpha)
    loss = losses.BinaryFocalCrossentropy(*balance, gamma, True, label_smoothing, ignore_label=ignore_index)
    return loss.pointwise


@_made_once
def asymmetric_loss_of(gamma_neg, gamma_pos, label_smoothing, clip=None, ignore_index=None):
    """Return the loss; a `clip` of None is 0."""
    clip = clip or 0.0
    if not 0 <= clip < 1:
        raise ValueError(f"`clip` must lie in [0, 1), or be None for 0; got {clip!r}.")
    options.check_precision([("clip", clip)], "float32")  # the loss itself calls it a margin
    loss = losses.AsymmetricCrossentropy(gamma_pos, gamma_neg, clip, True, label_smoothing, ignore_label=ignore_index)
    return loss.pointwise


@_made_once
def poly_loss_of(epsilon_1, label_smoothing, ignore_index=None):
    """Return the loss."""
    return losses.PolyBinaryCrossentropy(epsilon_1, True, label_smoothing, ignore_label=ignore_index).pointwise
