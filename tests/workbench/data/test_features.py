import numpy as np
import polars as pl
import pytest

from binxent.workbench.data.features import find_features
from binxent.workbench.reading.columns import Column
from binxent.workbench.reading.table import read_frame

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
        ("uid", UNIQUE_INTEGERS, "looks like an id"),
        ("rownames", UNIQUE_INTEGERS, "looks like an id"),
        ("record", UNIQUE_INTEGERS, "looks like an id"),
        ("Unnamed: 0", UNIQUE_INTEGERS, "looks like an id"),
        ("patient_nr", [*UNIQUE_INTEGERS[:-1], UNIQUE_INTEGERS[0]], "looks like an id"),
        ("line", np.cumsum(1 + (np.arange(ROWS) % 5 == 0)), "looks like an id"),
        ("hash", [f"{'%012x' % (i * 7919)}" for i in [0, *range(ROWS - 1)]], "looks like an id"),
        ("year", np.arange(ROWS) + 1960, None),
        ("sum", np.cumsum(np.arange(ROWS)), None),
        ("store_id", np.arange(ROWS) % 7, None),
        ("country", ["NO"] * ROWS, "constant"),
        ("known_or_not", ["NO", None] * (ROWS // 2), None),
        ("nothing", [None] * ROWS, "empty"),
        ("list", [[1]] * ROWS, "values of type"),
    ],
)
def test_which_columns_are_left_out(name, values, reason):
    table = pl.DataFrame({"kept": UNIQUE_FLOATS, name: values, "y": [0, 1] * (ROWS // 2)})
    features = find_features(read_frame(table), roles=["y"])
    if reason is None:
        assert set(features.kinds) == {"kept", name}
    else:
        assert features.left_out[name].startswith(reason)
        assert set(features.kinds) == {"kept"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(name, "category") for name in ("userId", "zip", "store_nr", "product_code", "ZIP Code", "shop-id")],
        *[
            (name, "number")
            for name in ("age", "year", "rating", "count", "grade", "month_id", "no", "grid", "episode")
        ],
        *[(name, "number") for name in ("valid", "nitrogen_NO2", "bid", "score_code", "barcodes", "rooms", "dno")],
    ],
)
def test_whole_numbers_that_are_codes_are_categories(name, kind):
    values = 9000 + rng.permutation(ROWS) % 12
    features = find_features(read_frame(pl.DataFrame({name: values})))
    assert features.kinds == {name: kind}
    assert bool(features.remarks) == (kind == "category")
    assert find_features(read_frame(pl.DataFrame({name: values + 0.5}))).kinds == {name: "number"}
    assert find_features(
        read_frame(pl.DataFrame({name: values}), kinds={name: "number"}), given={name: "--number"}
    ).kinds == {name: "number"}


def test_a_code_is_the_same_category_however_it_is_written():
    column = find_features(read_frame(pl.DataFrame({"zip": np.arange(ROWS) % 9 + 700.0}))).columns["zip"]
    assert (
        column.convert(pl.Series(["700", "0700", "700.0", " 700", "none", "x"])).values.to_list()
        == ["700"] * 4 + [None] * 2
    )
    assert Column.from_json(column.to_json()) == column


def test_ids_are_found_before_rows_are_dropped():
    table = pl.DataFrame({"x": UNIQUE_FLOATS, "line": np.arange(ROWS)})
    used = pl.Series(np.arange(ROWS) % 3 == 0)
    assert "line" in find_features(read_frame(table), used=used).left_out
    # Among the rows that are used it is constant.
    table = table.with_columns(flag=np.arange(ROWS) % 3 == 0)
    assert find_features(read_frame(table), used=used).left_out["flag"] == "constant"


def test_the_user_has_the_last_word():
    table = pl.DataFrame({"a": UNIQUE_FLOATS, "b": ["x", "y"] * (ROWS // 2), "id": np.arange(ROWS)})
    assert set(find_features(read_frame(table), given={"id": "--include"}).kinds) == {"a", "b", "id"}
    with pytest.raises(ValueError, match=r"--text: the column `c` has nothing to learn from \(constant\)"):
        find_features(read_frame(table.with_columns(c=1)), given={"c": "--text"})


@pytest.mark.parametrize(
    "values",
    [
        [*(f"{number}" for number in range(1, ROWS)), "old"],
        [*(f"${number}" for number in range(ROWS))],
    ],
)
def test_a_column_of_numbers_with_odd_values_is_no_id(values):
    table = read_frame(pl.DataFrame({"customer_id": values}))
    assert find_features(table).kinds == {"customer_id": "number"}
