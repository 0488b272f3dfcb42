"""The base of the classes of both Keras doors: they hold the options of a loss, and users can extend them."""

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

from binxent._core.frozen import Frozen

OF_CLASSES = ("reduction", "name", "dtype")  # options that a function of one loss per sample does not have
OF_KERAS = ("from_logits", "label_smoothing", "axis")  # options that Keras's functions have


class Configured:
    """A Keras object whose options are those of `spec`, a loss of `binxent.losses`.

    The options are attributes, too, which cannot be set: `loss.from_logits`. A subclass names the kind of its `spec` by
    a class keyword, `class BinaryCrossentropy(Loss, spec=losses.BinaryCrossentropy)`.
    """

    spec: Any
    _keras_options: ClassVar[tuple[str, ...]]  # attributes that Keras sets itself

    def __init_subclass__(cls, spec: type[Frozen] | None = None, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if spec is None:
            return
        if not (isinstance(spec, type) and issubclass(spec, Frozen)):
            raise TypeError(
                f"`spec` of `{cls.__name__}` must be a class of `binxent.losses`, or derived from `ElementwiseLoss`; "
                f"got {reprlib.repr(spec)}."
            )
        cls._spec_type = spec

    @classmethod
    def _spec_type(cls, **options: Any) -> Any:
        """Refuse to make a spec of a class without a kind: subclasses have the kind under this name."""
        raise TypeError(
            f"`{cls.__name__}` computes no loss. Derive it from a class that does, as BinaryCrossentropy; or name a "
            f"kind, as in `class {cls.__name__}(..., spec=binxent.losses.BinaryCrossentropy)`."
        )

    def __getattr__(self, name: str) -> Any:
        if name == "spec" or name.startswith("_"):  # not there yet: while copying, or after a failed __init__
            raise AttributeError(f"'{type(self).__name__}' object has no attribute {name!r}", name=name, obj=self)
        return getattr(self.spec, name)

    def __setattr__(self, name: str, value: Any) -> None:
        spec = vars(self).get("spec")
        is_option = spec is not None and name in spec.__dataclass_fields__ and name not in self._keras_options
        if (spec is not None and name == "spec") or (is_option and not _holds(spec, name, value)):
            raise AttributeError(
                f"`{name}` of a '{type(self).__name__}' cannot be set afterwards, as compiled training steps would not "
                f"follow. Make a new one with {name}={value!r}.",
                name=name,
                obj=self,
            )
        if not is_option:
            super().__setattr__(name, value)

    def _set_spec(self, spec):
        """Set the spec; values that a subclass has set before, under the names of options, must be the same."""
        options = set(spec.__dataclass_fields__) - set(self._keras_options)
        early = {name: vars(self).pop(name) for name in options & set(vars(self))}
        self.spec = spec
        for name, value in early.items():
            setattr(self, name, value)

    def get_config(self) -> dict[str, Any]:
        """Return the options as a dictionary of plain values, which `from_config` takes back."""
        return self.spec.get_config() | self._keras_config()

    def _keras_config(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the object of a `get_config`, from here, from Keras 3 or from Keras 2."""
        return cls(**{key: value for key, value in config.items() if key != "fn"})  # Keras 2 has `fn` in it, too


class ConfiguredLoss(Configured):
    """A Keras loss as users extend it: by a `call` or a `fn` of their own."""

    fn: Callable[..., Any]
    _own_fn: ClassVar[Callable[..., Any]]
    # The module that computes the losses of a door's tensors: `sample_losses` and `with_matching_ranks`.
    _evaluation: ClassVar[Any]

    def __init_subclass__(
        cls, spec: type[Frozen] | None = None, fn: Callable[..., Any] | None = None, **keywords: Any
    ) -> None:
        super().__init_subclass__(spec=spec, **keywords)
        if spec is not None:
            cls.fn = cls._own_fn = staticmethod(fn or cls._function_of(spec))

    @classmethod
    def _function_of(cls, spec):
        """Return a function of (y_true, y_pred) and options that computes the loss per sample."""
        return lambda y_true, y_pred, **options: cls._evaluation.sample_losses(spec(**options), y_true, y_pred)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss per sample, without weights."""
        if self.fn is self._own_fn:
            return self._evaluation.sample_losses(self.spec, y_true, y_pred, may_lack_last=True)
        return self.fn(*self._evaluation.with_matching_ranks(y_true, y_pred), **self._fn_kwargs)

    _own_call = call

    def _is_extended(self):
        """Return whether `call` or `fn` is no longer the one of this package."""
        return getattr(self.call, "__func__", None) is not type(self)._own_call or self.fn is not self._own_fn

    @property
    def _fn_kwargs(self):
        """The options to pass to `fn`: those that Keras's functions have, and others without their default."""
        spec: Any = self.spec
        options = {field.name: getattr(spec, field.name) for field in fields(spec) if field.name not in OF_CLASSES}
        defaults = {field.name: field.default for field in fields(spec)}
        kept = {name: value for name, value in options.items() if name in OF_KERAS or value != defaults[name]}
        return MappingProxyType(kept)


def arguments(namespace: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an `__init__` from its `locals()`."""
    return {name: value for name, value in namespace.items() if name not in ("self", "__class__")}


def _holds(spec, name, value):
    """Return whether an option has a value already, in any form in which it can be given."""
    try:
        return replace(spec, **{name: value}) == spec
    except (TypeError, ValueError):
        return False
