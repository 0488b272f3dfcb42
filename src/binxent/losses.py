"""What each loss is: its parameters, their defaults, what they may be, and the formula they choose.

One frozen dataclass per loss. Doors read the parameters, `form` and `constants`, and leave the rest to
`_core/shapes.py` and to a driver. As they stand, the classes are the NumPy door's: callable on arrays.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property

import numpy as np

from binxent._core.formulas import spelling
from binxent._core.shapes import standard_axis, standard_reduction

DTYPES = ("float64", "float32", "float16", "bfloat16")


class Loss:
    """What the losses have in common.

    Attributes:
        from_logits: Whether predictions are logits (any real number) or probabilities (in [0, 1]).
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        axis: The axis or axes to average over; None averages over all of them, () over none.
        reduction: "sum_over_batch_size" (also "mean" or "auto"), "sum", "mean_with_sample_weight", "none" (also None).
        name: The name under which the loss is shown.
        dtype: Floating dtype of the result; None takes that of the predictions.
        ignore_label: Entries with this label, a number or NaN, take no part, nor do they count in a mean.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon] as Keras does; None takes them exactly.
        form: Name of the formula and its choices, as `formulas.define` takes them.
        constants: The numbers that the formula takes.
    """

    from_logits: bool
    label_smoothing: float
    axis: int | tuple[int, ...] | None
    reduction: str | None
    name: str | None
    dtype: str | None
    ignore_label: float | None
    epsilon: float | None
    form: tuple
    constants: tuple

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The reduced loss of NumPy arrays.

        Args:
            y_true: Labels in [0, 1], of any real dtype, in the shape of `y_pred` but perhaps for a last axis of one.
            y_pred: Predictions, logits or probabilities.
            sample_weight: A number, or an array in the shape of `y_pred` or of its leading axes.

        Returns:
            A NumPy scalar; with the reduction "none" an array with one loss per sample.

        Raises:
            ValueError: Shapes do not match, or a label, probability or weight has an impossible value.
            TypeError: An array holds no real numbers.
        """
        from binxent.numpy._functions import (
            evaluate,  # the door stands on this module, so it cannot be imported at the top
        )

        return evaluate(self, y_true, y_pred, sample_weight)

    @property
    def reading(self):
        """How the formula reads predictions."""
        if self.from_logits:
            return "logit"
        # From 2^-24 on, 1 - epsilon is less than 1 in float32: nothing can be infinite, and nothing needs a guard.
        return "clipped_probability" if self.epsilon and self.epsilon >= 2**-24 else "probability"

    def __reduce__(self):
        """Copies and pickles by parameters: what follows from them is worked out anew."""
        return self.from_config, (self.get_config(),)

    # What `dataclass` would add compares one parameter after the other from Python 3.13 on, and NaN with NaN.
    def __eq__(self, other):
        """Compares kinds and parameters; NaN equals NaN, for it says the same as an `ignore_label`."""
        return self._identity == other._identity if type(self) is type(other) else NotImplemented

    def __hash__(self):
        return hash(self._identity)

    @cached_property
    def _identity(self):
        return identity(getattr(self, field.name) for field in fields(self))  # pyright: ignore[reportArgumentType]

    def get_config(self):
        """The parameters as a dictionary of plain values, which `from_config` takes back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # pyright: ignore[reportArgumentType]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_config(cls, config):
        """The loss of a `get_config`, from here or from Keras 2 or 3."""
        return cls(**config)

    def _standardize(self, **own):
        """Refuses impossible parameters and brings the others into one form, so that equal losses compare equal."""
        _check("label_smoothing", self.label_smoothing, 0, 1)
        if self.epsilon is not None and not 0 <= self.epsilon < 0.5:
            raise ValueError(f"`epsilon` must lie in [0, 0.5), or be None for no clip; got {self.epsilon!r}.")
        ignore_label = self.ignore_label
        if ignore_label is not None and math.isnan(ignore_label):
            ignore_label = math.nan  # one object, so that tuples that hold it are equal
        standard = {
            "axis": standard_axis(self.axis),
            "reduction": standard_reduction(self.reduction),
            "dtype": _standard_dtype(self.dtype),
            "ignore_label": ignore_label,
        }
        for key, value in (standard | own).items():
            object.__setattr__(self, key, value)


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
    axis: int | tuple[int, ...] | None = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "binary_crossentropy"
    dtype: str | None = None
    _: KW_ONLY
    pos_weight: float | tuple[float, ...] | Mapping[int, float] | None = None
    ignore_label: float | None = None
    epsilon: float | None = 1e-7

    def __post_init__(self):
        pos_weight = _standard_pos_weight(self.pos_weight)
        constants = (1.0 if pos_weight is None else pos_weight,)
        self._standardize(pos_weight=pos_weight, form=("bce",), constants=constants)


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
    axis: int | tuple[int, ...] | None = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "binary_focal_crossentropy"
    dtype: str | None = None
    _: KW_ONLY
    ignore_label: float | None = None
    epsilon: float | None = 1e-7

    def __post_init__(self):
        _check("alpha", self.alpha, 0, 1)
        _check("gamma", self.gamma, 0)
        alpha, beta = (self.alpha, 1 - self.alpha) if self.apply_class_balancing else (1.0, 1.0)
        self._standardize(form=("focal", spelling(self.gamma)), constants=(alpha, beta, self.gamma))
        if self.alpha != 0.25 and not self.apply_class_balancing:
            warnings.warn(
                f"alpha={self.alpha} has no effect without apply_class_balancing=True.", UserWarning, stacklevel=3
            )


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
    axis: int | tuple[int, ...] | None = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "asymmetric_crossentropy"
    dtype: str | None = None
    _: KW_ONLY
    ignore_label: float | None = None
    epsilon: float | None = 1e-7

    def __post_init__(self):
        _check("gamma_pos", self.gamma_pos, 0)
        _check("gamma_neg", self.gamma_neg, 0)
        if not 0 <= self.margin < 1:
            raise ValueError(f"`margin` must lie in [0, 1); got {self.margin!r}.")
        form = ("asymmetric", spelling(self.gamma_pos), spelling(self.gamma_neg), self.margin > 0)
        self._standardize(form=form, constants=(self.gamma_pos, self.gamma_neg, self.margin))


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
    axis: int | tuple[int, ...] | None = -1
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "poly_binary_crossentropy"
    dtype: str | None = None
    _: KW_ONLY
    ignore_label: float | None = None
    epsilon: float | None = 1e-7

    def __post_init__(self):
        _check("epsilon_1", self.epsilon_1, -math.inf)
        self._standardize(form=("poly",), constants=(self.epsilon_1,))


def identity(values):
    """A tuple of the values that equals another if they say the same: NaN gives way to what equals itself."""
    return tuple("NaN" if value != value else value for value in values)


def _check(name, value, low, high=math.inf):
    if not (low <= value <= high and math.isfinite(value)):
        bounds = f"lie in [{low}, {high}]" if high < math.inf else f"be >= {low}" if low > -math.inf else "be finite"
        raise ValueError(f"`{name}` must {bounds}; got {value!r}.")


def _standard_pos_weight(pos_weight):
    if pos_weight is None:
        return None
    if isinstance(pos_weight, Mapping):
        missing = set(range(len(pos_weight))).symmetric_difference(pos_weight)
        if missing or not pos_weight:
            raise ValueError(
                "`pos_weight` must have a number for each label from 0 on, 1.0 where nothing is to change; "
                f"got {pos_weight!r}."
            )
        pos_weight = [pos_weight[label] for label in range(len(pos_weight))]
    weights = np.asarray(pos_weight, float)
    if weights.ndim > 1:
        raise ValueError(
            f"`pos_weight` must be a number or hold one number per label of the last axis; got shape {weights.shape}."
        )
    if not np.all((weights >= 0) & (weights < np.inf)):
        raise ValueError(f"`pos_weight` must be finite and >= 0; got {pos_weight!r}.")
    return tuple(weights.tolist()) if weights.ndim else float(weights)


def _standard_dtype(dtype):
    if dtype is None:
        return None
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    if name not in DTYPES:
        raise ValueError(f"`dtype` must be one of {', '.join(DTYPES)}, or None for that of `y_pred`; got {dtype!r}.")
    return name
