import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator

from binxent import BinaryClassifier
from binxent.workbench.settings import Settings

QUICK = {"epochs": 20, "hidden": (), "learning_rate": 0.05}
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "copies of a row may be set aside where a weighted row is not",
}


@pytest.fixture(scope="module")
def fitted(visits):
    table = visits.drop("readmitted").with_columns(target=pl.int_range(pl.len()) % 7)
    return BinaryClassifier(**QUICK, category=["clinic"], random_state=1).fit(table, visits["readmitted"]), table


def test_tables_and_labels_are_taken_as_they_are(fitted, visits):
    model, table = fitted
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.feature_names_in_.tolist() == table.columns
    assert model.run_.features.kinds["clinic"] == "category"
    assert "target" in model.run_.features.kinds
    probability = model.predict_proba(table)
    assert probability.shape == (visits.height, 2)
    assert np.array_equal(model.predict(table) == "yes", probability[:, 1] > 0.5)
    np.testing.assert_allclose(1 / (1 + np.exp(-model.decision_function(table))), probability[:, 1])
    assert model.score(table, visits["readmitted"]) > 0.6
    for other in (table.to_pandas(), table.lazy(), table.to_arrow()):
        assert np.array_equal(model.predict_proba(other), probability)


def test_a_pipeline_and_a_pickle(fitted, visits):
    model, table = fitted
    pipeline = make_pipeline(FunctionTransformer(), clone(model)).fit(table, visits["readmitted"])
    again = pickle.loads(pickle.dumps(pipeline))
    assert np.array_equal(again.predict_proba(table), pipeline.predict_proba(table))
    assert np.array_equal(again.predict_proba(table), model.predict_proba(table))


def test_weights_of_zero_leave_rows_out(visits):
    rng = np.random.default_rng(0)
    inputs, weight = rng.normal(size=(200, 3)), np.repeat([2.0, 0.0], 100)
    label = inputs[:, 0] > 0
    model = BinaryClassifier(**QUICK, random_state=0)
    weighted = clone(model).fit(inputs, label, weight).predict_proba(inputs)
    assert np.array_equal(weighted, clone(model).fit(inputs[:100], label[:100], weight[:100]).predict_proba(inputs))
    assert not np.array_equal(weighted, clone(model).fit(inputs, label).predict_proba(inputs))


@pytest.mark.parametrize(
    ("label", "options", "sentence"),
    [
        ([1] * 40, {}, r"`y` has one class only: 1. A classifier needs two."),
        ([0, 1, 2, 3] * 10, {}, "Only binary classification is supported. The type of the target is multiclass"),
        (["a", None] * 20, {}, "Input y contains NaN or None"),
        ([0, 1] * 20, {"loss": "focal", "pos_weight": 2}, "pos_weight belongs to the loss `bce`"),
        ([0, 1] * 20, {"exclude": ["b"]}, "exclude: there is no column `b`. There are: a"),
    ],
)
def test_errors_are_sentences(label, options, sentence):
    table = pl.DataFrame({"a": np.random.default_rng(0).normal(size=40)})
    with pytest.raises(ValueError, match=sentence):
        BinaryClassifier(**options).fit(table, label)


def test_objects_are_columns_of_their_kinds():
    from binxent.workbench.reading.frames import from_array

    found = from_array(np.array([[1.5, "a", True, {}], [None, np.nan, False, 1]], object))
    assert found.rows() == [(1.5, "a", True, "{}"), (None, None, False, "1")]


def test_without_scikit_learn_there_is_a_sentence():
    program = "import sys; sys.modules['sklearn'] = None\nfrom binxent import BinaryClassifier"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: binxent.workbench.BinaryClassifier needs the package `scikit-learn`: "
        "pip install 'binxent[train]'"
    )


FITLESS = ("check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_estimator_sparse_tag")


def checks():
    """Yield the checks of scikit-learn; nearly all of them train."""
    for _, check in estimator_checks_generator(BinaryClassifier(**QUICK), legacy=True):
        name = check.func.__name__
        marks = [] if name in FITLESS else [pytest.mark.slow]
        if name in EXPECTED:
            marks.append(pytest.mark.xfail(reason=EXPECTED[name], strict=True))
        yield pytest.param(check, id=name, marks=marks)


@pytest.mark.parametrize("check", [*checks()])
def test_it_is_an_estimator_of_scikit_learn(check):
    check(BinaryClassifier(**QUICK))


def test_every_setting_that_an_estimator_can_have_is_a_parameter():
    fields = {field.name for field in dataclasses.fields(Settings)}
    of_columns_or_files = {"data", "data_fingerprint", "target", "positive", "group", "weight", "time", "split", "test"}
    elsewhere = {"drop_missing", "holdout", "seed", "examples"}  # of labels, test rows, random_state, the report
    assert set(BinaryClassifier().get_params()) - {"random_state"} == fields - of_columns_or_files - elsewhere


@pytest.mark.parametrize("weight", [np.nan, -1.0, np.inf, 1e200])
def test_weights_that_do_not_count_are_refused_by_their_name(weight):
    weights = np.r_[0.0, np.ones(8), weight]
    with pytest.raises(ValueError, match="sample_weight: weights must be 0, or from .*; row 10 of `sample_weight` has"):
        BinaryClassifier().fit(np.arange(10.0)[:, None], [0, 1] * 5, sample_weight=weights)
