"""The part of a loss that concerns a single prediction and label, which drivers compute."""

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from binxent._core import formulas


@dataclass(frozen=True, eq=False)
class Pointwise:
    """The part of a loss that concerns a single prediction and label: all that a driver needs of it.

    Attributes:
        prediction_kind: How predictions are read, a name of `_core.formula_parts.prediction_kinds`.
        formula_key: The function that builds the formula, as those of `_core.formulas`, and its choices.
        constants: The numbers that the formula takes; a tuple in place of a number has one for each label of the last
            axis.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        ignore_label: Entries with this label, a number or NaN, take no part.
        epsilon: Probabilities are clipped to [epsilon, 1 - epsilon]; None takes them exactly.
    """

    prediction_kind: str
    formula_key: tuple[Any, ...]
    constants: tuple[Any, ...] = ()
    label_smoothing: float = 0.0
    ignore_label: float | None = None
    epsilon: float | None = None

    # Caches and compilers look losses up by equality, so NaN must equal NaN.
    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Pointwise) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self):
        return identity(self.values())

    def values(self) -> tuple[Any, ...]:
        """Return the attributes in their order."""
        return (
            self.prediction_kind,
            self.formula_key,
            self.constants,
            self.label_smoothing,
            self.ignore_label,
            self.epsilon,
        )

    def read_as(self, prediction_kind: str | None) -> "Pointwise":
        """Return the same with another prediction kind; None changes nothing."""
        return self if prediction_kind is None else replace(self, prediction_kind=prediction_kind)

    def with_pos_weight(self, pos_weight: Any) -> "Pointwise":
        """Return the same with another `pos_weight`: a number, a tuple, or the tensor of a driver.

        Raises:
            TypeError: The loss has no `pos_weight`.
        """
        if self.formula_key[0] not in (formulas.bce, formulas.unweighted_bce):
            raise TypeError(f"`pos_weight` is a parameter of binary cross-entropy; `{self.name}` has none.")
        return replace(self, formula_key=(formulas.bce,), constants=(pos_weight,))

    def plain(self) -> "Pointwise":
        """Return the same for labels that are smoothed already, none of them ignored."""
        return replace(self, label_smoothing=0.0, ignore_label=None)

    @cached_property
    def has_number_per_label(self) -> bool:
        """Whether a constant has a number for each label."""
        return tuple in map(type, self.constants)

    @property
    def name(self) -> str:
        """The name of the formula."""
        return self.formula_key[0].__name__

    @property
    def constant_names(self) -> tuple[str, ...]:
        """The parameters that the constants come from, for errors about them."""
        names = getattr(self.formula_key[0], "constant_names", ())
        return names + tuple(f"constant {k}" for k in range(len(names), len(self.constants)))

    @property
    def options(self) -> tuple[tuple[str, Any], ...]:
        """The names and the values of all numbers that the formula is computed with."""
        constants = zip(self.constant_names, self.constants, strict=True)
        return *constants, ("label_smoothing", self.label_smoothing), ("epsilon", self.epsilon)


def element_part(loss: Any) -> Pointwise:
    """Return the `Pointwise` of a loss.

    Raises:
        TypeError: It is not a loss.
    """
    found = None if isinstance(loss, type) else getattr(loss, "pointwise", None)
    if isinstance(found, Pointwise):
        return found
    if isinstance(loss, type) and hasattr(loss, "define"):
        raise TypeError(f"`loss` must be a loss; got the class. Make one of it: {loss.__name__}().")
    if isinstance(loss, Pointwise):
        raise TypeError("`loss` must be a loss; got its attribute `pointwise`. Pass the loss itself.")
    if hasattr(loss, "define"):
        raise TypeError(
            f"`{type(loss).__name__}` has chosen no formula: its own `__init__` or `__post_init__` must call that "
            "of the class above it."
        )
    raise TypeError(
        "`loss` must be a loss of `binxent.losses`, as BinaryCrossentropy(from_logits=True); got "
        f"{reprlib.repr(loss)}. It comes first, then predictions and labels."
    )


def identity(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the values as a tuple with NaN replaced, so that tuples with NaN in the same places are equal."""
    return tuple(
        identity(value) if isinstance(value, tuple) else "NaN" if value != value else value for value in values
    )
