"""The settings of a run: what ``config.toml`` holds, checked in one place."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from binxent.workbench.suggestions import nearest

COLUMN_LISTS = ("exclude", "include", "number", "category", "date", "text")  # the settings that name columns
KIND_LISTS = COLUMN_LISTS[2:]
IN_MEMORY = "table:"  # the beginning of the fingerprints of tables that no file holds
MOST_FOLDS = 20
WIDEST = 1 << 16  # a layer, so that a slip of the keyboard does not fill the memory
# The parameters of each loss, with the defaults of its class.
LOSS_PARAMETERS: dict[str, dict[str, Any]] = {
    "bce": {"pos_weight": None},
    "focal": {"gamma": 2.0, "alpha": None},
    "asymmetric": {"gamma_pos": 1.0, "gamma_neg": 4.0, "margin": 0.05},
    "poly": {"epsilon_1": 1.0},
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that determines the result of a run.

    Attributes:
        data: Files or globs, absolute; empty for the breast-cancer data.
        data_fingerprint: SHA-256 of the data's bytes, or of the values of a table in memory; None until they are read.
        target: The column to predict.
        positive: The target's value that counts as positive.
        group: The column whose equal values stay in one subset of the split.
        weight: The column of row weights.
        time: The column of dates or numbers whose latest rows are the test and the validation rows.
        split: The column that says train, validation or test of each row.
        test: Files or globs of the test rows, absolute.
        holdout: Share of the rows for the test, if no other setting names the test rows; 0 for none.
        folds: Number of folds in which the other rows are held out while networks are trained; None: by their number.
        exclude: Columns not to learn from.
        include: Columns to learn from though they look like ids.
        number: Columns to read as numbers, whatever they look like.
        category: Columns to read as categories.
        date: Columns to read as dates.
        text: Columns to read as text.
        drop_missing: Whether rows whose target, weight or group is missing are dropped.
        loss: A key of `LOSS_PARAMETERS`.
        gamma: Focusing exponent of the focal loss.
        alpha: Share of the positives in the focal loss; None for no class balancing.
        gamma_pos: Exponent of the positives in the asymmetric loss.
        gamma_neg: Exponent of the negatives in the asymmetric loss.
        margin: Subtracted from the negatives' probability in the asymmetric loss.
        epsilon_1: Coefficient of 1 - p_t in the poly loss.
        pos_weight: Weight of a positive in binary cross-entropy: a number, "auto" for negatives / positives, or None.
        label_smoothing: s in [0, 1]; a label y counts as y (1 - s) + s / 2.
        hidden: The widths of the hidden layers.
        learning_rate: Step size of Adam.
        batch_size: Rows per step; None until the number of training rows is known.
        epochs: The most epochs to train.
        patience: Epochs without a lower validation loss before training stops.
        seed: Determines the split, the initial weights and the order of the rows.
        examples: Held-out rows that the report shows, with their values: so many right and so many wrong ones.

    Raises:
        ValueError: If a value is not valid, or belongs to another loss.
    """

    data: tuple[str, ...] = ()
    data_fingerprint: str | None = None
    target: str | None = None
    positive: str | None = None
    group: str | None = None
    weight: str | None = None
    time: str | None = None
    split: str | None = None
    test: tuple[str, ...] = ()
    holdout: float = 0.2
    folds: int | None = None
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    number: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    date: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    drop_missing: bool = False
    loss: str = "bce"
    gamma: float | None = None
    alpha: float | None = None
    gamma_pos: float | None = None
    gamma_neg: float | None = None
    margin: float | None = None
    epsilon_1: float | None = None
    pos_weight: float | str | None = None
    label_smoothing: float = 0.0
    hidden: tuple[int, ...] = (64, 32)
    learning_rate: float = 0.001
    batch_size: int | None = None
    epochs: int = 100
    patience: int = 10
    seed: int = 0
    examples: int = 0

    def __post_init__(self) -> None:
        """Check the values and fill in the defaults of the chosen loss."""
        for key in ("data", "test"):
            named = _is_tuple_of(getattr(self, key), str) and all(pattern.strip() for pattern in getattr(self, key))
            self._require(key, named, "a list of file names or globs")
        for key in COLUMN_LISTS:
            names = getattr(self, key)
            different = _is_tuple_of(names, str) and len(set(names)) == len(names)
            self._require(key, different, "a list of strings, each of them once")
        for key in ("data_fingerprint", "target", "positive", "group", "weight", "time", "split"):
            self._require(key, isinstance(getattr(self, key), str | None), "a string")
        self._require("holdout", _is_number(self.holdout, 0, 0.5), "a number from 0 to 0.5")
        folds = self.folds is None or (_is_integer(self.folds, 1) and self.folds <= MOST_FOLDS)
        self._require("folds", folds, f"a whole number from 1 to {MOST_FOLDS}")
        self._require("drop_missing", isinstance(self.drop_missing, bool), "true or false")
        self._require("loss", self.loss in list(LOSS_PARAMETERS), f"one of {', '.join(LOSS_PARAMETERS)}")
        for loss, parameters in LOSS_PARAMETERS.items():
            for key, default in parameters.items():
                self._check_loss_parameter(loss, key, default)
        self._require("label_smoothing", _is_number(self.label_smoothing, 0, 1), "a number from 0 to 1")
        positive_integer = "a whole number of at least 1"
        widths = isinstance(self.hidden, tuple) and all(_is_integer(width, 1) for width in self.hidden)
        narrow = widths and max(self.hidden, default=1) <= WIDEST
        self._require("hidden", narrow, f"a list of layer widths from 1 to {WIDEST:,}")
        self._require("learning_rate", _is_number(self.learning_rate) and self.learning_rate > 0, "a positive number")
        self._require("batch_size", self.batch_size is None or _is_integer(self.batch_size, 1), positive_integer)
        self._require("epochs", _is_integer(self.epochs, 1), positive_integer)
        self._require("patience", _is_integer(self.patience, 1), positive_integer)
        self._require("examples", _is_integer(self.examples, 0), "a whole number of at least 0")
        self._require("seed", _is_integer(self.seed, 0) and self.seed < 2**32, "a whole number from 0 to 2**32 - 1")

    def _check_loss_parameter(self, loss: str, key: str, default: Any) -> None:
        value = getattr(self, key)
        if loss != self.loss and value is not None:
            raise ValueError(
                f"{_option(key)} belongs to the loss `{loss}`, and this run uses `{self.loss}`. "
                f"Pass --loss {loss}, or leave {_option(key)} out."
            )
        if loss == self.loss and value is None:
            object.__setattr__(self, key, default)
            return
        if key == "pos_weight" and value != "auto":
            self._require(key, value is None or (_is_number(value) and value > 0), "auto or a positive number")
        elif key != "pos_weight":
            self._require(key, value is None or _is_number(value), "a finite number")

    def _require(self, key: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise ValueError(f"{_option(key)} must be {wanted}; got {getattr(self, key)!r}.")

    @property
    def in_memory(self) -> bool:
        """Whether the data were a table in memory, which no file holds."""
        return (self.data_fingerprint or "").startswith(IN_MEMORY)

    @property
    def loss_parameters(self) -> dict[str, Any]:
        """The chosen loss's own parameters."""
        return {key: getattr(self, key) for key in LOSS_PARAMETERS[self.loss]}

    def replace(self, **changes: Any) -> Settings:
        """Return a copy with some values changed."""
        return dataclasses.replace(self, **changes)

    def overridden(self, given: Mapping[str, Any]) -> Settings:
        """Return a copy in which options from the command line take precedence.

        Another loss drops the parameters of the old one; other data drop the old fingerprint.
        """
        changes = dict(given)
        if given.get("loss", self.loss) != self.loss:
            changes = dict.fromkeys(LOSS_PARAMETERS[self.loss]) | changes
        if "data" in given or "test" in given:
            changes = {"data_fingerprint": None} | changes
        return self.replace(**changes)

    def to_toml(self) -> str:
        """Return the settings as the text of a TOML file; settings that are off are left out."""
        lines = ["# Repeat this run with: binxent train --config config.toml"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and not (value == () and field.name != "hidden"):
                lines.append(f"{field.name} = {_toml(value)}")
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, path: Path) -> Settings:
        """Read settings from a file, written by `to_toml` or by hand.

        Args:
            path: A TOML file.

        Raises:
            ValueError: If the file is not TOML, or has an unknown key or an invalid value.
            OSError: If there is no such file, or it cannot be read.
        """
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder, not a settings file; name the config.toml in it.")
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no settings file {path}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{path} is not a TOML file: {error}.") from None
        known = [field.name for field in dataclasses.fields(cls)]
        for key in values:
            if key not in known:
                raise ValueError(f"{path} has the unknown key `{key}`.{nearest(key, known)}")
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        try:
            return cls(**{**values, **lists})
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def _option(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def _is_integer(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: object, least: float = -math.inf, most: float = math.inf) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and least <= value <= most
    )


def _is_tuple_of(value: object, kind: type) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, kind) for item in value)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A JSON string is a TOML basic string, except that TOML requires DEL to be escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return repr(value)
