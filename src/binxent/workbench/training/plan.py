"""The plan of a run: what the data hold and what will be done, settled and printed before any training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

import binxent.numpy as bx
from binxent.workbench.data.dataset import Dataset, load
from binxent.workbench.data.split import Split, of_sample, split
from binxent.workbench.judgement.findings import Finding
from binxent.workbench.judgement.judge import judge_table
from binxent.workbench.run_folder import COLUMNS, FORMAT
from binxent.workbench.settings import Settings
from binxent.workbench.wording import Writer, quoted

LISTED = 200  # columns shown
LOSS_CLASSES = {
    "bce": "BinaryCrossentropy",
    "focal": "BinaryFocalCrossentropy",
    "asymmetric": "AsymmetricCrossentropy",
    "poly": "PolyBinaryCrossentropy",
}


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the training.

    Attributes:
        settings: Complete: the data's fingerprint, the target and the batch size are filled in.
        dataset: The table and the roles of its columns.
        split: The rows to learn from, in folds, and the test rows.
    """

    settings: Settings
    dataset: Dataset
    split: Split

    @classmethod
    def of(cls, settings: Settings, write: Writer = lambda _: None, rows: pl.DataFrame | None = None) -> Plan:
        """Read the data and make a plan.

        Args:
            settings: Settings of the run.
            write: Writes a line for the user.
            rows: The data, if they are in memory.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If the data or the settings do not allow a run.
        """
        dataset, settings = load(settings, write, rows)
        subsets = split(dataset, settings)
        if settings.batch_size is None:
            # About a hundred steps an epoch, within limits: small batches are slow, large ones take too few steps.
            steady = 2 ** round(math.log2(max(len(subsets.training) / 100, 1)))
            settings = settings.replace(batch_size=min(max(steady, 32), 1024))
        plan = cls(settings, dataset, subsets)
        plan.loss(*np.zeros((2, 1, 1), np.float32))  # raises if its parameters are not valid, also in float32
        return plan

    def labels(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the target and the weight (or None) of some rows."""
        weight = self.dataset.weight
        return self.dataset.target[rows], None if weight is None else weight[rows]

    @cached_property
    def base_rate(self) -> float:
        """The weighted share of positives among the rows to learn from."""
        target, weight = self.labels(self.split.training)
        return float(np.average(target, weights=weight))

    @property
    def _mean_label(self) -> np.ndarray:
        return np.array([self.base_rate])  # a single soft label represents all rows and their weights

    @property
    def prior(self) -> float:
        """The base rate as a logit."""
        return float(bx.prior_logit(self._mean_label))

    @cached_property
    def loss_options(self) -> dict[str, Any]:
        """The arguments of the loss class, the same in every framework."""
        settings = self.settings
        options = {key: value for key, value in settings.loss_parameters.items() if value is not None}
        if options.get("pos_weight") == "auto":
            options["pos_weight"] = float(bx.balanced_pos_weight(self._mean_label))
        if "alpha" in options:
            options["apply_class_balancing"] = True
        return {**options, "from_logits": True, "label_smoothing": settings.label_smoothing}

    @cached_property
    def loss(self) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """The loss of NumPy arrays of shape (rows, 1), without a reduction over rows."""
        return getattr(bx, LOSS_CLASSES[self.settings.loss])(**self.loss_options, reduction="none")

    @cached_property
    def findings(self) -> list[Finding]:
        """What speaks against the table and its split."""
        return judge_table(*self.sampled, self.settings)

    @cached_property
    def sampled(self) -> tuple[Dataset, Split]:
        """The dataset and its split; of a table that is too large to be held, those of its sample."""
        return of_sample(self.dataset, self.split)

    @property
    def correction_kind(self) -> str:
        """What the loss needs: no correction ("none"), that of its weight ("pos_weight"), or a fit ("fitted")."""
        if self.settings.loss != "bce" or self.settings.label_smoothing:
            return "fitted"
        return "none" if self.settings.pos_weight is None else "pos_weight"

    @property
    def base_rate_loss(self) -> float:
        """The log loss of the validation rows when the base rate is predicted for every row."""
        plain = bx.BinaryCrossentropy(from_logits=True, reduction="none")
        return self._constant_loss(plain, self.prior, self._validation_rate)

    @property
    def training_base_rate_loss(self) -> float:
        """The chosen loss of the validation rows when the constant that is best in training is predicted for them."""
        if self.correction_kind == "none":
            return self.base_rate_loss
        from scipy.optimize import minimize_scalar

        best: Any = minimize_scalar(
            lambda logit: self._constant_loss(self.loss, logit, self.base_rate), bounds=(-40, 40), method="bounded"
        )
        return self._constant_loss(self.loss, best.x, self._validation_rate)

    @property
    def _validation_rate(self) -> float:
        target, weight = self.labels(self.split.validation)
        return float(np.average(target, weights=weight))

    @staticmethod
    def _constant_loss(loss: Callable[[np.ndarray, np.ndarray], Any], logit: float, rate: float) -> float:
        of_positive, of_negative = loss(np.array([[1.0], [0.0]]), np.full((2, 1), logit))
        return float(rate * of_positive + (1 - rate) * of_negative)

    def facts(self) -> dict[str, Any]:
        """Return the plan as plain values, ready for JSON."""
        dataset = self.dataset
        return {
            "rows": len(dataset.target),
            "dropped_rows": dataset.dropped,
            "sampled_rows": None if dataset.sample is None else len(dataset.sample),
            "features": dataset.features.kinds,
            "left_out": dataset.features.left_out,
            "columns": [column.to_json() for column in dataset.columns],
            **self.counts(),
            "findings": [finding.to_json() for finding in self.findings],
            "settings": dataclasses.asdict(self.settings),
        }

    def columns(self) -> dict[str, Any]:
        """Return what became of each column, and how to read those that prediction needs, for the run folder."""
        dataset = self.dataset
        reading = [column.to_json() for column in dataset.features.columns.values()]
        columns = [column.to_json() for column in dataset.columns]
        classes = [dataset.negative, dataset.positive]
        return {"format": FORMAT, "classes": classes, "columns": columns, "reading": reading}

    def counts(self) -> dict[str, Any]:
        """Return the classes, the sizes of the subsets, the positives and the losses that a model has to beat."""
        return {
            "positive": self.dataset.positive,
            "negative": self.dataset.negative,
            "train_rows": len(self.split.training),
            "validation_rows": len(self.split.validation),
            "test_rows": len(self.split.test),
            "positives": int(self.dataset.target.sum()),
            "base_rate": self.base_rate,
            "base_rate_loss": self.base_rate_loss,
            "training_base_rate_loss": self.training_base_rate_loss,
        }

    def describe(self, write: Writer) -> None:
        """Write what the data hold and what will be done."""
        settings, dataset = self.settings, self.dataset
        source = ", ".join(settings.data) or (
            "a table in memory" if settings.in_memory else "breast-cancer data of scikit-learn"
        )
        dropped = f", {dataset.dropped:,} more dropped for missing values" if dataset.dropped else ""
        write(f"Data        {len(dataset.target):,} rows{dropped} ({source})")
        write(f"Columns     {dataset.features.summary} to learn from, of {len(dataset.columns):,} columns")
        if dataset.sample is not None:
            write(
                f"Streamed    too large to be held: kinds, missing and odd values are those of a sample of "
                f"{len(dataset.sample):,} rows; all rows are read again, and prepared into a file in the run folder"
            )
        self._list_columns(write)
        weighted = "" if dataset.weight is None else f", {dataset.base_rate:.2%} by weight"
        write(
            f"Target      {settings.target}: {dataset.target.sum():,} rows ({dataset.target.mean():.2%}{weighted}) are "
            f"`{dataset.positive}`, the positives; the others are `{dataset.negative}`"
        )
        grouped = "" if settings.group is None else f", groups of `{settings.group}` whole"
        parts = self.split
        held_out = (
            f"held out in {parts.folds} folds" if parts.folds > 1 else f"{len(parts.validation):,} for validation"
        )
        write(
            f"Split       {len(parts.training):,} rows to learn from ({held_out}), {len(parts.test):,} test rows "
            f"({parts.remark}{grouped})"
        )
        write(
            f"Base rate   always predicting {self.base_rate:.4g} costs {self.base_rate_loss:.4f} on validation rows: "
            "the log loss to beat"
        )
        write(f"Loss        {settings.loss}{self._options_as_text()}{_CORRECTIONS[self.correction_kind]}")
        widths = " -> ".join(str(width) for width in (*settings.hidden, 1)) if settings.hidden else "linear"
        networks = f"one for each fold, {widths}" if parts.folds > 1 else widths
        rows = len(self.split.training)
        batch = f"{settings.batch_size} rows" if (settings.batch_size or rows) < rows else f"all {rows:,} training rows"
        write(f"Networks    {networks}; Adam {settings.learning_rate:g}, batches of {batch}")
        if not 0.2 <= self.base_rate <= 0.8:
            self._advise(write)
        for finding in self.findings:
            write(finding.line)

    def _list_columns(self, write: Writer) -> None:
        columns = self.dataset.columns
        width = min(max(len(column.name) for column in columns), 30)
        for column in columns[:LISTED]:
            facts = [column.kind or "not read"] + [f"{column.missing:,} missing"] * (column.missing > 0)
            if column.odd:
                more = ", ..." * (column.odd > len(column.examples))
                facts.append(f"{column.odd:,} odd, taken as missing ({quoted(column.examples)}{more})")
            use = {"feature": "used"}.get(column.use, column.use)
            facts.append(": ".join(filter(None, [use, column.remark])))
            write(f"            {column.name:<{width}}  {'; '.join(facts)}")
        if len(columns) > LISTED:
            write(f"            and {len(columns) - LISTED:,} more, in {COLUMNS} of the run folder")

    def _options_as_text(self) -> str:
        implied = ("from_logits", "apply_class_balancing")
        shown = [f"{key} {value:.4g}" for key, value in self.loss_options.items() if value and key not in implied]
        return f" ({', '.join(shown)})" if shown else ""

    def _advise(self, write: Writer) -> None:
        rate, balance = self.base_rate, float(bx.balanced_pos_weight(self._mean_label))
        direction = "up" if balance > 1 else "down"
        write(f"Unbalanced  {rate:.2%} positives. What each option would do, and what it costs in calibration:")
        if rate < 0.5:
            flag = f"Flag rows above {rate:.3g}, which are likelier to be positive than most, instead of 0.5"
        else:
            rare = self.dataset.negative
            flag = f"Nearly every row lies above 0.5: to look for the rare `{rare}`, pass --positive '{rare}'"
        write(
            "- bce, the default, with another threshold: costs nothing, the probabilities stay right. "
            f"{flag}; or flag above a / (a + m) where a false alarm costs a and a miss costs m."
        )
        write(
            f"- --pos-weight auto (here {balance:.4g}): moves every logit {direction} by {abs(math.log(balance)):.2f}, "
            f"so that raw probabilities average near 50 % instead of {rate:.2%}; undone after training. "
            "The ranking (AUC) hardly changes."
        )
        write(
            "- --loss focal: learns most from hard rows and pulls probabilities to 0.5 (calibration slope about 2.5 "
            "at gamma 2); undone after training by a slope and intercept fitted on the validation rows, not exactly."
        )


_CORRECTIONS = {
    "none": "",
    "pos_weight": "; its shift of the probabilities is undone after training",
    "fitted": "; its distortion of the probabilities is undone by a slope and intercept fitted on the validation rows",
}
