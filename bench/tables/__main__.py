"""`python -m bench.tables`: train `binxent train` and its rivals on the tables of public packages, and compare them.

What was measured before stays in the cache; only what is missing is trained, so that a run can be stopped and begun
again. Without --save nothing outside of the cache is written.
"""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from bench import documents, store
from bench.tables import page
from bench.tables.cache import Cache
from bench.tables.measure import train_ours, train_rival
from bench.tables.rivals import Rival, available
from bench.tables.sources import prepare

CACHE = store.ROOT / ".cache" / "tables"


def main(arguments: list[str] | None = None) -> None:
    """Prepare the tables, train what is missing, and print the comparison."""
    options = _options(arguments)
    ours = dict(_candidate(text) for text in options.ours)
    reference = next(iter(ours))
    rivals = {name: rival for name, rival in available().items() if options.models is None or name in options.models}
    entries = prepare(options.cache, options.tables)
    if options.prepare:
        print(f"{len(entries)} tables are in {options.cache}, with {options.cache / 'manifest.json'}")
        return
    cache = Cache(options.cache)
    trains_ours = options.models is None or "ours" in options.models
    by_size = sorted(entries, key=lambda entry: entry["rows"] * entry["columns"])
    for seed in options.seeds:
        for entry in by_size:
            _train(cache, entry, seed, ours if trains_ours else {}, rivals, options.again)
    names = sorted({key.split("/")[2] for key in cache.records} - set(ours))
    scores = cache.scores([entry["name"] for entry in entries], [*ours, *names], options.seeds, reference)
    print(page.as_text(scores, reference))
    if options.save:
        page.save(entries, scores, reference, options.seeds)
        for document in documents.fill_documents():
            print(f"wrote {document.relative_to(store.ROOT)}", file=sys.stderr)


def _train(
    cache: Cache,
    entry: dict[str, Any],
    seed: int,
    ours: dict[str, list[str]],
    rivals: dict[str, Rival],
    again: set[str],
) -> None:
    """Train what has no record yet on a table, the network first: it decides which rows are held out."""
    table = entry["name"]
    for name, options in ours.items():
        known = cache.record(table, seed, name)
        if known is not None and known["options"] == options and not again & {name, "ours"}:
            continue
        rows, record, losses = train_ours(cache.folder, entry, seed, options)
        cache.keep_split(table, seed, rows)
        cache.keep(table, seed, name, record, losses)
        _tell(table, seed, name, record)
    rows = cache.split(table, seed)
    for name, rival in rivals.items():
        if cache.record(table, seed, name) is not None and name not in again:
            continue
        if rows is None:
            raise SystemExit(f"{table}, seed {seed}: train `ours` first; it decides which rows are held out.")
        record, losses = train_rival(cache.folder, entry, rows, seed, rival)
        cache.keep(table, seed, name, record, losses)
        _tell(table, seed, name, record)


def _tell(table: str, seed: int, model: str, record: dict) -> None:
    skill = 1 - record["log_loss"] / record["base_loss"]
    print(
        f"{table:18} {seed} {model:24} skill {skill:7.4f}  AUC {record['auc']:.4f}  {record['cpu_seconds']:6.1f} CPU s",
        file=sys.stderr,
        flush=True,
    )


def _candidate(text: str) -> tuple[str, list[str]]:
    name, colon, given = text.partition(":")
    if not name or not colon or "/" in name:
        raise SystemExit(f"--ours {text!r}: write NAME:OPTIONS, as in 'linear:--hidden none' or 'default:'.")
    return name, shlex.split(given)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.tables", description=__doc__)
    parser.add_argument("--prepare", action="store_true", help="only write the tables and their manifest")
    parser.add_argument("--cache", type=Path, default=CACHE, help="the folder of tables and results  [.cache/tables]")
    parser.add_argument("--tables", type=_names, default=(), help="some of the tables, as A,B  [all]")
    parser.add_argument("--models", type=_names, help="ours and rivals to train, as ours,logistic  [all installed]")
    parser.add_argument(
        "--ours",
        action="append",
        metavar="NAME:OPTIONS",
        help="a way to call `binxent train`, and a name for it; repeatable, the first is the one that the others are "
        "compared with  [default:]",
    )
    parser.add_argument(
        "--seeds", type=lambda text: [int(seed) for seed in _names(text)], default=[0, 1, 2], help="[0,1,2]"
    )
    parser.add_argument("--again", type=lambda text: set(_names(text)), default=set(), help="models to train anew")
    parser.add_argument("--save", action="store_true", help="write bench/results/tables.json and the documents")
    options = parser.parse_args(arguments)
    options.ours = options.ours or ["default:"]
    options.cache = options.cache.resolve()
    return options


if __name__ == "__main__":
    main()
