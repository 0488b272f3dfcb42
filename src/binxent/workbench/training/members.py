"""What is trained for a plan: how many networks, on which rows, with which regularisation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

import binxent.keras as losses
from binxent.workbench.training.checkpoint import CHECKPOINTS
from binxent.workbench.training.ensemble import Bins, Ensemble
from binxent.workbench.training.fit import Rows, best_ensemble, train
from binxent.workbench.training.network import Design, Regularisation, keras_model
from binxent.workbench.training.plan import LOSS_CLASSES, Plan
from binxent.workbench.training.progress import epochs_shown

if TYPE_CHECKING:
    import keras

LIGHT, STRONG = Regularisation(0.2, 0.01), Regularisation(0.5, 1.0)
SEEDS = 3  # networks whose logits are averaged where there is one fold
# With more rows one network learns nearly as much, and time counts.
AVERAGED, REFITTED = 100_000, 200_000


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes:
        ensemble: The networks.
        held_out_logits: Logits of the rows that were held out, by networks that had not seen them, in their order.
        history: The losses of each epoch, of the regularisation that was chosen.
        best_epoch: The epoch of the lowest validation loss, from 1.
        regularisation: The one that was chosen.
    """

    ensemble: Ensemble
    held_out_logits: np.ndarray
    history: list[dict[str, float]]
    best_epoch: int
    regularisation: dict[str, float]

    def to_keras(self) -> keras.Model:
        """Return the networks as a model of Keras's own layers."""
        return keras_model(self.ensemble)


def train_members(plan: Plan, inputs: np.ndarray, continuous: np.ndarray, run: Path, stream: TextIO) -> Trained:
    """Train the networks of a plan.

    With several folds there is one network for each of them, which does not see its rows; every row has then trained
    all networks but one. With one fold a few networks differ in their first weights, and are trained again on all rows
    for as many epochs as were the best. Of two regularisations the one with the lower validation loss is kept.

    Args:
        plan: The plan.
        inputs: The prepared training rows.
        continuous: Whether each input is a quantity.
        run: The folder for checkpoints.
        stream: Stream for the progress.
    """
    settings, split = plan.settings, plan.split
    few = len(inputs) <= AVERAGED
    design = Design(
        Bins.of(inputs, continuous),
        (LIGHT, STRONG) if few else (LIGHT,),
        range(split.folds) if split.folds > 1 else [0] * (SEEDS if few else 1),
        plan.prior,
    )
    loss = getattr(losses, LOSS_CLASSES[settings.loss])(**plan.loss_options)
    rows = Rows.of(inputs, *plan.labels(split.training), split.fold)

    def judge(target: np.ndarray, logit: np.ndarray) -> np.ndarray:
        return np.asarray(plan.loss(target.astype(float)[:, None], logit[:, None]))

    first, again = (run / name for name in CHECKPOINTS)
    with epochs_shown(settings.epochs, stream) as report:
        state = train(design, loss, judge, rows, settings, first, report)
    group = state.best_group
    chosen, best_epoch = design.regularisations[group], state.best_epochs[group]
    ensemble = best_ensemble(state, design)
    if split.folds == 1 and len(rows) <= REFITTED:
        design = dataclasses.replace(design, regularisations=[chosen], folds=[-1] * len(design.folds))
        with epochs_shown(best_epoch, stream, again=True) as report:
            refitted = train(design, loss, judge, rows.without_folds(), settings, again, report, epochs=best_epoch)
        ensemble = best_ensemble(refitted, design)
    history: list[dict[str, Any]] = [
        {name: epoch[name][group] for name in ("loss", "val_loss")} for epoch in state.history
    ]
    held_out = np.asarray(state.logits[group], np.float64)[split.fold >= 0]
    return Trained(ensemble, held_out, history, best_epoch, dataclasses.asdict(chosen))
