"""The training of the networks, which can be interrupted anywhere and continued to the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from binxent.workbench.settings import Settings
from binxent.workbench.training.checkpoint import TrainingState
from binxent.workbench.training.ensemble import Ensemble
from binxent.workbench.training.network import Design, build, reseed_dropout
from binxent.workbench.training.progress import Report

WINDOW = 1 << 26  # numbers of a matrix, 256 MB: as many rows are shuffled at once
BLOCKS = 64  # of a window
STEP = 1 << 16  # held-out rows that are predicted at once


@dataclass(frozen=True)
class Rows:
    """The rows to learn from.

    Attributes:
        inputs: Shape (rows, inputs), float32.
        target: Shape (rows,), 0 or 1.
        weight: Shape (rows,), mean 1 over the rows.
        fold: The fold in which a row is held out, from 0; -1 for a row that never is.
    """

    inputs: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    fold: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray, target: np.ndarray, weight: np.ndarray | None, fold: np.ndarray) -> Rows:
        """Make rows from a matrix of inputs, 0/1 labels, row weights or None, and folds."""
        relative = np.ones(len(target)) if weight is None else weight / weight.mean()
        return cls(inputs, target.astype(np.int8), relative, fold)

    def __len__(self) -> int:
        return len(self.target)

    def without_folds(self) -> Rows:
        """Return the same rows, none of which is held out."""
        return Rows(self.inputs, self.target, self.weight, np.full(len(self), -1))


class _Batches(keras.utils.PyDataset):
    """The rows of an epoch, in an order that depends on the seed and the epoch only."""

    def __init__(self, rows: Rows, weight: np.ndarray, members: int, batch_size: int, seed: int, epoch: int) -> None:
        super().__init__()
        self._rows, self._weight, self._members, self._batch_size = rows, weight, members, batch_size
        self._order = _order(len(rows), rows.inputs.shape[1], np.random.default_rng([seed, epoch]))

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        taken = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        # The last batch is filled up with rows of weight 0: a batch of another size would be compiled again.
        filled = np.concatenate([taken, self._order[: self._batch_size - len(taken)]])
        weight = self._weight[:, filled].T.copy()
        weight[len(taken) :] = 0
        target = self._rows.target[filled].astype(np.float32)[:, None, None]
        return self._rows.inputs[filled], np.repeat(target, self._members, axis=1), weight


def _order(rows: int, inputs: int, random: np.random.Generator) -> np.ndarray:
    """Return the rows in random order; those of a large matrix within windows, so that a disk can follow.

    A window is made of blocks of contiguous rows from all over the matrix.
    """
    window = max(WINDOW // inputs, 1)
    if rows <= window:
        return random.permutation(rows)
    block = -(-window // BLOCKS)
    places, windows = random.permutation(-(-rows // block)), []
    for start in range(0, len(places), BLOCKS):
        members = [np.arange(place * block, min((place + 1) * block, rows)) for place in places[start : start + BLOCKS]]
        windows.append(random.permutation(np.concatenate(members)))
    return np.concatenate(windows)


class _MemberLoss(keras.metrics.Metric):
    """The mean loss of each member."""

    def __init__(self, loss: keras.losses.Loss, members: int) -> None:
        super().__init__(name="member_loss")
        self._loss = loss
        self.total = self.add_weight(shape=(members,), initializer="zeros", name="total")
        self.weight = self.add_weight(shape=(members,), initializer="zeros", name="weight")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        losses = self._loss.call(y_true, y_pred)
        self.total.assign_add(keras.ops.sum(losses * sample_weight, axis=0))
        self.weight.assign_add(keras.ops.sum(sample_weight, axis=0))

    def result(self) -> Any:
        return keras.ops.divide(keras.ops.sum(self.total), keras.ops.sum(self.weight))

    def by_member(self) -> np.ndarray:
        return np.asarray(self.total) / np.asarray(self.weight)


Judge = Callable[[np.ndarray, np.ndarray], np.ndarray]  # takes labels and logits, shape (rows,), returns their losses


def train(
    design: Design,
    loss: keras.losses.Loss,
    judge: Judge,
    rows: Rows,
    settings: Settings,
    checkpoint: Path,
    report: Report,
    epochs: int | None = None,
) -> TrainingState:
    """Train until the epochs or the patience are spent, and return the state with each group's best weights.

    After each epoch, every held-out row is predicted by the members that have not seen it; the mean loss of these
    logits is the group's validation loss, and decides which of its epochs is the best. Every epoch ends with a
    checkpoint; training continues from an existing one.

    Args:
        design: The members.
        loss: Takes logits; its mean is minimised.
        judge: The same loss in NumPy.
        rows: The rows to learn from.
        settings: Settings of the run, with its batch size.
        checkpoint: The file of checkpoints.
        report: Called after each epoch.
        epochs: Train so many without looking at held-out rows; None to stop by the validation loss.

    Raises:
        ValueError: If the loss becomes infinite or NaN.
    """
    model = build(rows.inputs.shape[1], design, settings)
    measured = _MemberLoss(loss, design.members)
    # Each member has the gradient that it would have alone.
    model.compile(keras.optimizers.Adam(settings.learning_rate), loss, [design.members], weighted_metrics=[measured])
    model.optimizer.build(model.trainable_variables)
    logits = [(len(rows) if epochs is None else 0,)] * len(design.regularisations)
    weights, optimizer = (_shapes(each) for each in (model.trainable_variables, model.optimizer.variables))
    shapes = {"weights": weights, "optimizer": optimizer, "best": weights, "logits": logits}
    state = TrainingState.load(checkpoint, settings, shapes)
    if state.history:
        _assign(model.trainable_variables, state.weights)
        _assign(model.optimizer.variables, state.optimizer)
        report(len(state.history), _shown(state))
    held_out = design.held_out(rows.fold)
    counted = rows.fold >= 0
    weight = _member_weights(design, rows, held_out)
    batch_size = min(settings.batch_size or len(rows), len(rows))
    decays = _decays(design, settings, math.ceil(len(rows) / batch_size))
    most, patience = (settings.epochs, settings.patience) if epochs is None else (epochs, epochs)
    while not state.is_over(most, patience):
        epoch = len(state.history)
        reseed_dropout(model, settings.seed, epoch)
        # `fit` runs a single epoch: if it is interrupted, the state is still that of the epochs before.
        batches = _Batches(rows, weight, design.members, batch_size, settings.seed, epoch)
        model.fit(batches, shuffle=False, verbose=0)  # pyright: ignore[reportArgumentType]
        losses = measured.by_member().reshape(len(design.regularisations), -1).mean(axis=1)
        _require_finite(losses, epoch, settings)
        _decay(model, decays)
        weights = [np.asarray(variable) for variable in model.trainable_variables]
        if epochs is None:
            logits = _held_out_logits(design.ensemble(weights), design, rows, held_out)
            val_losses = [_mean_loss(judge, rows, each, counted) for each in logits]
            _require_finite(val_losses, epoch, settings)
        else:
            logits, val_losses = np.empty((len(losses), 0)), losses.tolist()
        state.history.append({"loss": losses.tolist(), "val_loss": val_losses})
        state.weights = weights
        state.optimizer = [np.asarray(variable) for variable in model.optimizer.variables]
        _keep_best(state, design, weights, logits, always=epochs is not None)
        state.save(checkpoint, settings)
        report(len(state.history), _shown(state))
    return state


def _member_weights(design: Design, rows: Rows, held_out: np.ndarray) -> np.ndarray:
    """Return the weight of each row for each member, float32: mean 1, as if the rows held out were not there."""
    seen = np.where(held_out, 0, rows.weight)
    seen *= len(rows) / seen.sum(axis=1, keepdims=True)
    return np.tile(seen.astype(np.float32), (len(design.regularisations), 1))


def _decays(design: Design, settings: Settings, steps: int) -> np.ndarray:
    """Return what an epoch's weight decay leaves of each member's kernels."""
    left = [max(1 - settings.learning_rate * each.weight_decay, 0) ** steps for each in design.regularisations]
    return np.repeat(np.array(left, np.float32), len(design.folds))[:, None, None]


def best_ensemble(state: TrainingState, design: Design) -> Ensemble:
    """Return the members of the best group, as they were after its best epoch."""
    return design.ensemble(design.of_group(state.best, state.best_group))


def _held_out_logits(ensemble: Ensemble, design: Design, rows: Rows, held_out: np.ndarray) -> np.ndarray:
    """Return the mean logit of each row by the members that have not seen it, shape (groups, rows)."""
    totals = np.zeros((len(design.regularisations), len(rows)))
    for fold in sorted(set(design.folds) - {-1}):
        places = [place for place, other in enumerate(design.folds) if other == fold]
        chosen = [group * len(design.folds) + place for group in range(len(totals)) for place in places]
        members = ensemble.only(chosen)
        held = np.flatnonzero(held_out[places[0]])
        for part in (held[start : start + STEP] for start in range(0, len(held), STEP)):
            logits = members.member_logits(rows.inputs[part]).reshape(len(totals), len(places), -1)
            totals[:, part] = logits.mean(axis=1, dtype=np.float64)
    return totals


def _mean_loss(judge: Judge, rows: Rows, logits: np.ndarray, counted: np.ndarray) -> float:
    losses = judge(rows.target[counted], logits[counted])
    return float(np.average(losses, weights=rows.weight[counted]))


def _require_finite(losses: Sequence[float] | np.ndarray, epoch: int, settings: Settings) -> None:
    if not np.isfinite(losses).all():
        raise ValueError(
            f"the loss became {min(losses)} in epoch {epoch + 1}. Train with a lower --learning-rate "
            f"(it was {settings.learning_rate:g}), and look for extreme weights or parameters of the loss."
        )


def _keep_best(
    state: TrainingState, design: Design, weights: Sequence[np.ndarray], logits: np.ndarray, *, always: bool
) -> None:
    """Copy the weights and the held-out logits of the groups whose best epoch this was."""
    if not state.best:
        state.best, state.logits = [array.copy() for array in weights], list(logits)
    size = len(design.folds)
    for group, best in enumerate(state.best_epochs):
        if always or best == len(state.history):
            for kept, array in zip(state.best, weights, strict=True):
                kept[group * size : (group + 1) * size] = array[group * size : (group + 1) * size]
            state.logits[group] = logits[group]


def _shown(state: TrainingState) -> dict[str, float]:
    """Return the last losses of the group that is the best so far."""
    last = state.history[-1]
    return {name: last[name][state.best_group] for name in ("loss", "val_loss")}


def _decay(model: keras.Model, left: np.ndarray) -> None:
    # Once after an epoch instead of at each step; biases are spared.
    for variable in model.trainable_variables:
        if len(variable.shape) == 3:
            variable.assign(np.asarray(variable) * left)


def _shapes(variables: Sequence[Any]) -> list[tuple[int, ...]]:
    return [tuple(variable.shape) for variable in variables]


def _assign(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
