"""Random configurations, and what every door of binxent and every other library makes of them where it is right.

A configuration is made from its seed alone; what fails is reported as the line that runs it again.
"""

import functools
from collections import Counter
from typing import NamedTuple

import ml_dtypes
import numpy as np
from support.compare import close
from support.peers import (
    F,
    bx_jax,
    bx_keras,
    bx_tf,
    bx_tf_keras,
    bx_torch,
    by_keras,
    by_tensorflow,
    by_torch,
    jax,
    jnp,
    keras,
    optax,
    published_focal,
    tf,
    tf_keras,
    torch,
)

import binxent as bx

SHAPES = [(7,), (5, 1), (4, 3), (1, 6), (2, 3, 4), (3, 3, 1), (2, 1, 2, 3)]
DTYPES = {name: np.dtype(name) for name in ("float32", "float64", "float16")} | {
    "bfloat16": np.dtype(ml_dtypes.bfloat16)
}
LABELS = ["float32", "int32", "bool", "soft"]
REDUCTIONS = ["sum_over_batch_size", "sum", "mean_with_sample_weight", "none"]

# Relative, and absolute for results of size 1. Some peers subtract (torch), clip (Keras) or compute in halves.
TOLERANCES = {"float64": (1e-9, 1e-12), "float32": (5e-5, 2e-6), "float16": (1e-2, 5e-3), "bfloat16": (4e-2, 3e-2)}


class Configuration(NamedTuple):
    """A loss with its options, and what it is asked about."""

    kind: str
    options: dict  # in Keras's words
    pos_weight: float | None
    y: np.ndarray
    x: np.ndarray
    dtype: str
    weight: np.ndarray | None
    reduction: str
    axis: int

    @property
    def from_logits(self):
        return self.options["from_logits"]

    @property
    def is_focal(self):
        return self.kind == "BinaryFocalCrossentropy"

    @property
    def smooth(self):
        """The labels after smoothing, for libraries that know none."""
        return self.y.astype(float) * (1 - self.options["label_smoothing"]) + self.options["label_smoothing"] / 2

    @property
    def alpha(self):
        """Torchvision's and optax's word for class balancing, of which -1 is none."""
        return self.options["alpha"] if self.options["apply_class_balancing"] else -1.0


def configuration(seed):
    rng = np.random.default_rng(seed)
    shape, dtype, labels = (
        choices[rng.integers(len(choices))] for choices in (SHAPES, ["float32"] * 5 + list(DTYPES), LABELS)
    )
    options = {
        "from_logits": bool(rng.integers(2)),
        "label_smoothing": float(rng.choice([0, 0, 0.1, 1])),
    }
    kind = ["BinaryCrossentropy", "BinaryFocalCrossentropy"][rng.integers(2)]
    if kind == "BinaryFocalCrossentropy":
        options |= {"gamma": float(rng.choice([0, 0.5, 1, 2, 3, 4.7]))}
        options |= {"apply_class_balancing": bool(rng.integers(2)), "alpha": 0.25}
        if options["apply_class_balancing"]:
            options["alpha"] = float(rng.choice([0.25, 0.9]))
    weighted = kind == "BinaryCrossentropy" and rng.random() < 0.3
    y = rng.random(shape, "float32") if labels == "soft" else rng.integers(0, 2, shape).astype(labels)
    z = rng.normal(0, 3, shape)
    return Configuration(
        kind,
        options,
        float(3 * rng.random()) if weighted else None,
        y,
        np.array(z if options["from_logits"] else 0.01 + 0.98 / (1 + np.exp(-z))),
        dtype,
        rng.random(shape[: rng.integers(len(shape) + 1)], "float32") if rng.random() < 0.5 else None,
        REDUCTIONS[rng.integers(len(REDUCTIONS))],
        int(rng.integers(-len(shape), len(shape))) if rng.random() < 0.2 else -1,
    )


# What a configuration makes of losses and slopes that are given for each element.


def factors(c):
    """Return what each element counts in the sum of the results."""
    weight = np.ones(c.x.shape)
    if c.weight is not None:
        weight *= c.weight.reshape(c.weight.shape + (1,) * (c.x.ndim - c.weight.ndim))
    if c.reduction in ("none", "sum"):
        return weight / c.x.shape[c.axis]
    return weight / (c.x.size if c.reduction == "sum_over_batch_size" else weight.sum())


def reduced(c, derivatives):
    loss, slope = derivatives
    return (factors(c) * loss).sum(c.axis if c.reduction == "none" else None), factors(c) * slope


@functools.cache
def compiled(function, static=()):
    """Return a function of JAX with its slopes; compiling takes longer than anything else here."""

    def derivatives(x, y, options):
        loss, pull = jax.vjp(lambda x: function(x, y, **dict(static), **options), x)
        return loss, pull(jnp.ones_like(loss))[0]

    return jax.jit(derivatives)


def padded(derivatives, c, y, **options):
    """Return derivatives in the shape of the predictions; padded to a single shape, for which JAX compiles once."""
    x = np.resize(c.x, 24).astype(DTYPES[c.dtype])
    return [
        np.asarray(part, float)[: c.x.size].reshape(c.x.shape) for part in derivatives(x, np.resize(y, 24), options)
    ]


# The peers: what each of them gives, and where it is right.


def of_class(module, c, **options):
    """Return a loss in Keras's dialect as a function of predictions."""
    loss = getattr(module, c.kind)(**c.options, **options, reduction=c.reduction, axis=c.axis)
    return lambda x: loss(c.y.astype("float32"), x, c.weight)


def is_weighed_right(c):
    """Whether Keras's own weights mean what they say.

    Keras lines them up with the losses of samples, from the right; it averages them apart from the losses where outputs
    have one axis. A weight that is a number is taken for the sum of all weights, and takes an axis of one away.
    """
    if c.weight is None:
        return True
    if c.weight.ndim == 0:
        return c.reduction != "mean_with_sample_weight" and 1 not in c.x.shape
    return c.axis in (-1, c.x.ndim - 1) and c.weight.shape == c.x.shape[:-1]


def by_keras_itself(c):
    return by_keras(of_class(keras.losses, c, dtype=c.dtype), c.x, c.dtype)


def by_tf_keras_itself(c):
    return by_tensorflow(of_class(tf_keras.losses, c), c.x, c.dtype)


def by_tf_nn(c):
    def loss(z):
        y = tf.constant(c.smooth, z.dtype)
        if c.pos_weight is None:
            return tf.nn.sigmoid_cross_entropy_with_logits(y, z)
        return tf.nn.weighted_cross_entropy_with_logits(y, z, c.pos_weight)

    return reduced(c, by_tensorflow(loss, c.x, c.dtype))


def by_optax(c):
    derivatives = compiled(optax.sigmoid_focal_loss if c.is_focal else optax.sigmoid_binary_cross_entropy)
    options = {}
    if (
        c.is_focal
    ):  # which has no way to say to a compiled function that there is no alpha: a half is half of everything
        options = {"alpha": c.alpha if c.alpha >= 0 else 0.5, "gamma": c.options["gamma"]}
    loss, slope = padded(derivatives, c, c.smooth.astype(DTYPES[c.dtype]), **options)
    scale = 2 if c.is_focal and c.alpha < 0 else 1
    return reduced(c, (scale * loss, scale * slope))


def by_torch_itself(c):
    def loss(x):
        y = torch.tensor(c.smooth, dtype=x.dtype)
        if c.is_focal:
            costs = published_focal(x, y, c.options["gamma"])
            return costs if c.alpha < 0 else costs * (y * c.alpha + (1 - y) * (1 - c.alpha))
        if not c.from_logits:
            return F.binary_cross_entropy(x, y, reduction="none")
        pos_weight = None if c.pos_weight is None else torch.tensor(c.pos_weight, dtype=x.dtype)
        return F.binary_cross_entropy_with_logits(x, y, pos_weight=pos_weight, reduction="none")

    return reduced(c, by_torch(loss, c.x, c.dtype))


PEERS = {
    # In halves neither Keras clips what is certain, and both lose digits in sums.
    "Keras": (
        by_keras_itself,
        lambda c: c.pos_weight is None and c.dtype == "float32" and is_weighed_right(c),
    ),
    "tf_keras": (
        by_tf_keras_itself,
        lambda c: (
            c.pos_weight is None
            and c.dtype in ("float32", "float64")
            and c.reduction != "mean_with_sample_weight"
            and is_weighed_right(c)
        ),
    ),
    "TensorFlow": (by_tf_nn, lambda c: c.from_logits and not c.is_focal),
    "optax": (by_optax, lambda c: c.from_logits and c.pos_weight is None and c.dtype != "float64"),
    "PyTorch": (by_torch_itself, lambda c: c.from_logits or (c.pos_weight is None and not c.is_focal)),
}


# The doors.


def by_binxent(c):
    weighted = {} if c.is_focal else {"pos_weight": c.pos_weight}
    loss = getattr(bx, c.kind)(**c.options, **weighted, reduction=c.reduction, axis=c.axis)
    value, slope = bx.value_and_grad(loss, c.y, c.x.astype(DTYPES[c.dtype]), c.weight)
    return value.astype(float), slope.astype(float)


def by_binxent_keras(c):
    weighted = {} if c.is_focal else {"pos_weight": c.pos_weight}
    return by_keras(of_class(bx_keras, c, dtype=c.dtype, **weighted), c.x, c.dtype)


def by_binxent_tf_keras(c):
    weighted = {} if c.is_focal else {"pos_weight": c.pos_weight}
    return by_tensorflow(of_class(bx_tf_keras, c, **weighted), c.x, c.dtype)


def by_binxent_tensorflow(c, wrap=lambda loss: loss):
    if c.is_focal:
        function, options = bx_tf.binary_focal_crossentropy, c.options
    else:
        function, options = bx_tf.binary_crossentropy, c.options | {"pos_weight": c.pos_weight}
    return reduced(c, by_tensorflow(wrap(lambda x: function(c.y, x, **options)), c.x, c.dtype))


def by_binxent_graphs(c):
    """Do the same within tf.function without static shapes, which takes another route."""
    return by_binxent_tensorflow(c, lambda loss: tf.function(loss, input_signature=[tf.TensorSpec(None, c.dtype)]))


def by_binxent_jax(c):
    static = {"label_smoothing": c.options["label_smoothing"]}
    if c.is_focal:
        function = bx_jax.sigmoid_focal_loss if c.from_logits else bx_jax.binary_focal_loss
        static |= {"alpha": c.alpha, "gamma": c.options["gamma"]}
        options = {}
    else:
        function = bx_jax.sigmoid_binary_cross_entropy if c.from_logits else bx_jax.binary_cross_entropy
        options = {} if c.pos_weight is None else {"pos_weight": c.pos_weight}
    derivatives = compiled(function, tuple(static.items()))
    return reduced(c, padded(derivatives, c, c.y.astype("float32"), **options))


def by_binxent_torch(c):
    options = {"label_smoothing": c.options["label_smoothing"], "reduction": "none"}
    if c.is_focal:
        function, options = bx_torch.sigmoid_focal_loss, options | {"alpha": c.alpha, "gamma": c.options["gamma"]}
    elif c.from_logits:
        function, options = bx_torch.binary_cross_entropy_with_logits, options | {"pos_weight": c.pos_weight}
    else:
        function, options = bx_torch.binary_cross_entropy, options | {"pos_weight": c.pos_weight}
    means = {"sum_over_batch_size": "mean", "mean_with_sample_weight": "weighted_mean"}
    if c.reduction not in means:
        return reduced(c, by_torch(lambda x: function(x, torch.tensor(c.y), **options), c.x, c.dtype))
    weight = np.ones(()) if c.weight is None else c.weight
    options |= {
        "reduction": means[c.reduction],
        "weight": torch.tensor(weight.reshape(weight.shape + (1,) * (c.x.ndim - weight.ndim))),
    }
    return by_torch(lambda x: function(x, torch.tensor(c.y), **options), c.x, c.dtype)


DOORS = {
    "binxent": (by_binxent, lambda c: True),
    "binxent.keras": (by_binxent_keras, lambda c: c.dtype != "float64"),  # JAX, which Keras may run on, has none
    "binxent.tf_keras": (by_binxent_tf_keras, lambda c: True),
    "binxent.tensorflow": (by_binxent_tensorflow, lambda c: True),
    "binxent.tensorflow in a graph": (by_binxent_graphs, lambda c: c.x.shape == (4, 3)),  # tracing is slow
    # Every option compiles anew: some are enough.
    "binxent.jax": (
        by_binxent_jax,
        lambda c: (
            c.dtype == "float32"
            and not (c.is_focal and (c.options["label_smoothing"] or c.options["gamma"] not in (0.5, 2)))
        ),
    ),
    "binxent.torch": (by_binxent_torch, lambda c: c.from_logits or not c.is_focal),
}


def are_alike(c, peer, door):
    """Whether two libraries mean the same: Keras 2 adds epsilon to probabilities again, as its twin does."""
    return c.from_logits or (peer == "tf_keras") == (door == "binxent.tf_keras")


def check(seed, are_wanted=lambda peer, door: True):
    """Raise where a door and a peer, both chosen by the seed, differ on the configuration of the seed."""
    c, rng = configuration(seed), np.random.default_rng(seed)
    pairs = [
        (peer, door)
        for peer, (_, is_right) in PEERS.items()
        for door, (_, is_offered) in DOORS.items()
        if are_wanted(peer, door) and are_alike(c, peer, door) and is_right(c) and is_offered(c)
    ]
    if not pairs:  # weights that only binxent takes, say
        return None
    peer, door = pairs[rng.integers(len(pairs))]
    rtol, atol = TOLERANCES[c.dtype]
    for got, want, what in zip(DOORS[door][0](c), PEERS[peer][0](c), ("loss", "gradient"), strict=True):
        message = f"check({seed}): the {what} of {door} is not that of {peer}, for {c}"
        close(got, want, rtol, atol * max(1, abs(want).max()), what=message)
    return peer, door


def check_all(seeds, are_wanted):
    """Check the configurations of these seeds, and raise at the end with all that differ."""
    differences, seen, threads = [], Counter(), torch.get_num_threads()
    torch.set_num_threads(1)  # PyTorch's own losses wake all of them for a handful of numbers
    for seed in seeds:
        try:
            seen.update(check(seed, are_wanted) or ["nothing to compare"])
        except Exception as difference:
            differences.append(f"{difference}".strip() or repr(difference))
    torch.set_num_threads(threads)
    assert not differences, f"{len(differences)} of {len(seeds)} configurations differ:\n" + "\n".join(differences[:5])
    return seen
