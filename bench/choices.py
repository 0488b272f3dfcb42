"""What the choice of a loss does to a model: the experiments of docs/choosing.md, `python -m bench.choices`.

Each experiment trains the same small models in several ways and saves the scores of every seed. The tables and pictures
of the page (`findings.py`) are made from these results.
"""

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from sklearn.datasets import load_breast_cancer, load_digits

from bench import documents, findings, machine, practice, store
from binxent.jax import (
    binary_cross_entropy,
    sigmoid_asymmetric_loss,
    sigmoid_binary_cross_entropy,
    sigmoid_focal_loss,
    sigmoid_poly_loss,
)

SEEDS = 10
FLIPS = (0.0, 0.1, 0.2, 0.3, 0.4)
RATES = tuple(10.0 ** (exponent / 2) for exponent in range(-5, 4))
LABELS = 20
EXPERIMENTS = ("noisy", "calibrated", "several_labels", "rare", "saturated", "mean_or_sum")  # the longest first

Row = dict[str, Any]

plain = partial(sigmoid_binary_cross_entropy, ignore_label=practice.IGNORED)
LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "plain": plain,
    "smoothing 0.05": partial(plain, label_smoothing=0.05),
    "smoothing 0.1": partial(plain, label_smoothing=0.1),
    "smoothing 0.2": partial(plain, label_smoothing=0.2),
    "focal, γ = 1": partial(sigmoid_focal_loss, gamma=1.0),
    "focal, γ = 2": partial(sigmoid_focal_loss, gamma=2.0),
    "focal, γ = 4": partial(sigmoid_focal_loss, gamma=4.0),
    "poly, ε₁ = 1": sigmoid_poly_loss,
    "asymmetric, γ = 1 and 4": partial(sigmoid_asymmetric_loss, gamma_pos=1.0, gamma_neg=4.0, margin=0.05),
}


def main(arguments: list[str] | None = None) -> None:
    """Run the experiments, save their results, draw the pictures and fill the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.choices", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="check that everything runs, on little data; save nothing")
    if parser.parse_args(arguments).quick:
        rows = measure(seeds=2, size=0.25)
        print("\n\n".join(table(rows) for table in findings.TABLES.values()))
        return
    store.save("choices", {"machine": machine.describe(), "results": {"default": measure(SEEDS, 1.0)}})
    for path in (*findings.draw(), *documents.fill_documents()):
        print(f"wrote {path.relative_to(store.ROOT)}", file=sys.stderr)


def measure(seeds: int, size: float) -> list[Row]:
    """Run every experiment and return their rows.

    Args:
        seeds: Number of runs of each way of training.
        size: Factor on the made data and the steps; 1 for the results of the page.
    """
    # A core for each: the models are too small for more.
    workers = min(os.cpu_count() or 1, len(EXPERIMENTS))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        run = partial(timed, seeds=seeds, size=size)
        return list(itertools.chain.from_iterable(pool.map(run, EXPERIMENTS)))


def timed(experiment: str, seeds: int, size: float) -> list[Row]:
    """Run an experiment, print the time that it took, and return its rows."""
    start = time.perf_counter()
    rows = [{"experiment": experiment, **row} for row in globals()[experiment](seeds, size)]
    print(f"{experiment}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return rows


def rare(seeds: int, size: float) -> Iterator[Row]:
    """Compare ways to treat rare positives: a weight, fewer negatives, focus on hard rows, or none."""
    images, digits = coarse_digits()
    for data, c, task in (
        ("made", 49, practice.made(seeds, int(6000 * size), share=0.02)),
        ("digits", 9, practice.shuffled(seeds, images, digits == 8)),
    ):
        labels = task.train.y
        dropped = (labels == 0) & (np.random.default_rng(0).random(labels.shape) > 1 / c)
        fit = partial(practice.trained, task=task, steps=int(600 * size), rate=0.2)
        unweighted, focal = fit(plain), fit(LOSSES["focal, γ = 2"])
        weighted = fit(partial(plain, pos_weight=float(c)))
        resampled = fit(plain, labels=np.where(dropped, practice.IGNORED, labels))
        for way, predictions in {
            "plain": unweighted,
            f"pos_weight {c}": weighted,
            f"pos_weight {c}, then logit − ln {c}": practice.shifted(weighted, -np.log(c)),
            f"1 in {c} negatives": resampled,
            f"1 in {c} negatives, then logit − ln {c}": practice.shifted(resampled, -np.log(c)),
            "focal, γ = 2": focal,
            "focal, γ = 2, then recalibrated": practice.recalibrated(task, focal),
        }.items():
            yield {"data": data, "way": way, "scores": practice.scores(task.unseen, predictions, task.held_out)}
            yield {"data": data, "way": way, "curve": practice.reliability(task.unseen, predictions)}


def calibrated(seeds: int, size: float) -> Iterator[Row]:
    """Compare the calibration of each loss with many rows and with few, before and after a fitted temperature."""
    images, digits = coarse_digits()
    for data, task, hidden, steps in (
        ("plenty", practice.made(seeds, int(4000 * size), share=0.3), 32, 200),
        ("few", practice.shuffled(seeds, images, digits % 2), 64, 400),
    ):
        for way, loss in LOSSES.items():
            predictions = practice.trained(loss, task, hidden=(hidden,), steps=int(steps * size), rate=0.02)
            cooled = practice.recalibrated(task, predictions, intercept=False)
            scores = practice.scores(task.unseen, predictions, task.held_out)
            scores["log loss, temperature fitted"] = practice.scores(task.unseen, cooled, task.held_out)["log loss"]
            yield {"data": data, "way": way, "scores": scores}
            yield {"data": data, "way": way, "curve": practice.reliability(task.unseen, predictions)}


def several_labels(seeds: int, size: float) -> Iterator[Row]:
    """Compare losses on twenty labels, most of them rare: a weight for each label, focal and asymmetric losses."""
    task = practice.many_labels(seeds, int(2000 * size), LABELS)
    share = task.train.y.mean(axis=(0, 1))
    balance = (1 - share) / share
    for way, loss in {
        "plain": plain,
        "pos_weight n₋/n₊": partial(plain, pos_weight=balance.astype(np.float32)),
        "pos_weight √(n₋/n₊)": partial(plain, pos_weight=np.sqrt(balance).astype(np.float32)),
        **{name: LOSSES[name] for name in ("focal, γ = 2", "asymmetric, γ = 1 and 4")},
    }.items():
        predictions = practice.trained(loss, task, hidden=(32,), steps=int(200 * size), rate=0.02)
        yield {
            "data": "made",
            "way": way,
            "scores": practice.scores_over_labels(task.unseen, predictions, task.held_out),
        }


def mean_or_sum(seeds: int, size: float) -> Iterator[Row]:
    """Compare the best step sizes of the mean and of the sum over the labels of a row."""
    task = practice.many_labels(seeds, 500, LABELS)
    layers = [(np.zeros((task.train.x.shape[-1], LABELS), np.float32), np.zeros(LABELS, np.float32))]

    def reached(rate, x, y, unseen_x, unseen_y, optimizer, times):
        def objective(layers):
            return times * plain(practice.logits_of(layers, x), y).mean()

        learned = practice.descend(objective, layers, optimizer(rate), int(100 * size) + 1)
        return plain(practice.logits_of(learned, unseen_x), unseen_y).mean()

    for name, optimizer in {"SGD": optax.sgd, "Adam": optax.adam}.items():
        for reduction, times in {"mean": 1, "sum": LABELS}.items():
            reach = partial(reached, optimizer=optimizer, times=times)
            every_rate = jax.vmap(reach, in_axes=(0, None, None, None, None))
            every_seed = jax.jit(jax.vmap(every_rate, in_axes=(None, 0, 0, 0, 0)))
            parts = (part.astype(np.float32) for part in (*task.train, *task.unseen))
            losses = np.asarray(every_seed(np.float32(RATES), *parts), float).T
            scores = {f"{rate:.2g}": practice.rounded(row) for rate, row in zip(RATES, losses, strict=True)}
            yield {"data": "made", "way": f"{name}, {reduction}", "scores": scores}


def noisy(seeds: int, size: float) -> Iterator[Row]:
    """Compare what keeps a network from memorising labels that are wrong at random."""
    images, digits = load_digits(return_X_y=True)
    clean = practice.shuffled(seeds, images, digits % 2)
    flipped = [practice.flipped(clean, share) for share in FLIPS]
    together = practice.joined(flipped)
    train = partial(practice.trained, hidden=(32,), rate=0.02, seeds=seeds)
    steps = int(300 * size)

    def fit(loss, steps=steps):
        return practice.apart(train(loss, together, steps=steps), len(FLIPS))

    ways = {name: fit(LOSSES[name]) for name in ("plain", "smoothing 0.2", "focal, γ = 2", "poly, ε₁ = 1")}
    for name in ("plain", "smoothing 0.2"):
        runs = zip(ways[name], *(fit(LOSSES[name], int(fewer * size) + 1) for fewer in (10, 20, 40, 100)), strict=True)
        ways[f"{name}, stopped early"] = [
            practice.best(task.held_out, list(run)) for task, run in zip(flipped, runs, strict=True)
        ]
    ways["told the share of flips"] = [
        train(partial(knowing, share), task, steps=steps) for share, task in zip(FLIPS, flipped, strict=True)
    ]
    for i, share in enumerate(FLIPS):
        for way, predictions in ways.items():
            yield {"data": share, "way": way, "scores": {"accuracy": practice.accuracies(clean.unseen, predictions[i])}}


def knowing(share: float, logits: Any, labels: Any) -> Any:
    """Return the cross-entropy of labels that are flipped with a known chance; the model predicts the true label."""
    return binary_cross_entropy(share + (1 - 2 * share) * jax.nn.sigmoid(logits), labels)


def saturated(seeds: int, size: float) -> Iterator[Row]:
    """Compare a loss after a sigmoid with a loss of logits, on unscaled features that saturate the initial model."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from keras.losses import binary_crossentropy

    measurements, benign = load_breast_cancer(return_X_y=True)
    task = practice.shuffled(seeds, measurements, 1 - benign, standardise=False)
    logits = np.linspace(-40, 0, 161, dtype=np.float32)
    for way, loss in {
        "Keras, after a sigmoid": lambda z, y: binary_crossentropy(y, jax.nn.sigmoid(z), axis=()),
        "binxent, after a sigmoid": lambda z, y: binary_cross_entropy(jax.nn.sigmoid(z), y),
        "Keras, from logits": lambda z, y: binary_crossentropy(y, z, from_logits=True, axis=()),
        "binxent, from logits": sigmoid_binary_cross_entropy,
    }.items():
        for data, hidden in {"logistic regression": (), "network 64-32-1": (64, 32)}.items():
            predictions = practice.trained(loss, task, hidden=hidden, steps=int(300 * size), rate=0.01)
            yield {"data": data, "way": way, "scores": {"accuracy": practice.accuracies(task.unseen, predictions)}}
        for data, sign in {"positive": 1, "negative": -1}.items():
            slopes = jax.vmap(jax.grad(loss), in_axes=(0, None))(sign * logits, np.float32(sign > 0))
            curve = {"x": (sign * logits).tolist(), "y": practice.rounded(np.abs(slopes))}
            yield {"data": data, "way": way, "curve": curve}


def coarse_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return handwritten digits at a quarter of their resolution, which makes them hard to classify."""
    images, digits = load_digits(return_X_y=True)
    return images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16), digits


if __name__ == "__main__":
    main()
