"""The state of a training, which a checkpoint keeps after each epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from binxent.workbench.run_folder import read_arrays, replacing
from binxent.workbench.settings import Settings

CHECKPOINTS = ("checkpoint.npz", "refit.npz")  # of the first training, and of the one on all rows


@dataclass
class TrainingState:
    """The state of a training after an epoch: all that is needed to continue it.

    Attributes:
        history: For each finished epoch, the training loss and the validation loss of each group.
        weights: The members' weights after the last one.
        optimizer: Adam's state after the last one.
        best: The members' weights, of each group after its best epoch.
        logits: The logit of each held-out row, float64, of each group after its best epoch, shape (groups, rows).
    """

    history: list[dict[str, list[float]]] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)
    optimizer: list[np.ndarray] = field(default_factory=list)
    best: list[np.ndarray] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)

    @property
    def best_epochs(self) -> list[int]:
        """The first epoch, counted from 1, of the lowest validation loss of each group; empty before any."""
        if not self.history:
            return []
        losses = np.array([epoch["val_loss"] for epoch in self.history])
        return (losses.argmin(axis=0) + 1).tolist()

    @property
    def best_group(self) -> int:
        """The group of the lowest validation loss."""
        losses = np.array([epoch["val_loss"] for epoch in self.history])
        return int(losses.min(axis=0).argmin())

    def is_over(self, epochs: int, patience: int) -> bool:
        """Return whether the epochs or the patience of every group are spent."""
        done = len(self.history)
        return done >= epochs or done - max(self.best_epochs, default=0) >= patience

    def save(self, path: Path, settings: Settings) -> None:
        """Write a checkpoint; the old one is replaced when the new one is complete."""
        saved: dict[str, Any] = {
            f"{name}_{i}": array for name in _ARRAYS for i, array in enumerate(getattr(self, name))
        }
        saved |= {"history": json.dumps(self.history), "settings": settings.to_toml()}
        with replacing(path) as temporary:
            np.savez(temporary, **saved)

    @classmethod
    def load(cls, path: Path, settings: Settings, shapes: Mapping[str, list[tuple[int, ...]]]) -> TrainingState:
        """Read a checkpoint; the initial state if there is none yet.

        Args:
            path: The checkpoint.
            settings: Settings of the run.
            shapes: The shapes of the arrays of each list, by its name: another version may have had others.

        Raises:
            ValueError: If it cannot be read, or belongs to other settings or another version.
        """
        if not path.exists():
            return cls()
        try:
            stored = read_arrays(path)
            began_with, history = stored["settings"].item(), json.loads(stored["history"].item())
            arrays = {name: [stored[f"{name}_{i}"] for i in range(_count(stored, name))] for name in _ARRAYS}
            if {name: [array.shape for array in arrays[name]] for name in _ARRAYS} != dict(shapes):
                raise ValueError("it is of other networks or rows than this version trains")
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"the checkpoint {path} cannot be read ({error}). Delete it to train from the start."
            ) from None
        if began_with != settings.to_toml():
            raise ValueError(
                f"{path.with_name('config.toml')} is not what the run was started with, so it cannot be continued. "
                "Start a new run with: binxent train --config"
            )
        return cls(history, **arrays)


_ARRAYS = ("weights", "optimizer", "best", "logits")


def _count(stored: dict[str, np.ndarray], name: str) -> int:
    return sum(key.startswith(f"{name}_") for key in stored)
