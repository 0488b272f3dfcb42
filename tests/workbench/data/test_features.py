import datetime as dt
import pickle

import numpy as np
import polars as pl
import pytest

from binxent.workbench.data.features import Preprocessor, find_features

ROWS = 50
rng = np.random.default_rng(0)
UNIQUE_FLOATS = rng.normal(size=ROWS)
UNIQUE_INTEGERS = rng.permutation(10_000)[:ROWS]


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("code", [f"u{i}" for i in range(ROWS)], "looks like an id"),
        ("customer_id", UNIQUE_INTEGERS, "looks like an id"),
        ("customerId", UNIQUE_INTEGERS, "looks like an id"),
        ("customer_id", UNIQUE_INTEGERS.astype(float), "looks like an id"),
        ("order", rng.permutation(ROWS) + 1000, "looks like an id"),
        ("weight", UNIQUE_FLOATS, None),
        ("id", UNIQUE_FLOATS, None),
        ("income", UNIQUE_INTEGERS, None),
        ("humid", UNIQUE_INTEGERS, None),
        ("review", [f"a text that is number {i}" for i in range(ROWS)], None),
        ("store_id", np.arange(ROWS) % 7, None),
        ("country", ["NO"] * ROWS, "constant"),
        ("known_or_not", ["NO", None] * (ROWS // 2), None),
        ("nothing", [None] * ROWS, "empty"),
        ("list", [[1]] * ROWS, "values of type"),
    ],
)
def test_which_columns_are_left_out(name, values, reason):
    table = pl.DataFrame({"kept": UNIQUE_FLOATS, name: values, "y": [0, 1] * (ROWS // 2)})
    features = find_features(table, roles=["y"])
    if reason is None:
        assert set(features.kinds) == {"kept", name}
    else:
        assert features.left_out[name].startswith(reason)
        assert set(features.kinds) == {"kept"}


def test_the_user_has_the_last_word():
    table = pl.DataFrame({"a": UNIQUE_FLOATS, "b": UNIQUE_FLOATS, "id": np.arange(ROWS)})
    features = find_features(table, exclude=["b"], include=["id"])
    assert set(features.kinds) == {"a", "id"}
    assert features.left_out == {"b": "--exclude"}
    with pytest.raises(ValueError, match="--exclude: there is no column `bb`"):
        find_features(table, exclude=["bb"])
    with pytest.raises(ValueError, match="--include: there is no column `idd`. Did you mean `id`"):
        find_features(table, include=["idd"])
    with pytest.raises(ValueError, match="--exclude and --include both name the column `a`"):
        find_features(table, exclude=["b", "a"], include=["id", "a"])
    with pytest.raises(ValueError, match=r"--include: the column `c` has nothing to learn from \(constant\)"):
        find_features(table.with_columns(c=1), include=["c"])


def test_nothing_to_learn_from_is_refused_with_reasons():
    with pytest.raises(ValueError, match=r"no column to learn from \(c: constant\)"):
        find_features(pl.DataFrame({"c": [1, 1], "y": [0, 1]}), roles=["y"])


@pytest.fixture(scope="module")
def prepared():
    table = pl.DataFrame(
        {
            "size": [None if i % 10 == 0 else float(i) for i in range(ROWS)],
            "city": [["Oslo", "Rome", "Lima", None][i % 4] for i in range(ROWS)],
            "smoker": [[True, False, None][i % 3] for i in range(ROWS)],
            "seen": [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(ROWS)],
            "note": [f"{['fever', 'cough', 'pain'][i % 3]} since day {i}" for i in range(ROWS)],
        }
    )
    return table, Preprocessor(find_features(table), seed=0).fit(table)


def test_prepared_features_have_mean_0_and_variance_1(prepared):
    table, preprocessor = prepared
    matrix = preprocessor.transform(table)
    assert matrix.dtype == np.float32
    assert len(matrix) == ROWS
    flags = (matrix == 0) | (matrix == 1)
    numbers = matrix[:, ~flags.all(axis=0)]
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=0.2)  # missing ones come after the scaling
    np.testing.assert_allclose(numbers.std(axis=0), 1, atol=0.2)


def test_new_values_are_prepared_too(prepared):
    table, preprocessor = prepared
    new = pl.DataFrame(
        {
            "size": [1e300, None, -float("inf")],
            "city": ["Atlantis", None, "Rome"],
            "smoker": [None, None, None],
            "seen": [dt.date(1900, 1, 1), None, dt.date(2100, 1, 1)],
            "note": [None, "never seen words", ""],
        },
        schema=table.schema,
    )
    matrix = preprocessor.transform(new)
    assert matrix.shape == (3, preprocessor.transform(table).shape[1])
    assert np.isfinite(matrix).all()
    assert abs(matrix).max() < 1000
    assert preprocessor.unseen(new) == {"city": 1}


def test_a_row_is_prepared_alike_alone_and_among_others(prepared):
    table, preprocessor = prepared
    whole = preprocessor.transform(table)
    np.testing.assert_array_equal(preprocessor.transform(table[7:8]), whole[7:8])
    np.testing.assert_array_equal(preprocessor.transform(table[30:]), whole[30:])


def test_missing_numbers_are_flagged(prepared):
    table, preprocessor = prepared
    without = table.with_columns(size=pl.lit(None, pl.Float64))
    differs = (preprocessor.transform(table) != preprocessor.transform(without)).any(axis=0)
    assert differs.sum() == 2  # the number and its flag


def test_a_preprocessor_survives_pickling(prepared):
    table, preprocessor = prepared
    again = pickle.loads(pickle.dumps(preprocessor))
    np.testing.assert_array_equal(again.transform(table), preprocessor.transform(table))
