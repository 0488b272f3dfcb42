"""What the experiments of `bench.choices` have in common: data, small networks, and their scores.

All arrays have a leading axis of seeds. Each seed has data, a split and initial weights of its own, the same for every
way of training, so that two ways can be compared seed by seed.
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
    """The rows that a model is trained on, those that decide about it, and those that it is evaluated on."""

    train: Subset
    held_out: Subset
    unseen: Subset


class Predictions(NamedTuple):
    """Logits of the rows that a model was not trained on, in the shape of their labels."""

    held_out: np.ndarray
    unseen: np.ndarray


def made(seeds: int, rows: int, share: float) -> Task:
    """Make rows of eight features, with an interaction of two that a linear model cannot represent.

    Args:
        seeds: Number of data sets.
        rows: Training rows; half as many are held out, and twice as many stay unseen.
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
    """Return the number to add to logits for a share of positives."""
    return brentq(lambda shift: expit(z + shift).mean() - share, -30, 30)


def many_labels(seeds: int, rows: int, labels: int) -> Task:
    """Make rows with several labels that depend on sixteen features and get rarer from the first to the last.

    Args:
        seeds: Number of data sets.
        rows: Training rows; as many are held out, and twice as many stay unseen.
        labels: Number of labels; 1 in 3 rows has the first, 1 in 100 the last.
    """
    tasks = []
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        x = random.normal(size=(4 * rows, 16))
        z = np.tanh(x) @ random.normal(size=(16, labels)) * 0.7
        z += [offset(column, share) for column, share in zip(z.T, np.geomspace(1 / 3, 0.01, labels), strict=True)]
        y = random.random(z.shape) < expit(z)
        tasks.append(split(x, y.astype(float), (rows, 2 * rows)))
    return stacked(tasks)


def shuffled(seeds: int, x: np.ndarray, y: np.ndarray, *, standardise: bool = True) -> Task:
    """Split real rows, in another order for each seed: 40 % for training, 20 % held out, 40 % unseen.

    Args:
        seeds: Number of orders.
        x: Features (rows, features).
        y: Labels (rows,).
        standardise: Whether to give the features mean 0 and deviation 1, as measured on the training rows.
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
    """Split the rows of a seed into three subsets."""
    return Task(*(Subset(*pair) for pair in zip(np.split(x, cuts), np.split(y, cuts), strict=True)))


def stacked(tasks: list[Task]) -> Task:
    """Stack the tasks of the seeds."""
    return Task(*(Subset(*map(np.stack, zip(*parts, strict=True))) for parts in zip(*tasks, strict=True)))


def flipped(task: Task, share: float) -> Task:
    """Flip labels at random, except those of the unseen rows."""
    random = np.random.default_rng(1)
    train, held_out = (
        part._replace(y=np.where(random.random(part.y.shape) < share, 1 - part.y, part.y)) for part in task[:2]
    )
    return Task(train, held_out, task.unseen)


def joined(tasks: list[Task]) -> Task:
    """Join tasks along the seeds, to train them together."""
    return Task(*(Subset(*map(np.concatenate, zip(*parts, strict=True))) for parts in zip(*tasks, strict=True)))


def apart(predictions: Predictions, tasks: int) -> list[Predictions]:
    """Separate the predictions for tasks that were joined."""
    return [Predictions(*pair) for pair in zip(*(np.split(z, tasks) for z in predictions), strict=True)]


def network(key: Any, sizes: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """Make dense layers with Glorot's uniform weights, as Keras does."""
    initialize = jax.nn.initializers.glorot_uniform()
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (initialize(key, (inputs, outputs)), jnp.zeros(outputs))
        for key, inputs, outputs in zip(keys, sizes, sizes[1:], strict=False)
    ]


def logits_of(layers: list[tuple[Any, Any]], x: Any) -> Any:
    """Return the logits of a network with ReLU between its layers."""
    for weights, bias in layers[:-1]:
        x = jax.nn.relu(x @ weights + bias)
    weights, bias = layers[-1]
    return x @ weights + bias


def descend(objective: Callable[[Any], Any], layers: Any, optimizer: Any, steps: int) -> Any:
    """Return the layers after so many steps of an optax optimizer."""

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
    """Train a network per seed with full-batch steps of Adam, and predict the other rows.

    Args:
        loss: Loss of each element, from logits and labels.
        task: The data.
        labels: Labels to train on instead of the task's own; those that are `IGNORED` do not count.
        hidden: Widths of the hidden layers; none for a logistic regression.
        steps: Number of steps.
        rate: First step size, which falls to 0 along a cosine.
        seeds: Number of distinct seeds, if the task joins several with the same seeds.
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
    """Return scores of each seed: of its ranking, its probabilities, and its decisions at a threshold."""
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
    """Return the same scores averaged over several labels; each label has a threshold of its own."""
    return per_seed(
        {
            "average precision": average_precision_score(y, z),
            "log loss": log_loss(y, z),
            "mean p / share": expit(z).mean() / y.mean(),
            "F1 at 1/2": np.mean([f1(*pair) for pair in zip(y.T, z.T > 0, strict=True)]),
            "F1, chosen thresholds": np.mean(
                [
                    f1(label, logit >= best_threshold(*past))
                    for label, logit, *past in zip(y.T, z.T, known.T, before.T, strict=True)
                ]
            ),
        }
        for y, z, known, before in zip(unseen.y, predictions.unseen, held_out.y, predictions.held_out, strict=True)
    )


def accuracies(unseen: Subset, predictions: Predictions) -> list[float]:
    """Return the accuracy of each seed."""
    return rounded(np.mean((predictions.unseen > 0) == unseen.y, axis=1))


def per_seed(found: Iterable[dict[str, float]]) -> dict[str, list[float]]:
    """Gather the scores of all seeds in a list for each score."""
    found = list(found)
    return {name: rounded([scores[name] for scores in found]) for name in found[0]}


def rounded(numbers: Any) -> list[float | None]:
    """Round numbers to four significant digits; infinity and NaN become None."""
    return [float(f"{number:.4g}") if np.isfinite(number) else None for number in np.asarray(numbers, float).tolist()]


def reliability(unseen: Subset, predictions: Predictions, bins: int = 12) -> dict[str, list[float | None]]:
    """Return mean predictions and shares of positives of rows with similar predictions, over all seeds."""
    order = np.argsort(predictions.unseen, axis=None)
    parts = [np.array_split(values.ravel()[order], bins) for values in (expit(predictions.unseen), unseen.y)]
    return dict(zip(("x", "y"), (rounded([part.mean() for part in values]) for values in parts), strict=True))


def best(held_out: Subset, candidates: list[Predictions]) -> Predictions:
    """Choose for each seed the predictions with the least cross-entropy on the held-out rows."""
    costs = [
        [log_loss(y, z) for y, z in zip(held_out.y, predictions.held_out, strict=True)] for predictions in candidates
    ]
    chosen = np.argmin(costs, axis=0)
    return Predictions(
        *(np.stack([parts[c][s] for s, c in enumerate(chosen)]) for parts in zip(*candidates, strict=True))
    )


def log_loss(y: np.ndarray, z: np.ndarray) -> float:
    """Return the mean cross-entropy of logits."""
    return float(bx.sigmoid_cross_entropy_with_logits(y, z).mean())


def calibration(y: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    """Return intercept and slope of the true log-odds against the logits; 0 and 1 are ideal."""
    slope, intercept = fit_correction(y, z)
    return intercept, slope


def shifted(predictions: Predictions, by: float) -> Predictions:
    """Add a number to the logits."""
    return Predictions(*(z + by for z in predictions))


def recalibrated(task: Task, predictions: Predictions, *, intercept: bool = True) -> Predictions:
    """Multiply logits by a slope fitted to the held-out rows (temperature scaling), and add an intercept (Platt)."""
    corrected = []
    for y, known, z in zip(task.held_out.y, *predictions, strict=True):
        shift, slope = calibration(y, known) if intercept else (0.0, inverse_temperature(y, known))
        corrected.append((shift + slope * known, shift + slope * z))
    return Predictions(*map(np.stack, zip(*corrected, strict=True)))


def inverse_temperature(y: np.ndarray, z: np.ndarray) -> float:
    """Return the factor on the logits that minimises their cross-entropy."""
    loss = bx.BinaryCrossentropy(from_logits=True, reduction="sum")

    def slope(log_factor):
        return float(np.vdot(bx.value_and_grad(loss, y, np.exp(log_factor) * z)[1], z))

    low, high = -7.0, 7.0
    return float(np.exp(brentq(slope, low, high))) if slope(low) < 0 < slope(high) else 1.0


def best_threshold(y: np.ndarray, z: np.ndarray) -> float:
    """Return the threshold on the logits with the highest F1."""
    precision, recall, thresholds = precision_recall_curve(y, z)
    both = precision[:-1] + recall[:-1]
    return float(thresholds[np.argmax(2 * precision[:-1] * recall[:-1] / np.maximum(both, 1e-12))])


def f1(y: np.ndarray, flagged: np.ndarray) -> float:
    """Return 2 hits / (flagged + positive); 0 without flagged and positive rows."""
    return float(2 * np.sum(flagged * y) / max(np.sum(flagged) + np.sum(y), 1))
