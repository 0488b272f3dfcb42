"""What XLA makes of sums of losses in JAX, where they are large enough for its fast reductions: exact, and one pass."""

import math
from functools import partial

import numpy as np
import pytest

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402
from support import oracle  # noqa: E402
from support.cases import LOSSES, PREDICTION_KINDS  # noqa: E402
from support.compare import close  # noqa: E402

import binxent as bx  # noqa: E402
import binxent.jax as door  # noqa: E402

COPIES = 2**14
LOGITS = (-80.0, -30.0, -17.0, -7.5, -2.0, -0.3, -1e-3, 0.0, 1e-20, 0.4, 1.0, 3.0, 9.0, 17.0, 30.0, 80.0, 1e30)
PROBABILITIES = (0.0, 1e-30, 2e-7, 0.01, 0.049, 0.051, 0.3, 0.5, 0.55, 0.8, 0.99, 1 - 2**-22, 1.0)
ULPS = {"focal 7.3": 40, "focal 4": 10, "asymmetric 0.5 7.3 0.05": 60}


def points(from_logits):
    x = LOGITS if from_logits else PROBABILITIES
    return np.array([(one, label) for one in x for label in (0.0, 1.0, 0.3, 0.001)], "float32").T


def mean_of_copies(spec, x, y):
    """The loss of each point, as the mean over a row of copies."""
    x, y = (np.repeat(np.asarray(column, "float32")[:, None], COPIES, 1) for column in (x, y))
    return np.asarray(jax.jit(lambda x, y: door.pointwise(spec, x, y).mean(1))(x, y))


@pytest.mark.parametrize("reading", PREDICTION_KINDS)
@pytest.mark.parametrize("name", LOSSES)
def test_means_are_exact(name, reading):
    spec = LOSSES[name](**PREDICTION_KINDS[reading])
    x, y = points(spec.from_logits)
    truth = oracle.truth(spec, x, y)
    nowhere = np.array([(math.nan, 0), (math.nan, 1), (math.nan, 0.3), (0.5, math.nan), (0.0, math.nan)], "float32").T
    certain = np.array([(1, 1), (1, 0), (0, 1), (0, 0)], "float32").T
    certain[0] = math.inf * (2 * certain[0] - 1) if spec.from_logits else certain[0]
    x, y = np.concatenate([(x, y), nowhere, certain], 1)
    means = mean_of_copies(spec, x, y)
    got, want, size = means[: len(x) - 9], truth.high[0], truth.size[0]
    with np.errstate(invalid="ignore"):
        wrong = ~(abs(got - want) <= 2.0**-23 * ULPS.get(name, 6) * size + 2e-38) & (got != want)
    assert not wrong.any(), (x[: len(got)][wrong], y[: len(got)][wrong], got[wrong], want[wrong])
    assert np.isnan(means[-9:-4]).all()
    assert (means[[-4, -1]] < 1e-6).all()  # not 0 beyond a clip
    assert (means[-3:-1] > 0).all()


def test_an_infinite_cost_is_infinite_for_any_mass_but_none():
    inf = math.inf
    bce = bx.BinaryCrossentropy(from_logits=True)
    close(mean_of_copies(bce, [inf, -inf, inf, -inf, -inf], [1, 0, 0, 1, 1.2e-38]), [0, 0, inf, inf, inf])
    exact = bx.BinaryCrossentropy(epsilon=None)
    close(mean_of_copies(exact, [1, 0, 1, 0, 0], [1, 0, 0, 1, 1.2e-38]), [0, 0, inf, inf, inf])
    balanced = bx.BinaryFocalCrossentropy(True, 1.0, from_logits=True)
    close(mean_of_copies(balanced, [inf, -inf], [0, 1]), [0, inf])


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("bce", "logits"),
        ("bce, positives 2.5", "logits"),
        ("focal 2, balanced", "logits"),
        ("asymmetric 0.5 7.3 0.05", "logits"),
        ("bce", "probabilities"),
        ("focal 0.5", "exact probabilities"),
    ],
)
def test_nothing_but_the_gradient_is_written_to_memory(name, reading):
    loss = partial(door.pointwise, LOSSES[name](**PREDICTION_KINDS[reading]))
    x = jnp.zeros((COPIES, 16))

    def scratch(function):
        return jax.jit(function).lower(x, x).compile().memory_analysis().temp_size_in_bytes

    assert scratch(lambda x, y: loss(x, y).mean()) < x.nbytes / 2
    assert scratch(jax.value_and_grad(lambda x, y: loss(x, y).mean())) < x.nbytes / 2
    assert scratch(lambda x, y: jnp.where(x > 0, x, y).mean()) >= x.nbytes  # what a choice costs
