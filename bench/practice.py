"""What the experiments of `bench.choices` have in common: data, small networks that learn from it, and their scores.

Everything has a leading axis of seeds. Each seed has data, a split and initial weights of its own, and every way of
training gets the same ones, so that two ways can be compared seed by seed.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

import binxent as bx
from binxent.scoring import fit_correction

IGNORED = -1.0  # the label of entries that take no part in training


class Subset(NamedTuple):
    """Rows: features (seeds, rows, features), and labels (seeds, rows) or (seeds, rows, labels)."""

    x: np.ndarray
    y: np.ndarray


class Task(NamedTuple):
    """What a model learns from, what decisions about it are made on, and what it is judged on."""

    train: Subset
    held_out: Subset
    unseen: Subset


class Predictions(NamedTuple):
    """Logits for the rows that a model did not learn from, in the shape of their labels."""

    held_out: np.ndarray
    unseen: np.ndarray


def made(seeds: int, rows: int, share: float) -> Task:
    """Rows of eight features, two of which act together, in a way that a linear model cannot see.

    Args:
        seeds: How many data sets.
        rows: Rows to learn from; half as many are held out, and twice as many stay unseen.
        share: Share of positives.
    """
    tasks = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        x = random.normal(size=(rows + rows // 2 + 2 * rows, 8))
        z = x @ (1.2, -0.9, 0.7, 0.5, 0.3, 0.0, 0.0, 0.0) + 0.7 * x[:, 0] * x[:, 1]
        y = random.random(len(x)) < expit(z + offset(z, share))
        tasks.append(split(x, y.astype(float), (rows, rows + rows // 2)))
    return stacked(tasks)


def offset(z: np.ndarray, share: float) -> float:
    """What has to be added to the logits for a share of positives."""
    return brentq(lambda shift: expit(z + shift).mean() - share, -30, 30)


def many_labels(seeds: int, rows: int, labels: int) -> Task:
    """Rows with several labels that depend on sixteen features; from the first to the last they get rarer.

    Args:
        seeds: How many data sets.
        rows: Rows to learn from; as many are held out, and twice as many stay unseen.
        labels: How many; one in three rows has the first, one in a hundred the last.
    """
    tasks = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        x = random.normal(size=(4 * rows, 16))
        z = np.tanh(x) @ random.normal(size=(16, labels)) * 0.7
        z += [offset(one, share) for one, share in zip(z.T, np.geomspace(1 / 3, 0.01, labels), strict=True)]
        y = random.random(z.shape) < expit(z)
        tasks.append(split(x, y.astype(float), (rows, 2 * rows)))
    return stacked(tasks)


def shuffled(seeds: int, x: np.ndarray, y: np.ndarray, *, standardise: bool = True) -> Task:
    """Real rows, for each seed in another order: 40 % to learn from, 20 % held out, 40 % unseen.

    Args:
        seeds: How many orders.
        x: Features (rows, features).
        y: Labels (rows,).
        standardise: Whether to give the features mean 0 and deviation 1, as measured on the rows to learn from.
    """
    cuts = int(0.4 * len(x)), int(0.6 * len(x))
    tasks = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(x))
        features = x[order]
        if standardise:
            known = features[: cuts[0]]
            deviation = known.std(axis=0)
            features = (features - known.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        tasks.append(split(features, y[order].astype(float), cuts))
    return stacked(tasks)


def split(x: np.ndarray, y: np.ndarray, cuts: tuple[int, int]) -> Task:
    """The rows of one seed in three parts."""
    return Task(*(Subset(*pair) for pair in zip(np.split(x, cuts), np.split(y, cuts), strict=True)))


def stacked(tasks: list[Task]) -> Task:
    """The seeds' tasks as one."""
    return Task(*(Subset(*map(np.stack, zip(*parts, strict=True))) for parts in zip(*tasks, strict=True)))


def flipped(task: Task, share: float) -> Task:
    """The task with labels that are wrong at random, but for the unseen rows."""
    random = np.random.default_rng(1)
    train, held_out = (
        part._replace(y=np.where(random.random(part.y.shape) < share, 1 - part.y, part.y)) for part in task[:2]
    )
    return Task(train, held_out, task.unseen)


def joined(tasks: list[Task]) -> Task:
    """Several tasks as one with the seeds of all, to be trained together."""
    return Task(*(Subset(*map(np.concatenate, zip(*parts, strict=True))) for parts in zip(*tasks, strict=True)))


def apart(predictions: Predictions, tasks: int) -> list[Predictions]:
    """The predictions for each of several tasks that were joined."""
    return [Predictions(*pair) for pair in zip(*(np.split(z, tasks) for z in predictions), strict=True)]


def network(key: Any, sizes: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """Dense layers with Glorot's uniform weights, as Keras makes them."""
    initialize = jax.nn.initializers.glorot_uniform()
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (initialize(key, (inputs, outputs)), jnp.zeros(outputs))
        for key, inputs, outputs in zip(keys, sizes, sizes[1:], strict=False)
    ]


def logits_of(layers: list[tuple[Any, Any]], x: Any) -> Any:
    """The logits of a network with ReLU between its layers."""
    for weights, bias in layers[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    weights, bias = layers[-1]
    return x @ weights + bias


def descend(objective: Callable[[Any], Any], layers: Any, optimizer: Any, steps: int) -> Any:
    """The layers after so many steps of an optimizer of optax."""

    def step(state, _):
        layers, memory = state
        updates, memory = optimizer.update(jax.grad(objective)(layers), memory, layers)
        return (optax.apply_updates(layers, updates), memory), None

    (learned, _), _ = jax.lax.scan(step, (layers, optimizer.init(layers)), length=steps)
    return learned


def trained(
    loss: Callable[[Any, Any], Any],
    task: Task,
    *,
    labels: np.ndarray | None = None,
    hidden: tuple[int, ...] = (),
    steps: int = 300,
    rate: float = 0.05,
    seeds: int | None = None,
) -> Predictions:
    """Trains one network per seed by full-batch steps of Adam, and asks it about the rows that it has not seen.

    Args:
        loss: The loss of each element, from logits and labels.
        task: The data.
        labels: Take the place of the task's own to learn from; what is `IGNORED` does not count.
        hidden: Widths of the hidden layers; none makes a logistic regression.
        steps: How many.
        rate: The first step size, which falls to 0 along a cosine.
        seeds: How many there are, where the task joins several with the same seeds.
    """
    outputs = task.train.y.shape[2:] or (1,)
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))

    @jax.jit
    @jax.vmap
    def train(seed, x, y, held_out, unseen):
        def mean(layers):
            return loss(logits_of(layers, x).reshape(y.shape), y).sum() / (y != IGNORED).sum()

        layers = network(jax.random.key(seed), (x.shape[-1], *hidden, *outputs))
        layers = descend(mean, layers, optimizer, steps)
        return logits_of(layers, held_out), logits_of(layers, unseen)

    runs = np.arange(len(task.train.x))
    y = task.train.y if labels is None else labels
    predictions = train(
        runs % (seeds or len(runs)),
        *(part.astype(np.float32) for part in (task.train.x, y, task.held_out.x, task.unseen.x)),
    )
    shapes = task.held_out.y.shape, task.unseen.y.shape
    return Predictions(*(np.asarray(z, float).reshape(shape) for z, shape in zip(predictions, shapes, strict=True)))


def scores(unseen: Subset, predictions: Predictions, held_out: Subset) -> dict[str, list[float]]:
    """How well each seed's logits rank, how true their probabilities are, and what a threshold makes of them."""
    return per_seed(
        {
            "AUC": roc_auc_score(y, z),
            "average precision": average_precision_score(y, z),
            "log loss": log_loss(y, z),
            "slope": calibration(y, z)[1],
            "mean p / share": expit(z).mean() / y.mean(),
            "accuracy": np.mean((z > 0) == y),
            "F1 at 1/2": f1(y, z > 0),
            "F1, chosen threshold": f1(y, z >= best_threshold(known, before)),
        }
        for y, z, known, before in zip(unseen.y, predictions.unseen, held_out.y, predictions.held_out, strict=True)
    )


def scores_over_labels(unseen: Subset, predictions: Predictions, held_out: Subset) -> dict[str, list[float]]:
    """The same for several labels, averaged over labels; each has a threshold of its own."""
    return per_seed(
        {
            "average precision": average_precision_score(y, z),
            "log loss": log_loss(y, z),
            "mean p / share": expit(z).mean() / y.mean(),
            "F1 at 1/2": np.mean([f1(*pair) for pair in zip(y.T, z.T > 0, strict=True)]),
            "F1, chosen thresholds": np.mean(
                [
                    f1(one, logit >= best_threshold(*past))
                    for one, logit, *past in zip(y.T, z.T, known.T, before.T, strict=True)
                ]
            ),
        }
        for y, z, known, before in zip(unseen.y, predictions.unseen, held_out.y, predictions.held_out, strict=True)
    )


def accuracies(unseen: Subset, predictions: Predictions) -> list[float]:
    """Return the accuracy of each seed."""
    return rounded(np.mean((predictions.unseen > 0) == unseen.y, axis=1))


def per_seed(found: Iterable[dict[str, float]]) -> dict[str, list[float]]:
    """The seeds' scores as one list for each score."""
    found = list(found)
    return {name: rounded([one[name] for one in found]) for name in found[0]}


def rounded(numbers: Any) -> list[float | None]:
    """Numbers as they are kept: four significant digits, and None for what is infinite or NaN."""
    return [float(f"{number:.4g}") if np.isfinite(number) else None for number in np.asarray(numbers, float).tolist()]


def reliability(unseen: Subset, predictions: Predictions, bins: int = 12) -> dict[str, list[float | None]]:
    """Mean prediction and share of positives among rows of like predictions, over all seeds."""
    order = np.argsort(predictions.unseen, axis=None)
    parts = [np.array_split(values.ravel()[order], bins) for values in (expit(predictions.unseen), unseen.y)]
    return dict(zip(("x", "y"), (rounded([part.mean() for part in values]) for values in parts), strict=True))


def best(held_out: Subset, candidates: list[Predictions]) -> Predictions:
    """For each seed the predictions with the least cross-entropy on the held-out rows."""
    costs = [[log_loss(y, z) for y, z in zip(held_out.y, one.held_out, strict=True)] for one in candidates]
    chosen = np.argmin(costs, axis=0)
    return Predictions(
        *(np.stack([parts[c][s] for s, c in enumerate(chosen)]) for parts in zip(*candidates, strict=True))
    )


def log_loss(y: np.ndarray, z: np.ndarray) -> float:
    """The mean cross-entropy of logits."""
    return float(bx.sigmoid_cross_entropy_with_logits(y, z).mean())


def calibration(y: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the true log-odds along the logits: 0 and 1 are ideal, a slope below 1 overconfident."""
    slope, intercept = fit_correction(y, z)
    return intercept, slope


def shifted(predictions: Predictions, by: float) -> Predictions:
    """The logits plus a number."""
    return Predictions(*(z + by for z in predictions))


def recalibrated(task: Task, predictions: Predictions, *, intercept: bool = True) -> Predictions:
    """The logits times a slope fitted to the held-out rows (temperature scaling), and plus an intercept (Platt's)."""
    corrected = []
    for y, known, z in zip(task.held_out.y, *predictions, strict=True):
        shift, slope = calibration(y, known) if intercept else (0.0, inverse_temperature(y, known))
        corrected.append((shift + slope * known, shift + slope * z))
    return Predictions(*map(np.stack, zip(*corrected, strict=True)))


def inverse_temperature(y: np.ndarray, z: np.ndarray) -> float:
    """The factor on the logits with which their cross-entropy is least."""
    loss = bx.BinaryCrossentropy(from_logits=True, reduction="sum")

    def slope(log_factor):
        return float(np.vdot(bx.value_and_grad(loss, y, np.exp(log_factor) * z)[1], z))

    low, high = -7.0, 7.0
    return float(np.exp(brentq(slope, low, high))) if slope(low) < 0 < slope(high) else 1.0


def best_threshold(y: np.ndarray, z: np.ndarray) -> float:
    """The threshold on the logits with the highest F1."""
    precision, recall, thresholds = precision_recall_curve(y, z)
    both = precision[:-1] + recall[:-1]
    return float(thresholds[np.argmax(2 * precision[:-1] * recall[:-1] / np.maximum(both, 1e-12))])


def f1(y: np.ndarray, flagged: np.ndarray) -> float:
    """Twice the hits over the flagged and the positive; 0 if there are neither."""
    return float(2 * np.sum(flagged * y) / max(np.sum(flagged) + np.sum(y), 1))
