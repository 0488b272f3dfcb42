"""Objects that are their parameters: frozen, equal where the parameters are, copied and pickled by them."""

from dataclasses import fields
from functools import cached_property
from typing import Any, Self

from binxent._core.pointwise import identity


class Frozen:
    """An object whose attributes are parameters and cannot be set afterwards: the base of frozen dataclasses."""

    def __setattr__(self, name: str, value: Any) -> None:
        kind = type(self).__name__
        if name in getattr(self, "__dataclass_fields__", ()):
            words = (
                f"`{name}` of a '{kind}' cannot be set afterwards, as losses are compared and kept by their "
                f"parameters. Make a new one with {name}={value!r}, as dataclasses.replace does."
            )
        else:
            words = f"A '{kind}' has no parameter `{name}`. A subclass declares it, as a field of a frozen dataclass."
        raise AttributeError(words, name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"`{name}` of a '{type(self).__name__}' cannot be deleted.", name=name, obj=self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the parameters, whatever `__init__` takes; everything else is derived from them again."""
        return self._restored, (self._state(),)

    # The method of `dataclass` compares field by field from Python 3.13 on, and NaN does not equal itself.
    def __eq__(self, other: object) -> bool:
        """Compare kinds and parameters; NaN equals NaN, because it means the same as an `ignore_label`."""
        if not isinstance(other, Frozen) or type(self) is not type(other):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @cached_property
    def _identity(self):
        return identity(self._state().values())

    def _set(self, **values):
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _state(self):
        """Return the parameters: the fields, as every other attribute follows from them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # pyright: ignore[reportArgumentType]

    @classmethod
    def _restored(cls, state: dict[str, Any]) -> Self:
        made = cls.__new__(cls)
        made._set(**state)
        made._complete()
        return made

    def _complete(self):
        """Set what follows from the parameters."""
        raise NotImplementedError


def keep_frozen_errors(kind: type) -> None:
    """Remove the `__setattr__` and `__delattr__` that `dataclass` adds: those of `Frozen` have better errors."""
    for each in kind.__mro__:
        if "__dataclass_params__" in vars(each):
            for name in {"__setattr__", "__delattr__"} & set(vars(each)):
                delattr(each, name)
