"""The public path of what a door offers, wherever in its folder it is defined."""

from types import ModuleType
from typing import Any


def publish(namespace: dict[str, Any]) -> None:
    """Set `__module__` of everything in `__all__` that a private module defines to the door that re-exports it.

    Pickles, reprs and Keras's configs then name the public path, and survive when definitions move.

    Args:
        namespace: `globals()` of the door's `__init__`.
    """
    for name in namespace["__all__"]:
        value = namespace[name]
        if not isinstance(value, ModuleType) and "._" in getattr(value, "__module__", ""):
            value.__module__ = namespace["__name__"]
