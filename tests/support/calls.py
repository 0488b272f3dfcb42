"""The calls behind the table in `failings.py`: the same question to other libraries, and to the doors of binxent."""

import numpy as np
from support.failing import on_keras
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
    keras,
    of_keras,
    of_numpy,
    of_optax,
    of_tensorflow,
    of_tf_keras,
    of_torch,
    ops,
    optax,
    published_focal,
    tf,
    tf_keras,
    torch,
)

import binxent as bx


def theirs(x, y, weight=None):
    """Binary cross-entropy of logits by others, with its slopes."""
    bce = {"kind": "BinaryCrossentropy", "y": y, "weight": weight, "from_logits": True}
    unweighted = {
        "TensorFlow": lambda: in_tensorflow(of_tensorflow(tf.nn.sigmoid_cross_entropy_with_logits, y), x),
        "optax": lambda: in_jax(of_optax(optax.sigmoid_binary_cross_entropy, y), x),
    }
    return (unweighted if weight is None else {}) | {
        "PyTorch": lambda: in_torch(of_torch(F.binary_cross_entropy_with_logits, y, weight), x),
        "tf_keras": lambda: in_tensorflow(of_tf_keras(tf_keras.losses, **bce), x),
        **on_keras(lambda: in_keras(of_keras(keras.losses, **bce), x)),
    }


def ours(x, y, weight=None):
    """Binary cross-entropy of logits by our doors, with its slopes."""
    bce = {"kind": "BinaryCrossentropy", "y": y, "weight": weight, "from_logits": True}
    unweighted = {
        "binxent.tensorflow": lambda: in_tensorflow(of_tensorflow(bx_tf.sigmoid_cross_entropy_with_logits, y), x),
        "binxent.jax": lambda: in_jax(of_optax(bx_jax.sigmoid_binary_cross_entropy, y), x),
    }
    return (unweighted if weight is None else {}) | {
        "binxent": lambda: of_numpy(bx.BinaryCrossentropy(True, reduction="sum"), x, y, weight),
        "binxent.torch": lambda: in_torch(of_torch(bx_torch.binary_cross_entropy_with_logits, y, weight), x),
        "binxent.tf_keras": lambda: in_tensorflow(of_tf_keras(bx_tf_keras, **bce), x),
        "binxent.keras": lambda: in_keras(of_keras(bx_keras, **bce), x),
    }


def hiding(where, function):
    """Return the loss of the first of three entries; the framework's `where` hides the other two."""
    return lambda z: where(np.array([True, False, False]), function([1.0, 1.0, 0.0])(z), 0.0)


def focal(x, y, gamma):
    """Focal loss of logits by others, with its slopes."""
    options = {"kind": "BinaryFocalCrossentropy", "y": y, "gamma": gamma, "from_logits": True}
    return {
        "torchvision, fvcore": lambda: in_torch(lambda z: published_focal(z, torch.tensor(y, dtype=z.dtype), gamma), x),
        "tf_keras": lambda: in_tensorflow(of_tf_keras(tf_keras.losses, **options), x),
        **on_keras(lambda: in_keras(of_keras(keras.losses, **options), x)),
    }


def our_focal(x, y, gamma):
    options = {"kind": "BinaryFocalCrossentropy", "y": y, "gamma": gamma, "from_logits": True}
    return {
        "binxent": lambda: of_numpy(bx.BinaryFocalCrossentropy(gamma=gamma, from_logits=True, reduction="sum"), x, y),
        "binxent.tensorflow": lambda: in_tensorflow(
            of_tensorflow(bx_tf.sigmoid_focal_cross_entropy_with_logits, y, gamma=gamma), x
        ),
        "binxent.jax": lambda: in_jax(of_optax(bx_jax.sigmoid_focal_loss, y, gamma=gamma), x),
        "binxent.torch": lambda: in_torch(of_torch(bx_torch.sigmoid_focal_loss, y, alpha=-1, gamma=gamma), x),
        "binxent.tf_keras": lambda: in_tensorflow(of_tf_keras(bx_tf_keras, **options), x),
        "binxent.keras": lambda: in_keras(of_keras(bx_keras, **options), x),
    }


def weighted(module, y, x):
    """TensorFlow's form in which a positive counts 3."""
    return lambda: in_tensorflow(of_tensorflow(module.weighted_cross_entropy_with_logits, y, pos_weight=3.0), x)


def our_weighted(y, x):
    return {
        "binxent": lambda: of_numpy(bx.BinaryCrossentropy(True, pos_weight=3, reduction="sum"), x, y),
        "binxent.tensorflow": weighted(bx_tf, y, x),
        "binxent.jax": lambda: in_jax(of_optax(bx_jax.sigmoid_binary_cross_entropy, y, pos_weight=3), x),
        "binxent.torch": lambda: in_torch(of_torch(bx_torch.binary_cross_entropy_with_logits, y, pos_weight=3), x),
    }


def bce(module, y, x, weight=None, **options):
    """Return the loss of Keras, or of a door in its dialect, as users call it."""

    def call():
        loss = module.BinaryCrossentropy(**{"from_logits": True} | options)
        got = loss(np.array(y), np.array(x), None if weight is None else np.array(weight))
        return np.array(got if module in (bx, bx_tf_keras) else ops.convert_to_numpy(ops.cast(got, "float32")), float)

    return call


def half_means(module):
    """Return the means in float16 of the losses of 94,000 and of 95,000 logits of 0."""
    means = [bce(module, np.ones((n, 1)), np.zeros((n, 1)), dtype="float16") for n in (94_000, 95_000)]
    return lambda: [mean() for mean in means]


def classifier(logit, module, activation=None, outputs=1, dtype=None, **options):
    """Return a compiled model whose logits are this number for an input of 1."""
    constant = keras.initializers.Constant(logit)
    head = keras.layers.Dense(outputs, activation, kernel_initializer=constant, dtype=dtype)
    model = keras.Sequential([keras.Input((1,)), head])
    model.compile(keras.optimizers.SGD(1.0), module.BinaryCrossentropy(**options))
    return model


def trained(model, y, **options):
    """Return the loss of one step on labels, and how far the kernel moved."""
    kernel = model.layers[-1].kernel
    before = ops.convert_to_numpy(kernel)
    loss = model.train_on_batch(np.ones((len(y), 1)), np.array(y), **options)
    return [float(loss), *(ops.convert_to_numpy(kernel) - before)[0]]


def evaluated(model, y):
    return lambda: model().evaluate(np.ones((len(y), 1)), np.array(y), verbose=0)


def in_an_unknown_shape(module):
    """Return the shape of the loss of labels (4,) and logits (4, 1) in a graph without static shapes."""

    def call():
        unknown = tf.TensorSpec(None)
        function = tf.function(module.sigmoid_cross_entropy_with_logits, input_signature=[unknown, unknown])
        return function(tf.zeros(4), tf.zeros((4, 1))).shape

    return call


def ragged(module):
    """Return the mean over rows of their mean loss, where all labels are 1."""
    return lambda: float(
        module.BinaryCrossentropy(from_logits=True)(
            tf.ragged.constant([[1.0, 1.0], [1.0]]), tf.ragged.constant([[2.0, 1.0], [0.5]])
        )
    )


def all_keras(call, *arguments, **options):
    """Return the three doors in Keras's dialect."""
    doors = {"binxent": bx, "binxent.tf_keras": bx_tf_keras, "binxent.keras": bx_keras}
    return {name: call(module, *arguments, **options) for name, module in doors.items()}
