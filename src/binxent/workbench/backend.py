"""The backend of Keras on which networks are trained."""

from __future__ import annotations

import os
import sys


def require_jax(purpose: str) -> None:
    """Choose Keras's backend JAX, unless Keras has it already.

    Args:
        purpose: What needs it, for the error.

    Raises:
        ValueError: If the environment names another backend, or Keras has been imported with one.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "jax")
    if backend != "jax":
        raise ValueError(f"{purpose} runs on Keras's backend jax, and KERAS_BACKEND is {backend!r}; unset it.")
    keras = sys.modules.get("keras")
    if keras is not None and (backend := keras.backend.backend()) != "jax":
        raise ValueError(
            f"{purpose} runs on Keras's backend jax, and Keras has been imported with {backend!r}; set KERAS_BACKEND "
            "to jax before Keras is imported, or use another process."
        )
