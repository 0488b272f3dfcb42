"""The network and its training, which can be interrupted anywhere and continued to the same bits."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from binxent.workbench.run_folder import replacing
from binxent.workbench.settings import Settings

# Predictions are made in blocks of equal size: a single compiled program, and a row's bits do not depend on its place.
BLOCK = 4096
# Keras's evenly spaced thresholds cannot resolve rare events; these are evenly spaced in the logit, a tenth apart.
AUC_THRESHOLDS = (1 / (1 + np.exp(-np.linspace(-15, 15, 301)))).tolist()


@dataclass(frozen=True)
class Subset:
    """A subset of the rows, ready for the network.

    Attributes:
        inputs: Shape (rows, features), float32.
        target: Shape (rows, 1), float32, 0 or 1.
        weight: Shape (rows,), float32, mean 1: the mean loss is then the weighted mean, and unbiased in each batch.
    """

    inputs: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> Subset:
        """Make a subset from a matrix of inputs, 0/1 labels and row weights or None."""
        relative = np.ones(len(target)) if weight is None else weight / weight.mean()
        return cls(inputs, target.astype(np.float32)[:, None], relative.astype(np.float32))

    def __len__(self) -> int:
        return len(self.inputs)


class _Batches(keras.utils.PyDataset):
    """The rows of an epoch, in an order that depends on the seed and the epoch only."""

    def __init__(self, subset: Subset, batch_size: int, seed: int, epoch: int) -> None:
        super().__init__()
        self._subset, self._batch_size = subset, batch_size
        self._order = np.random.default_rng([seed, epoch]).permutation(len(subset))

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return self._subset.inputs[rows], self._subset.target[rows], self._subset.weight[rows]


def build(inputs: int, prior: float, settings: Settings) -> keras.Sequential:
    """Build the network: dense ReLU layers and one logit, whose bias starts at the prior.

    Args:
        inputs: The number of features.
        prior: The logit of the training labels' base rate: the first loss is then that of the base rate, not higher.
        settings: For the layers' widths and the seed.
    """
    layers: Any = keras.layers  # Keras's annotations lack initializer objects
    # A seed for each layer, so that layers of equal width start differently.
    seeds = np.random.default_rng([settings.seed, 0xB1]).integers(2**31, size=len(settings.hidden) + 1).tolist()
    hidden = [
        layers.Dense(width, "relu", kernel_initializer=keras.initializers.GlorotUniform(seed), name=f"hidden_{index}")
        for index, (width, seed) in enumerate(zip(settings.hidden, seeds, strict=False), start=1)
    ]
    logit = layers.Dense(
        1,
        kernel_initializer=keras.initializers.GlorotUniform(seeds[-1]),
        bias_initializer=keras.initializers.Constant(prior),
        name="logit",
    )
    return keras.Sequential([keras.Input((inputs,), name="features"), *hidden, logit], name="binxent")


def predict_logits(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Return the logit of each row, float64."""
    rows = len(inputs)
    if rows == 0:
        return np.empty(0)
    padded = np.zeros((math.ceil(rows / BLOCK) * BLOCK, inputs.shape[1]), np.float32)
    padded[:rows] = inputs
    logits = model.predict(padded, batch_size=BLOCK, verbose=0)  # pyright: ignore[reportArgumentType]
    return np.asarray(logits, np.float64)[:rows, 0]


@dataclass
class TrainingState:
    """The state of a training after an epoch: all that is needed to continue it.

    Attributes:
        history: The metrics of each finished epoch.
        weights: The network's weights after the last one.
        optimizer: Adam's state after the last one.
        best: The network's weights after the best one.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)
    optimizer: list[np.ndarray] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first epoch, counted from 1, of the lowest validation loss; 0 before any."""
        losses = [epoch["val_loss"] for epoch in self.history]
        return losses.index(min(losses)) + 1 if losses else 0

    def is_over(self, settings: Settings) -> bool:
        """Return whether the epochs or the patience are spent."""
        done = len(self.history)
        return done >= settings.epochs or done - self.best_epoch >= settings.patience

    def save(self, path: Path, settings: Settings) -> None:
        """Write a checkpoint; the old one is replaced when the new one is complete."""
        saved: dict[str, Any] = {
            f"{name}_{i}": array for name in _ARRAYS for i, array in enumerate(getattr(self, name))
        }
        saved |= {"history": json.dumps(self.history), "settings": settings.to_toml()}
        with replacing(path) as temporary:
            np.savez(temporary, **saved)

    @classmethod
    def load(cls, path: Path, settings: Settings) -> TrainingState:
        """Read a checkpoint; the initial state if there is none yet.

        Raises:
            ValueError: If it cannot be read, or belongs to other settings.
        """
        if not path.exists():
            return cls()
        try:
            # NumPy does not close what it opened itself, if it cannot read it.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
                stored = {name: saved[name] for name in saved.files}
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"the checkpoint {path} cannot be read ({error}). Delete it to train from the start."
            ) from None
        if stored["settings"].item() != settings.to_toml():
            raise ValueError(
                f"{path.with_name('config.toml')} is not what the run was started with, so it cannot be continued. "
                "Start a new run with: binxent train --config"
            )
        arrays = {name: [stored[f"{name}_{i}"] for i in range(_count(stored, name))] for name in _ARRAYS}
        return cls(json.loads(stored["history"].item()), **arrays)


_ARRAYS = ("weights", "optimizer", "best")


def _count(stored: dict[str, np.ndarray], name: str) -> int:
    return sum(key.startswith(f"{name}_") for key in stored)


def train(
    model: keras.Model,
    loss: keras.losses.Loss,
    training: Subset,
    validation: Subset,
    settings: Settings,
    checkpoint: Path,
    report: Callable[[int, dict[str, float]], None],
) -> TrainingState:
    """Train until the epochs or the patience are spent, and return the state with the best weights.

    Every epoch ends with a checkpoint; training continues from an existing one.

    Args:
        model: As `build` made it.
        loss: Takes logits.
        training: The rows to learn from.
        validation: The rows whose loss decides when to stop.
        settings: Settings of the run, with its batch size.
        checkpoint: The file of checkpoints.
        report: Called after each epoch with its number, from 1, and its metrics.

    Raises:
        ValueError: If the loss becomes infinite or NaN.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=loss,
        weighted_metrics=[
            keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
            keras.metrics.AUC(name="auc", from_logits=True, thresholds=AUC_THRESHOLDS),
        ],
    )
    model.optimizer.build(model.trainable_variables)
    state = TrainingState.load(checkpoint, settings)
    if state.history:
        model.set_weights(state.weights)
        _assign(model.optimizer.variables, state.optimizer)
        report(len(state.history), state.history[-1])
    batch_size = settings.batch_size or len(training)
    while not state.is_over(settings):
        epoch = len(state.history)
        # `fit` runs a single epoch: if it is interrupted, the state is still that of the epochs before.
        history = model.fit(
            _Batches(training, batch_size, settings.seed, epoch),
            validation_data=(validation.inputs, validation.target, validation.weight),
            validation_batch_size=min(BLOCK, len(validation)),
            shuffle=False,
            verbose=0,  # pyright: ignore[reportArgumentType]
        ).history
        metrics = {name: float(history[name][0]) for name in METRICS}
        if not (math.isfinite(metrics["loss"]) and math.isfinite(metrics["val_loss"])):
            raise ValueError(
                f"the loss became {metrics['loss']} in epoch {epoch + 1}. Train with a lower --learning-rate "
                f"(it was {settings.learning_rate:g}), and look for extreme weights or parameters of the loss."
            )
        state.history.append(metrics)
        state.weights = model.get_weights()
        state.optimizer = [np.asarray(variable) for variable in model.optimizer.variables]
        if state.best_epoch == len(state.history):
            state.best = state.weights
        state.save(checkpoint, settings)
        report(len(state.history), metrics)
    return state


METRICS = ("loss", "val_loss", "accuracy", "val_accuracy", "auc", "val_auc")


def _assign(variables: list[Any], values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
