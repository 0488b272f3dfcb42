"""What other libraries get wrong, as one table: what each of them gives, what is right, and the doors that give it.

`test_peers.py` runs the rows, and `documents/test_failings.py` what needs Keras 3, on each of its backends.
"""

import math

import ml_dtypes
import numpy as np
from support.calls import (
    all_keras,
    bce,
    classifier,
    evaluated,
    focal,
    half_means,
    hiding,
    in_an_unknown_shape,
    our_focal,
    our_weighted,
    ours,
    ragged,
    theirs,
    trained,
    weighted,
)
from support.failing import Failing, gives, on_keras
from support.peers import (
    F,
    bx_jax,
    bx_keras,
    bx_tf,
    bx_tf_keras,
    bx_torch,
    in_jax,
    in_keras,
    in_tensorflow,
    in_torch,
    jnp,
    keras,
    of_keras,
    of_optax,
    of_tensorflow,
    of_torch,
    optax,
    published_focal,
    published_soft_bce,
    tf,
    tf_keras,
    torch,
)

import binxent as bx

INF, NAN = math.inf, math.nan
LN2 = math.log(2)
HALF, BFLOAT = np.float16, ml_dtypes.bfloat16
LEAST_HALF = float(np.finfo(HALF).smallest_subnormal)
EPSILON = float(np.finfo("float32").eps)
TAIL = math.exp(-20)  # to float32's last digit, both a cost and a slope
THREE, HIDDEN = [0, NAN, INF], [1, -1, -1]  # -1 marks what is ignored
STEPS = np.arange(9.0).reshape(3, 3, 1) - 4
ROWS = [[1, 1, 1], [0, 1, 1], [0, 0, 1]]


def faded(gamma):
    """Return the focal loss of a logit of 30 whose label is 1, with its slope."""
    miss = math.exp(-30)
    return [miss ** (gamma + 1), -(gamma + 1) * miss ** (gamma + 1)]


FAILINGS = [
    Failing(
        "An infinite logit with the right label costs NaN.",
        [0, 0, 0],
        gives([NAN, 0, 0], theirs([INF, -INF], [1, 0])),
        ours([INF, -INF], [1, 0]),
    ),
    Failing(
        "A weight of 0 over NaN or infinity leaves NaN in the loss and in the gradient.",
        [LN2, -0.5, 0, 0],
        gives([NAN, -0.5, NAN, 0], theirs(THREE, [1, 1, 0], [1.0, 0.0, 0.0])),
        ours(THREE, [1, 1, 0], [1.0, 0.0, 0.0]),
    ),
    Failing(
        "A mask over the loss leaves NaN in the gradient.",
        [LN2, -0.5, 0, 0],
        {
            "optax": (
                lambda: in_jax(hiding(jnp.where, lambda y: of_optax(optax.sigmoid_binary_cross_entropy, y)), THREE),
                [LN2, -0.5, NAN, 0],
            ),
            "TensorFlow": (
                lambda: in_tensorflow(
                    hiding(tf.where, lambda y: of_tensorflow(tf.nn.sigmoid_cross_entropy_with_logits, y)), THREE
                ),
                [LN2, -0.5, NAN, 0],
            ),
            **gives(
                [NAN, -0.5, NAN, 0],
                on_keras(
                    lambda: in_keras(
                        of_keras(keras.losses, "BinaryCrossentropy", [1, 1, 0], mask=[1, 0, 0], from_logits=True), THREE
                    )
                ),
            ),
        },
        {
            "binxent.jax": lambda: in_jax(
                of_optax(bx_jax.sigmoid_binary_cross_entropy, HIDDEN, ignore_label=-1), THREE
            ),
            "binxent.tensorflow": lambda: in_tensorflow(
                of_tensorflow(bx_tf.sigmoid_cross_entropy_with_logits, HIDDEN, ignore_label=-1), THREE
            ),
            "binxent.keras": lambda: in_keras(
                of_keras(bx_keras, "BinaryCrossentropy", [1, 1, 0], mask=[1, 0, 0], from_logits=True), THREE
            ),
        },
    ),
    Failing(
        "Focal loss with gamma 0.5 has a gradient of NaN where a prediction is right and certain.",
        faded(0.5),
        gives([0, NAN], focal([30], [1], 0.5)),
        our_focal([30], [1], 0.5),
    ),
    Failing(
        "Focal loss with gamma 0 has a gradient of NaN where a prediction is right and certain.",
        faded(0),
        gives([faded(0)[0], NAN], focal([30], [1], 0.0), "tf_keras", "Keras on TensorFlow")
        | gives([EPSILON, NAN], focal([30], [1], 0.0), "Keras on JAX"),
        our_focal([30], [1], 0.0),
    ),
    Failing(
        "Focal loss clips logits, so that the most wrong predictions have next to no gradient.",
        [30, -1],
        gives([16.118095, -3.0165e-12], focal([-30], [1], 2), "Keras on JAX", "Keras on PyTorch"),
        our_focal([-30], [1], 2),
    ),
    Failing(
        "In float16 the mean of 94,000 losses is 0 and that of 95,000 is NaN.",
        [HALF(LN2)] * 2,
        gives([0, NAN], on_keras(lambda: half_means(keras.losses)())),
        {"binxent": half_means(bx), "binxent.keras": half_means(bx_keras)},
    ),
    Failing(
        "In bfloat16 the mean of 100,000 losses of 0.69 is 0.0026.",
        BFLOAT(LN2),
        {"NumPy": (lambda: np.full(100_000, LN2, BFLOAT).mean(), 0.00256348)},
        {
            "binxent": bce(bx, np.ones(100_000), np.zeros(100_000), dtype="bfloat16"),
            "binxent.keras": bce(bx_keras, np.ones(100_000), np.zeros(100_000), dtype="bfloat16"),
        },
    ),
    Failing(
        "In float16 a certain and right probability costs NaN.",
        [2 * LEAST_HALF, 2 * LEAST_HALF],
        gives(
            [NAN, 0],
            on_keras(bce(keras.losses, [[1], [0]], [[1], [0]], from_logits=False, reduction=None, dtype="float16")),
            "Keras on JAX",
            "Keras on TensorFlow",
        ),
        {
            "binxent": bce(bx, [[1], [0]], [[1], [0]], from_logits=False, reduction=None, dtype="float16"),
            "binxent.keras": bce(bx_keras, [[1], [0]], [[1], [0]], from_logits=False, reduction=None, dtype="float16"),
        },
    ),
    Failing(
        "In float16 a certain and right probability has a gradient of NaN.",
        [0, 0, 0],
        {"PyTorch": (lambda: in_torch(of_torch(F.binary_cross_entropy, [1, 0]), [1, 0], "float16"), [0, NAN, NAN])},
        {"binxent.torch": lambda: in_torch(of_torch(bx_torch.binary_cross_entropy, [1, 0]), [1, 0], "float16")},
    ),
    Failing(
        "A model that ends in a sigmoid and is certain of the wrong answer learns nothing: its gradient is 0.",
        [40, -1],
        gives(
            [15.942385, 0],
            on_keras(lambda: trained(classifier(40, keras.losses, "sigmoid"), [[0.0]])),
            "Keras on JAX",
            "Keras on PyTorch",
        ),
        {"binxent.keras": lambda: trained(bx_keras.logits_model(classifier(40, bx_keras, "sigmoid")), [[0.0]])},
    ),
    Failing(
        "In mixed precision a model that ends in a sigmoid and is certain of the wrong answer learns nothing.",
        [40, -1],
        gives(
            [15.942385, 0],
            on_keras(lambda: trained(classifier(40, keras.losses, "sigmoid", 1, "mixed_float16"), [[0.0]])),
        ),
        {
            "binxent.keras": lambda: trained(
                bx_keras.logits_model(classifier(40, bx_keras, "sigmoid", 1, "mixed_float16")), [[0.0]]
            )
        },
    ),
    Failing(
        "Probabilities passed as logits, from a model that ends in a sigmoid: a wrong loss, without a warning.",
        UserWarning("from_logits"),
        gives(
            0.474077,
            on_keras(evaluated(lambda: classifier(0, keras.losses, "sigmoid", from_logits=True), [[1.0]])),
            "Keras on JAX",
            "Keras on PyTorch",
        ),
        {"binxent.keras": evaluated(lambda: classifier(0, bx_keras, "sigmoid", from_logits=True), [[1.0]])},
    ),
    Failing(
        "Logits passed as probabilities, from a model without a sigmoid: a wrong loss, without a warning.",
        Exception("from_logits=True"),
        gives(EPSILON, on_keras(evaluated(lambda: classifier(3, keras.losses), [[1.0]]))),
        {"binxent.keras": evaluated(lambda: classifier(3, bx_keras), [[1.0]])},
    ),
    Failing(
        "A softmax's output is read as if it came from a sigmoid: the loss is not that of the probabilities.",
        15.942385,
        gives(
            math.log1p(math.exp(3)),
            on_keras(evaluated(lambda: classifier(3, keras.losses, "softmax"), [[0.0]])),
            "Keras on TensorFlow",
        ),
        {"binxent.keras": evaluated(lambda: classifier(3, bx_keras, "softmax"), [[0.0]])},
    ),
    Failing(
        "A predicted probability outside [0, 1] is clipped without a warning.",
        ValueError("[0, 1]"),
        gives(EPSILON, on_keras(bce(keras.losses, [1], [3], from_logits=False)))
        | {"tf_keras": (bce(tf_keras.losses, [1], [3.0], from_logits=False), 0)},
        {"binxent": bce(bx, [1], [3], from_logits=False)},
    ),
    Failing(
        "A label outside [0, 1] is accepted, and the loss becomes negative.",
        ValueError("[0, 1]"),
        gives([-3.873072, -2.119203], theirs([2], [3])),
        {"binxent": ours([2], [3])["binxent"]},
    ),
    Failing(
        "label_smoothing outside [0, 1] is accepted, and the loss becomes negative.",
        ValueError("`label_smoothing` must lie in [0, 1]"),
        gives(
            -0.066974,
            on_keras(bce(keras.losses, [1.0], [0.3], label_smoothing=3.0, from_logits=False)),
            "Keras on JAX",
            "Keras on TensorFlow",
        )
        | {"tf_keras": (bce(tf_keras.losses, [1.0], [0.3], label_smoothing=3.0, from_logits=False), -0.066974)},
        {
            "binxent": bce(bx, [1.0], [0.3], label_smoothing=3.0),
            "binxent.jax": lambda: bx_jax.sigmoid_binary_cross_entropy(jnp.ones(1), jnp.ones(1), label_smoothing=3.0),
            "binxent.torch": lambda: bx_torch.BCEWithLogitsLoss(label_smoothing=3.0)(torch.ones(1), torch.ones(1)),
            "binxent.tensorflow": lambda: bx_tf.sigmoid_cross_entropy_with_logits([1.0], [1.0], label_smoothing=3.0),
            "binxent.keras": bce(bx_keras, [1.0], [0.3], label_smoothing=3.0),
            "binxent.tf_keras": bce(bx_tf_keras, [1.0], [0.3], label_smoothing=3.0),
        },
    ),
    Failing(
        "alpha has no effect without apply_class_balancing, and there is no warning.",
        UserWarning("alpha=0.9 has no effect without apply_class_balancing=True"),
        gives(
            0,
            on_keras(lambda: np.ptp([keras.losses.BinaryFocalCrossentropy(alpha=a)([1.0], [0.3]) for a in (0.1, 0.9)])),
        ),
        {
            "binxent": lambda: bx.BinaryFocalCrossentropy(alpha=0.9),
            "binxent.keras": lambda: bx_keras.BinaryFocalCrossentropy(alpha=0.9),
            "binxent.tf_keras": lambda: bx_tf_keras.BinaryFocalCrossentropy(alpha=0.9),
        },
    ),
    Failing(
        "With several labels, class_weight weighs a whole row by the class of its first positive label.",
        (3 + (1 + 2 * 10) + 3 * 100) / 9 * LN2,
        gives(
            (1 + 10 + 100) / 3 * LN2,
            on_keras(
                lambda: trained(
                    classifier(0, keras.losses, outputs=3, from_logits=True), ROWS, class_weight={0: 1, 1: 10, 2: 100}
                )[0]
            ),
        ),
        {
            "binxent.keras": lambda: trained(
                classifier(0, bx_keras, outputs=3, from_logits=True, pos_weight=[1, 10, 100]), ROWS
            )[0],
            "binxent.tf_keras": bce(bx_tf_keras, ROWS, np.zeros((3, 3)), pos_weight=[1, 10, 100]),
        },
    ),
    Failing(
        "The weights of outputs of shape (N,) are averaged apart from the losses: mean(loss) mean(weight).",
        math.log1p(math.exp(3)),
        gives(2.162926, on_keras(bce(keras.losses, [1, 1, 1], [-1, -2, -3], [0, 0, 3]))),
        all_keras(bce, [1, 1, 1], [-1, -2, -3], [0, 0, 3]),
    ),
    Failing(
        "The weights (B,) of samples weigh the steps of outputs (B, T, 1) where B is T.",
        np.logaddexp(0, -STEPS[2]).sum() / 9,
        gives(
            np.logaddexp(0, -STEPS[:, 2]).sum() / 9, on_keras(bce(keras.losses, np.ones((3, 3, 1)), STEPS, [0, 0, 1]))
        ),
        all_keras(bce, np.ones((3, 3, 1)), STEPS, [0, 0, 1]),
    ),
    Failing(
        "A weight for each label of a sample is refused.",
        LN2 / 2,
        gives(Exception(""), on_keras(bce(keras.losses, np.ones((3, 2)), np.zeros((3, 2)), [[1, 0]] * 3)))
        | {"tf_keras": (bce(tf_keras.losses, np.ones((3, 2)), np.zeros((3, 2)), [[1, 0]] * 3), Exception(""))},
        all_keras(bce, np.ones((3, 2)), np.zeros((3, 2)), [[1, 0]] * 3),
    ),
    Failing(
        "The sum over an empty batch is an empty array.",
        0,
        gives([], on_keras(bce(keras.losses, np.ones((0, 1)), np.ones((0, 1)), reduction="sum"))),
        all_keras(bce, np.ones((0, 1)), np.ones((0, 1)), reduction="sum"),
    ),
    Failing(
        "A RaggedTensor is refused.",
        np.logaddexp(0, [-2, -1, -0.5]) @ [0.25, 0.25, 0.5],
        gives(Exception("RaggedTensor"), on_keras(ragged(keras.losses)), "Keras on TensorFlow"),
        {"binxent.tf_keras": ragged(bx_tf_keras), "binxent.keras on TensorFlow": ragged(bx_keras)},
    ),
    Failing(
        "The configuration of a loss lacks its dtype.",
        True,
        gives(False, on_keras(lambda: "dtype" in keras.losses.BinaryCrossentropy(dtype="float64").get_config())),
        {"binxent.keras": lambda: "dtype" in bx_keras.BinaryCrossentropy(dtype="float64").get_config()},
    ),
    Failing(
        "The weighted form's gradient at a logit of 0 is 0 for positives and twice as large for negatives.",
        [4 * LN2, -1.5, 0.5],
        {"TensorFlow": (weighted(tf.nn, [1, 0], [0, 0]), [4 * LN2, 0, 1])},
        our_weighted([1, 0], [0, 0]),
    ),
    Failing(
        "The weighted form gives 0 for the small costs of right negatives.",
        [TAIL, TAIL],
        {"TensorFlow": (weighted(tf.nn, [0], [-20]), [0, TAIL])},
        our_weighted([0], [-20]),
    ),
    Failing(
        "The small costs of right negatives are 0.",
        [TAIL, TAIL],
        gives([0, TAIL], theirs([-20], [0]), "PyTorch"),
        ours([-20], [0]),
    ),
    Failing(
        "The small gradients of right positives are 0.",
        [TAIL, -TAIL],
        gives([TAIL, 0], theirs([20], [1]), "PyTorch"),
        ours([20], [1]),
    ),
    Failing(
        "Labels of shape (4,) are paired with every one of logits of shape (4, 1).",
        Exception("must have the same shape"),
        {
            "TensorFlow": (in_an_unknown_shape(tf.nn), (4, 4)),
            "optax": (lambda: optax.sigmoid_binary_cross_entropy(jnp.ones((4, 1)), jnp.ones(4)).shape, (4, 4)),
        },
        {
            "binxent": lambda: bx.sigmoid_cross_entropy_with_logits(np.ones(4), np.ones((4, 1))),
            "binxent.tensorflow": in_an_unknown_shape(bx_tf),
            "binxent.jax": lambda: bx_jax.sigmoid_binary_cross_entropy(jnp.ones((4, 1)), jnp.ones(4)),
        },
    ),
    Failing(
        "An unknown reduction is no reduction.",
        ValueError("'avg'"),
        {"torchvision, fvcore": (lambda: published_focal(torch.ones(3), torch.ones(3), 2, "avg").shape, (3,))},
        {"binxent.torch": lambda: bx_torch.sigmoid_focal_loss(torch.ones(3), torch.ones(3), reduction="avg")},
    ),
    Failing(
        "A mean counts what it ignores.",
        LN2,
        {"smp, kornia": (lambda: published_soft_bce(torch.zeros(4), torch.tensor([1.0, 0, -1, -1]), -1), LN2 / 2)},
        {
            "binxent.torch": lambda: bx_torch.binary_cross_entropy_with_logits(
                torch.zeros(4), torch.tensor([1.0, 0, -1, -1]), ignore_index=-1
            ),
            "binxent": bce(bx, [1, 0, -1, -1], [0.0] * 4, ignore_label=-1),
            **all_keras(bce, [1, 0, -1, -1], [0.0] * 4, ignore_label=-1),
        },
    ),
    Failing(
        "Labels that are integers are refused.",
        LN2,
        {
            "PyTorch": (
                lambda: F.binary_cross_entropy_with_logits(torch.zeros(2), torch.tensor([0, 1])),
                RuntimeError("Long"),
            )
        },
        {"binxent.torch": lambda: bx_torch.binary_cross_entropy_with_logits(torch.zeros(2), torch.tensor([0, 1]))},
    ),
]
