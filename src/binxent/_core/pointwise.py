"""The part of a loss that concerns a single prediction and label, which drivers compute."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from binxent._core import formulas


@dataclass(frozen=True, eq=False)
class Pointwise:
    """The part of a loss that concerns a single prediction and label: all that a driver has to know of it.

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

    # Caches and compilers go by it, and NaN in it must equal NaN.
    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Pointwise) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self):
        return identity(self.values())

    def values(self) -> tuple[Any, ...]:
        """The attributes in their order."""
        return (
            self.prediction_kind,
            self.formula_key,
            self.constants,
            self.label_smoothing,
            self.ignore_label,
            self.epsilon,
        )

    def read_as(self, prediction_kind: str | None) -> "Pointwise":
        """The same with another prediction kind; None changes nothing."""
        return self if prediction_kind is None else replace(self, prediction_kind=prediction_kind)

    def with_pos_weight(self, pos_weight: Any) -> "Pointwise":
        """The same with another `pos_weight`, a number, a tuple, or what stands for it in a driver.

        Raises:
            TypeError: The loss has no `pos_weight`.
        """
        if self.formula_key[0] not in (formulas.bce, formulas.unweighted_bce):
            raise TypeError(f"`pos_weight` is a parameter of binary cross-entropy; `{self.name}` has none.")
        return replace(self, formula_key=(formulas.bce,), constants=(pos_weight,))

    def plain(self) -> "Pointwise":
        """The same for labels that are smoothed already, none of them ignored."""
        return replace(self, label_smoothing=0.0, ignore_label=None)

    @property
    def name(self) -> str:
        """The name of the formula."""
        return self.formula_key[0].__name__

    @property
    def constant_names(self) -> tuple[str, ...]:
        """The parameters that the constants come from, for errors about them."""
        names = getattr(self.formula_key[0], "constant_names", ())
        return names + tuple(f"constant {k}" for k in range(len(names), len(self.constants)))


def element_part(loss: Any) -> Pointwise:
    """Return the `Pointwise` of a loss.

    Raises:
        TypeError: It is no loss.
    """
    found = getattr(loss, "pointwise", None)
    if not isinstance(found, Pointwise):
        if hasattr(loss, "define") and not isinstance(loss, type):
            raise TypeError(
                f"`{type(loss).__name__}` has chosen no formula: its own `__init__` or `__post_init__` must call that "
                "of the class above it."
            )
        raise TypeError(
            f"`loss` must be a loss of `binxent.losses`, as BinaryCrossentropy(from_logits=True); got {loss!r}. It "
            "comes first, then predictions and labels."
        )
    return found


def identity(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return a tuple of the values that equals another of the same meaning: NaN gives way to what equals itself."""
    return tuple(
        identity(value) if isinstance(value, tuple) else "NaN" if value != value else value for value in values
    )


def checked_choice(kind: str, chosen: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Check what the method `define` of a loss returns, so that no compiler meets a mistake first.

    Args:
        kind: The name of the loss, for errors.
        chosen: What was returned.

    Returns:
        `Pointwise.formula_key` and `Pointwise.constants`.

    Raises:
        TypeError: It is something else than two tuples, the formula cannot be computed, or it gives something else than
            three numbers.
    """
    match chosen:
        case ((build, *_) as key, tuple(constants)) if isinstance(key, tuple) and callable(build):
            pass
        case _:
            raise TypeError(
                f"`{kind}.define` must return two tuples: the function that builds the formula with its choices, and "
                f"the constants, as ((hill,), (1.5,)); got {chosen!r}."
            )
    if build.__module__ != formulas.__name__:
        _try(kind, key, tuple(constant[0] if isinstance(constant, tuple) else constant for constant in constants))
    return key, constants


@lru_cache
def _try(kind, key, constants):
    """Compute a formula once, on plain numbers."""
    name = getattr(key[0], "__name__", key[0])
    advice = "It is made from the parts `f`, takes (state, y, constants), and returns loss, slope and curvature."
    names = getattr(key[0], "constant_names", ())
    if names and len(names) != len(constants):
        raise TypeError(
            f"`{kind}.define` returns {len(constants)} constants, and the formula `{name}` names {len(names)}: "
            f"{', '.join(names)}. Return one for each name."
        )
    try:
        with np.errstate(all="ignore"):
            results = formulas.define(np)("logit", *key)(np.float64(0.5), np.float64(1), 0.0, constants)
    except Exception as error:
        raise TypeError(f"The formula `{name}` of `{kind}` cannot be computed: {error!r}. {advice}") from error
    if (
        not isinstance(results, tuple)
        or len(results) != 3
        or not all(np.isreal(one) and np.ndim(one) == 0 for one in results)
    ):
        raise TypeError(f"The formula `{name}` of `{kind}` must give three numbers; got {results!r}. {advice}")
