"""The losses: their parameters with defaults and limits, and the formula that the parameters choose.

One frozen dataclass per loss, callable on NumPy arrays. The doors read the parameters and `pointwise`, and leave the
rest to `_core` and to a driver. `FAMILY` lists the losses; a loss of your own derives from `ElementwiseLoss`.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, Self

from numpy.typing import ArrayLike, DTypeLike

from binxent._core import formulas
from binxent._core.dtypes import standard_dtype
from binxent._core.formulas import LINEAR, formula, power_kind
from binxent._core.frozen import Frozen, keep_frozen_errors
from binxent._core.options import boolean, number, standard_pos_weight
from binxent._core.own_losses import check_config, checked_choice, standard_parameters
from binxent._core.pointwise import Pointwise
from binxent._core.public_names import publish
from binxent._core.shapes import standard_axis, standard_reduction
from binxent._core.types import Axis, Reduced, Reduction
from binxent._kernels import loaded_arrays

__all__ = [
    "FAMILY",
    "LINEAR",
    "AsymmetricCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "ElementwiseLoss",
    "Loss",
    "Pointwise",
    "PolyBinaryCrossentropy",
    "formula",
]


class Loss(Frozen):
    """What the losses have in common.

    Attributes:
        from_logits: Whether predictions are logits (any real number) or probabilities (in [0, 1]).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        reduction: "sum_over_batch_size" (also "mean" or "auto"), "sum", "mean_with_sample_weight", "none" (also None).
            The average over `axis` comes first, as in Keras: of scores of shape (N,), "sum" with axis=-1 is the mean.
            For the sum of N losses pass axis=().
        name: The name under which the loss is shown.
        dtype: Floating dtype of the result; None takes that of the predictions.
        ignore_label: Entries with this label, a number or NaN, take no part and do not count in a mean.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] as Keras does; None takes them exactly.

    Raises:
        ValueError: A parameter is out of its range.
        TypeError: A parameter is of another kind.
    """

    from_logits: bool
    label_smoothing: float
    axis: Axis
    reduction: Reduction | None
    name: str | None
    dtype: DTypeLike | None
    ignore_label: float | None
    epsilon: float | None
    pointwise: Pointwise

    def define(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Choose the formula.

        Returns:
            The function that builds it with its choices, and its constants: `Pointwise.formula_key` and `.constants`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define its formula: a method `define` returns it.")

    def __post_init__(self) -> None:
        """Refuse impossible parameters and bring the others into one form, so that equal losses compare equal."""
        if type(self).__setattr__ is not Frozen.__setattr__:
            keep_frozen_errors(type(self))
        if type(self) not in FAMILY:
            self._set(**standard_parameters(self, Loss.__annotations__))
        self._set(from_logits=boolean("from_logits", self.from_logits))
        self._check("label_smoothing", 0, 1)
        if self.epsilon is not None and not 0 <= self._make_number("epsilon") < 0.5:
            raise ValueError(f"`epsilon` must lie in [0, 0.5), or be None for no clip; got {self.epsilon!r}.")
        ignore_label = None if self.ignore_label is None else self._make_number("ignore_label")
        if ignore_label is not None and math.isnan(ignore_label):
            ignore_label = math.nan  # one object, so that tuples that hold it are equal
        self._set(
            axis=standard_axis(self.axis),
            reduction=standard_reduction(self.reduction),
            dtype=standard_dtype(self.dtype),
            ignore_label=ignore_label,
        )
        self._complete()

    def _complete(self):
        kind, chosen = type(self), self.define()
        if not (kind.define.__module__ or "").startswith("binxent."):
            chosen = checked_choice(kind, chosen)
        common = self.label_smoothing, self.ignore_label, self.epsilon
        self._set(pointwise=Pointwise(self.prediction_kind, *chosen, *common))

    def _make_number(self, name):
        """Make a parameter the plain number that it holds now."""
        self._set(**{name: number(name, getattr(self, name))})
        return getattr(self, name)

    def _check(self, name, low, high=math.inf):
        """Make a parameter a plain number, and refuse an impossible one."""
        value = self._make_number(name)
        if not (low <= value <= high and math.isfinite(value)):
            bounds = f"lie in [{low}, {high}]" if high < math.inf else f"be >= {low}" if low == 0 else "be finite"
            raise ValueError(f"`{name}` must {bounds}; got {value!r}.")

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Reduced:
        """Compute the reduced loss of NumPy arrays.

        Args:
            y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred` but perhaps for a last axis of one.
                Here and below, entries that a masked array (np.ma) masks take no part.
            y_pred: Predictions, logits or probabilities.
            sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.

        Returns:
            A NumPy scalar; with the reduction "none" an array with one loss per sample.

        Raises:
            ValueError: Shapes do not match, or a label, probability or weight has an impossible value.
            TypeError: An array holds no real numbers.
        """
        return loaded_arrays().evaluate(self, y_true, y_pred, sample_weight)

    @property
    def prediction_kind(self) -> str:
        """How the formula reads predictions."""
        if self.from_logits:
            return "logit"
        # From 2^-24 on, 1 - epsilon is less than 1 in float32: nothing can be infinite, and nothing needs a guard.
        return "clipped_probability" if self.epsilon and self.epsilon >= 2**-24 else "probability"

    def per_entry(self) -> Self:
        """Return the same loss with one result for each entry, in the dtype of the predictions."""
        return self._restored(self._state() | {"axis": (), "reduction": "none", "dtype": None})

    def get_config(self) -> dict[str, Any]:
        """Return the parameters as a dictionary of plain values, which `from_config` takes back."""
        given = [field.name for field in fields(self) if field.init]  # pyright: ignore[reportArgumentType]
        values = {name: getattr(self, name) for name in given}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the loss of a `get_config`, from here or from Keras 2 or 3."""
        check_config(cls, config)
        return cls(**config)


@dataclass(frozen=True, eq=False, kw_only=True)
class ElementwiseLoss(Loss):
    """The base of a loss of your own: a frozen dataclass with its parameters, and a formula.

    `Loss` explains the common parameters, which are keyword-only here. The subclass adds its own parameters and a
    method `define`, and is then a loss on NumPy arrays and usable through `pointwise` of every door.

    Example:
        >>> @formula("scale", in_label=LINEAR)
        ... def scaled_bce(f):
        ...     entropy = f.entropy
        ...     @f.jit
        ...     def scaled_bce(state, label, constants):
        ...         y, not_y = label
        ...         (scale,) = constants
        ...         return entropy(scale * y, scale * not_y, scale, state)
        ...     return scaled_bce
        >>> @dataclass(frozen=True, eq=False)
        ... class ScaledBinaryCrossentropy(ElementwiseLoss):
        ...     scale: float = 1.0
        ...     def define(self):
        ...         return (scaled_bce,), (self.scale,)
        >>> print(ScaledBinaryCrossentropy(2.0, from_logits=True)([1.0], [0.0]).round(6))
        1.386294
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: Axis = -1
    reduction: Reduction | None = "sum_over_batch_size"
    name: str | None = None
    dtype: DTypeLike | None = None
    ignore_label: float | None = None
    epsilon: float | None = 1e-7


@dataclass(frozen=True, eq=False)
class BinaryCrossentropy(Loss):
    """Binary cross-entropy: c y a + (1 - y) b, where a = -log p and b = -log(1 - p).

    `Loss` explains the common parameters; those up to `dtype` are `keras.losses.BinaryCrossentropy`'s.

    Attributes:
        pos_weight: c, what a positive counts: a number, or one for each label on the last axis, also as a mapping
            {label: number}, in the manner of Keras's `class_weight`.

    Example:
        >>> loss = BinaryCrossentropy(from_logits=True)
        >>> print(loss([0, 1, 0, 0], [-18.6, 0.51, 2.94, -12.8]).round(3))
        0.865
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: Axis = -1
    reduction: Reduction | None = "sum_over_batch_size"
    name: str | None = "binary_crossentropy"
    dtype: DTypeLike | None = None
    _: KW_ONLY
    pos_weight: ArrayLike | Mapping[int, float] | None = None
    ignore_label: float | None = None
    epsilon: float | None = 1e-7

    def __post_init__(self) -> None:
        self._set(pos_weight=standard_pos_weight(self.pos_weight))
        super().__post_init__()

    def define(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Choose the formula: with every label at the same weight, a quarter of the arithmetic falls away."""
        if self.pos_weight in (None, 1.0):
            return (formulas.unweighted_bce,), ()
        return (formulas.bce,), (self.pos_weight,)


@dataclass(frozen=True, eq=False)
class BinaryFocalCrossentropy(Loss):
    """Focal loss: (1 - p_t)^gamma (y a + (1 - y) b), where p_t = y p + (1 - y) (1 - p) is the probability of the truth.

    `Loss` explains the common parameters; those up to `dtype` are `keras.losses.BinaryFocalCrossentropy`'s.
    From Lin et al., "Focal Loss for Dense Object Detection", 2017, section 3.

    Attributes:
        apply_class_balancing: Whether to multiply the loss by y alpha + (1 - y) (1 - alpha).
        alpha: What positives count, in [0, 1]; negatives count 1 - alpha.
        gamma: How strongly easy entries fade, any number >= 0; 0 is binary cross-entropy.

    Example:
        >>> loss = BinaryFocalCrossentropy(gamma=2.0)
        >>> print(loss([1.0, 0.0], [0.9, 0.4]).round(6))
        0.041393
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: Axis = -1
    reduction: Reduction | None = "sum_over_batch_size"
    name: str | None = "binary_focal_crossentropy"
    dtype: DTypeLike | None = None
    _: KW_ONLY
    ignore_label: float | None = None
    epsilon: float | None = 1e-7

    def __post_init__(self) -> None:
        self._set(apply_class_balancing=boolean("apply_class_balancing", self.apply_class_balancing))
        self._check("alpha", 0, 1)
        self._check("gamma", 0)
        super().__post_init__()
        if self.alpha != 0.25 and not self.apply_class_balancing:
            warnings.warn(
                f"alpha={self.alpha} has no effect without apply_class_balancing=True.", UserWarning, stacklevel=3
            )

    def define(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Choose the formula."""
        alpha, beta = (self.alpha, 1 - self.alpha) if self.apply_class_balancing else (1.0, 1.0)
        return (formulas.focal, power_kind(self.gamma)), (alpha, beta, self.gamma)


@dataclass(frozen=True, eq=False)
class AsymmetricCrossentropy(Loss):
    """Asymmetric loss: y (1 - p)^gamma_pos a + (1 - y) p_m^gamma_neg (-log(1 - p_m)), where p_m = max(p - margin, 0).

    `Loss` explains the common parameters. From Ridnik et al., "Asymmetric Loss For Multi-Label Classification", 2021,
    equations 4 to 6.

    Attributes:
        gamma_pos: How strongly easy positives fade, any number >= 0.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        margin: Negatives with a probability up to this cost nothing, in [0, 1).

    Example:
        >>> loss = AsymmetricCrossentropy(from_logits=True)
        >>> print(loss([1.0, 0.0], [2.0, -3.5]).round(6))
        0.007565
    """

    gamma_pos: float = 1.0
    gamma_neg: float = 4.0
    margin: float = 0.05
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: Axis = -1
    reduction: Reduction | None = "sum_over_batch_size"
    name: str | None = "asymmetric_crossentropy"
    dtype: DTypeLike | None = None
    _: KW_ONLY
    ignore_label: float | None = None
    epsilon: float | None = 1e-7

    def __post_init__(self) -> None:
        self._check("gamma_pos", 0)
        self._check("gamma_neg", 0)
        if not 0 <= self._make_number("margin") < 1:
            raise ValueError(f"`margin` must lie in [0, 1); got {self.margin!r}.")
        super().__post_init__()

    def define(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Choose the formula."""
        kinds = power_kind(self.gamma_pos), power_kind(self.gamma_neg)
        return (formulas.asymmetric, *kinds, self.margin > 0), (self.gamma_pos, self.gamma_neg, self.margin)


@dataclass(frozen=True, eq=False)
class PolyBinaryCrossentropy(Loss):
    """Poly-1 loss: binary cross-entropy + epsilon_1 (1 - p_t), where p_t is the probability of the truth.

    `Loss` explains the common parameters. From Leng et al., "PolyLoss", 2022, equation 5.

    Attributes:
        epsilon_1: Coefficient of the first term of the loss's polynomial in 1 - p_t; the paper's own name for it keeps
            it apart from the `epsilon` that clips probabilities.

    Example:
        >>> loss = PolyBinaryCrossentropy(epsilon_1=2.0)
        >>> print(loss([1.0, 0.0], [0.9, 0.4]).round(6))
        0.808093
    """

    epsilon_1: float = 1.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: Axis = -1
    reduction: Reduction | None = "sum_over_batch_size"
    name: str | None = "poly_binary_crossentropy"
    dtype: DTypeLike | None = None
    _: KW_ONLY
    ignore_label: float | None = None
    epsilon: float | None = 1e-7

    def __post_init__(self) -> None:
        self._check("epsilon_1", -math.inf)
        super().__post_init__()

    def define(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Choose the formula."""
        return (formulas.poly,), (self.epsilon_1,)


FAMILY: tuple[type[Loss], ...] = (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    AsymmetricCrossentropy,
    PolyBinaryCrossentropy,
)
"""The losses that have names in every framework's dialect."""

publish(globals())
