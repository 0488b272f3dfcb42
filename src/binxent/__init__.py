"""Binary cross-entropy and its relatives, exact and at the speed of memory.

    >>> import binxent as bx
    >>> loss = bx.BinaryCrossentropy(from_logits=True)
    >>> print(loss([[0, 1], [0, 0]], [[-18.6, 0.51], [2.94, -12.8]], sample_weight=[0.8, 0.2]).round(3))
    0.244

The names here are those of `binxent.numpy`, which follow Keras. Other frameworks have modules of their own:
`binxent.torch`, `binxent.jax`, `binxent.tensorflow`, `binxent.keras` and `binxent.tf_keras`. Nothing is imported before
it is needed: NumPy with the first name, the compiler with the first call that computes, a framework never.
"""

from importlib import import_module

TYPE_CHECKING = False  # the name tells type checkers what to read; importing it from typing would take 10 ms
if TYPE_CHECKING:
    from binxent.numpy import (
        AsymmetricCrossentropy,
        BinaryCrossentropy,
        BinaryFocalCrossentropy,
        PolyBinaryCrossentropy,
        asymmetric_crossentropy,
        balanced_pos_weight,
        binary_crossentropy,
        binary_focal_crossentropy,
        get_num_threads,
        pointwise,
        poly_binary_crossentropy,
        prior_logit,
        set_num_threads,
        sigmoid_cross_entropy_with_logits,
        value_and_grad,
        value_grad_hess,
        weighted_cross_entropy_with_logits,
    )
    from binxent.workbench import BinaryClassifier as BinaryClassifier

    __version__: str

__all__ = [
    "AsymmetricCrossentropy",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "PolyBinaryCrossentropy",
    "asymmetric_crossentropy",
    "balanced_pos_weight",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "get_num_threads",
    "pointwise",
    "poly_binary_crossentropy",
    "prior_logit",
    "set_num_threads",
    "sigmoid_cross_entropy_with_logits",
    "value_and_grad",
    "value_grad_hess",
    "weighted_cross_entropy_with_logits",
]


if not TYPE_CHECKING:  # a type checker that sees it would take every name for one of this module's

    def __getattr__(name):
        if name in __all__:
            value = globals()[name] = getattr(import_module("binxent.numpy"), name)
            return value
        if name == "BinaryClassifier":  # not in `__all__`: a star import must not need scikit-learn
            return import_module("binxent.workbench").BinaryClassifier
        if name == "__version__":
            return import_module("importlib.metadata").version("binxent")
        raise AttributeError(f"module 'binxent' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
