"""What prediction finds in new data that is not as in training, counted over all batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import polars as pl

from binxent.workbench.data.preparation import Preparation
from binxent.workbench.reading.columns import EXAMPLES, kind_of
from binxent.workbench.wording import quoted


class Counts:
    """Counts of values that are not as in training, over all batches, by column.

    Attributes:
        present: Values that are not missing.
        odd: Values that are not of the column's kind, and count as missing.
        foreign: Those of them that are text.
        unseen: Categories that training has not seen.
        examples: A few different odd values, as text.
        rows: The number of rows.
    """

    def __init__(self) -> None:
        self.present: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()
        self.foreign: Counter[str] = Counter()
        self.unseen: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.rows: int = 0

    def converted(self, batch: pl.DataFrame, preparation: Preparation) -> pl.DataFrame:
        """Convert the features of a batch as in training, and count."""
        found = preparation.features.convert(batch)
        self.rows += batch.height
        for name, column in found.items():
            self.present[name] += batch.height - column.missing
            self.odd[name] += column.odd
            # Dates beyond the calendar are odd, and still dates.
            self.foreign[name] += column.odd * (kind_of(batch.get_column(name).dtype) == "text")
            shown = self.examples.setdefault(name, [])
            shown += [value for value in column.examples if value not in shown][: EXAMPLES - len(shown)]
        table = pl.DataFrame([column.values.alias(name) for name, column in found.items()])
        self.unseen.update(preparation.unseen(table))
        return table

    def require_kinds(self, kinds: Mapping[str, str]) -> None:
        """Raise a ValueError if most values of a column are not of the kind that it had in training."""
        changed = [
            f"`{name}` is text and was {kinds[name]} in training (as in {quoted(self.examples[name])})"
            for name, odd in self.foreign.items()
            if 2 * odd > self.present[name]
        ]
        if changed:
            raise ValueError(f"the columns' types have changed: {'; '.join(changed)}.")

    def odd_in_words(self) -> list[str]:
        """Return a sentence for each column with odd values."""
        return [
            f"odd values of `{name}`, taken as missing: {count:,} of {self.rows:,} ({quoted(self.examples[name])})."
            for name, count in self.odd.items()
            if count
        ]

    def unseen_in_words(self) -> list[str]:
        """Return a sentence for each column with categories that training has not seen."""
        return [
            f"{count:,} of {self.rows:,} values of `{name}` were never seen in training."
            for name, count in self.unseen.items()
            if count
        ]
