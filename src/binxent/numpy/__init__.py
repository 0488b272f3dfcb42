"""The losses on NumPy arrays, with the names, arguments and numbers of Keras; `import binxent` has the same names."""

from binxent._core.public_names import publish
from binxent.losses import (
    AsymmetricCrossentropy,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    PolyBinaryCrossentropy,
)
from binxent.numpy._class_balance import balanced_pos_weight, prior_logit
from binxent.numpy._derivatives import value_and_grad, value_grad_hess
from binxent.numpy._functions import (
    asymmetric_crossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    pointwise,
    poly_binary_crossentropy,
    sigmoid_cross_entropy_with_logits,
    weighted_cross_entropy_with_logits,
)
from binxent.numpy._threads import get_num_threads, set_num_threads

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

publish(globals())
