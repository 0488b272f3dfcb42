"""The rivals, each at its defaults behind skrub's preparation, with one thread."""

import importlib
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import skrub
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits


class Rival(NamedTuple):
    """A model to compare with.

    Attributes:
        package: The package that has it.
        fit_predict: Learns from rows, labels and a seed, and returns the probabilities of both labels for other rows.
    """

    package: str
    fit_predict: Callable[[pd.DataFrame, np.ndarray, pd.DataFrame, int], np.ndarray]


def available() -> dict[str, Rival]:
    """Return the rivals whose packages are installed; they are imported, so that nobody measures it."""
    found = {}
    for name, rival in RIVALS.items():
        try:
            importlib.import_module(rival.package)
        except ModuleNotFoundError:
            continue
        found[name] = rival
    return found


def predict(rival: Rival, rows: pd.DataFrame, labels: np.ndarray, others: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the probabilities of both labels for other rows, shape (rows, 2), with one thread and without warnings.

    Args:
        rival: The model.
        rows: The rows to learn from.
        labels: 0 or 1, one for each row.
        others: The rows to predict.
        seed: The model's random state.
    """
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # of new categories, and of a solver that stops early: so are the defaults
        return np.asarray(rival.fit_predict(rows, labels, others, seed))


def _piped(
    make: Callable[..., Any], rows: pd.DataFrame, labels: np.ndarray, others: pd.DataFrame, seed: int
) -> np.ndarray:
    """Fit a classifier of scikit-learn behind the preparation that skrub chooses for it."""
    return skrub.tabular_pipeline(make(random_state=seed)).fit(rows, labels).predict_proba(others)


def _boosted(
    make: Callable[[int, list[str]], Any], rows: pd.DataFrame, labels: np.ndarray, others: pd.DataFrame, seed: int
) -> np.ndarray:
    """Fit a booster behind the preparation that skrub has for scikit-learn's own: categories stay categories."""
    vectorizer = skrub.TableVectorizer(low_cardinality=skrub.ToCategorical(), high_cardinality=skrub.StringEncoder())
    known, new = vectorizer.fit_transform(rows), vectorizer.transform(others)
    # LightGBM and XGBoost refuse some signs in names.
    known, new = (table.set_axis([f"c{place}" for place in range(table.shape[1])], axis=1) for table in (known, new))
    categories = [name for name in known if isinstance(known[name].dtype, pd.CategoricalDtype)]
    for name in categories:
        new[name] = new[name].astype(known[name].dtype)  # a category that training has not seen counts as missing
    model = make(seed, categories)
    if make is _catboost:
        known, new = _texts(known, categories), _texts(new, categories)
    return model.fit(known, labels).predict_proba(new)


def _texts(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the table with its categories as texts, and a word for the missing ones: CatBoost refuses others."""
    texts = {name: table[name].astype(object).where(table[name].notna(), "missing").astype(str) for name in names}
    return table.assign(**texts)


def _lightgbm(seed: int, _: list[str]) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(random_state=seed, n_jobs=1, verbose=-1)


def _xgboost(seed: int, _: list[str]) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(random_state=seed, n_jobs=1, enable_categorical=True)


def _catboost(seed: int, categories: list[str]) -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        random_seed=seed, thread_count=1, cat_features=categories, verbose=False, allow_writing_files=False
    )


RIVALS = {
    "logistic": Rival("sklearn", partial(_piped, LogisticRegression)),
    "hist_gradient_boosting": Rival("sklearn", partial(_piped, HistGradientBoostingClassifier)),
    "random_forest": Rival("sklearn", partial(_piped, RandomForestClassifier)),
    "lightgbm": Rival("lightgbm", partial(_boosted, _lightgbm)),
    "xgboost": Rival("xgboost", partial(_boosted, _xgboost)),
    "catboost": Rival("catboost", partial(_boosted, _catboost)),
}
