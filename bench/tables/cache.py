"""What has been measured on this machine: the prepared tables, the splits, and a record for each trained model."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from bench.tables.scores import difference


class Cache:
    """A folder with the tables, `results.json`, and beside it the held-out rows and the losses of each of them.

    A record is kept under (table, seed, model), as soon as it is there: a run that stops loses nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "results.json"
        self.records: dict[str, dict[str, Any]] = json.loads(self.path.read_text()) if self.path.exists() else {}
        for part in ("splits", "losses"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def split(self, table: str, seed: int) -> np.ndarray | None:
        """Return the held-out rows of a table (int64), or None if nothing was trained on it."""
        path = self.folder / "splits" / f"{table}-{seed}.npy"
        return np.load(path) if path.exists() else None

    def keep_split(self, table: str, seed: int, rows: np.ndarray) -> None:
        """Keep the held-out rows.

        Raises:
            ValueError: If other rows were held out before: the results could not be compared.
        """
        known = self.split(table, seed)
        if known is None:
            np.save(self.folder / "splits" / f"{table}-{seed}.npy", rows)
        elif not np.array_equal(known, rows):
            raise ValueError(
                f"`binxent train` holds out other rows of {table} with seed {seed} than when the results in "
                f"{self.folder} were made. Begin anew with another --cache."
            )

    def record(self, table: str, seed: int, model: str) -> dict[str, Any] | None:
        """Return what is known of a model, or None."""
        return self.records.get(f"{table}/{seed}/{model}")

    def keep(self, table: str, seed: int, model: str, record: dict[str, Any], losses: np.ndarray) -> None:
        """Keep a record and the losses of the held-out rows."""
        np.savez_compressed(self.losses_path(table, seed, model), losses=losses)
        # Read anew: another process may have added records meanwhile.
        self.records = (json.loads(self.path.read_text()) if self.path.exists() else {}) | {
            f"{table}/{seed}/{model}": record
        }
        temporary = self.path.with_suffix(f".{os.getpid()}.part")
        lines = [f"{json.dumps(key)}: {json.dumps(self.records[key])}" for key in sorted(self.records)]
        temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        temporary.replace(self.path)

    def losses_path(self, table: str, seed: int, model: str) -> Path:
        """Return where the losses of the held-out rows are."""
        return self.folder / "losses" / f"{table}-{seed}-{model}.npz"

    def scores(self, tables: list[str], models: list[str], seeds: list[int], reference: str) -> list[dict[str, Any]]:
        """Return the means over the seeds of each table and model that has them all, beside the reference."""
        found = []
        for table in tables:
            for model in models:
                if not all(self.record(table, seed, name) for seed in seeds for name in (model, reference)):
                    continue
                records = [self.records[f"{table}/{seed}/{model}"] for seed in seeds]
                row: dict[str, Any] = {"table": table, "model": model}
                row["skill"] = float(np.mean([1 - record["log_loss"] / record["base_loss"] for record in records]))
                for name in ("log_loss", "auc", "brier", "cpu_seconds"):
                    row[name] = float(np.mean([record[name] for record in records]))
                rows = np.concatenate([self.split(table, seed) for seed in seeds])
                ours, theirs = (
                    np.concatenate([np.load(self.losses_path(table, seed, name))["losses"] for seed in seeds])
                    for name in (reference, model)
                )
                row["difference"], row["standard_error"] = difference(rows, ours, theirs)
                found.append(
                    {name: round(value, 6) if isinstance(value, float) else value for name, value in row.items()}
                )
        return found
