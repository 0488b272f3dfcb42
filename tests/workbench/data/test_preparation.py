import datetime as dt
import io
import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import polars as pl
import pytest

from binxent.workbench.data import preparation as module
from binxent.workbench.data.encoders import FEW_VALUES, MOST_CATEGORIES, find_scales, scaled
from binxent.workbench.data.features import find_features
from binxent.workbench.data.ngrams import Ngrams, ngrams
from binxent.workbench.data.preparation import Preparation
from binxent.workbench.reading.table import read_frame

ROWS = 50
rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=ROWS)


def fitted(columns, **options):
    table = read_frame(pl.DataFrame(columns), **options)
    return table.rows, Preparation.fit(find_features(table), table.rows, seed=0)


@pytest.fixture(scope="module")
def prepared():
    return fitted(
        {
            "size": [None if i % 10 == 0 else float(i) for i in range(ROWS)],
            "city": [["Oslo", "Rome", "Lima", None][i % 4] for i in range(ROWS)],
            "smoker": [[True, False, None][i % 3] for i in range(ROWS)],
            "seen": [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(ROWS)],
            "note": [f"{['fever', 'cough', 'pain'][i % 3]} since day {i}" for i in range(ROWS)],
        }
    )


@pytest.fixture(scope="module")
def strange(prepared):
    table, _ = prepared
    return pl.DataFrame(
        {
            "size": [1e300, None, -float("inf")],
            "city": ["Atlantis", None, "Rome"],
            "smoker": [None, None, None],
            "seen": [dt.datetime(1900, 1, 1), None, dt.datetime(2100, 1, 1)],
            "note": [None, "never seen words", ""],
        },
        schema=table.schema,
    )


def test_prepared_features_have_mean_0_and_variance_1(prepared):
    table, preparation = prepared
    matrix = preparation.transform(table)
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert len(matrix) == ROWS
    flags = np.array([name.endswith(("size missing", "smoker missing")) for name in preparation.names])
    assert flags.sum() == 2
    assert set(np.unique(matrix[:, flags])) == {0, 1}
    numbers = matrix[:, ~flags]
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=1e-6)
    complete = [name for name in ("city", "seen", "note") for name in preparation.names[preparation.slices[name]]]
    for name in complete:  # missing numbers became the mean
        np.testing.assert_allclose(matrix[:, preparation.names.index(name)].std(), 1, rtol=1e-5)


def test_inputs_have_names_and_are_numbers_or_indicators(prepared):
    _, preparation = prepared
    names = preparation.names
    assert names[:2] == ("size", "size missing")
    assert names[preparation.slices["city"]] == ("city=Lima", "city=Oslo", "city=Rome", "city missing")
    assert names[preparation.slices["smoker"]] == ("smoker", "smoker missing")
    assert names[preparation.slices["seen"]] == (
        "seen: month", "seen: day", "seen: weekday", "seen: seconds since 1970",
        "seen: sine of the day of the year", "seen: cosine of the day of the year",
    )  # fmt: skip
    assert names[preparation.slices["note"]] == tuple(f"note: text {number}" for number in range(1, 31))
    quantities = [name for name, number in zip(names, preparation.continuous, strict=True) if number]
    assert quantities == ["size", *names[preparation.slices["seen"]]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 1, 2, 3, 4, None], lambda x: (x - 2) / 2),  # in interquartile ranges from the median
        ([5.0] * 9 + [15, 25], lambda x: (x - 5) / 10),  # in halves of the range, where the quartiles are equal
        ([0.0, 1, 2, 3, 4, float("inf")], lambda x: (x - 2) / 2),  # an infinite value is no quantile
    ],
)
def test_numbers_are_squashed_and_standardised(values, expected):
    raw = np.array(values, float)[:, None]
    squashed = expected(np.clip(raw, -1e9, 1e9))
    squashed = squashed / np.sqrt(1 + (squashed / 30) ** 2)
    wanted = (squashed - np.nanmean(squashed)) / np.nanstd(squashed)
    np.testing.assert_allclose(scaled(raw, find_scales(raw)), np.nan_to_num(wanted), rtol=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        [7.0] * 4, [float("inf")] * 4, [None, None, None, None], [5e-324, 0, 0, 1e-323], [1.7e308, -1.7e308, 0, 1],
        [1e-300, 2e-300, 3e-300, 4e-300], [1e9, 1e9 + 1e-7, 1e9, 1e9],
    ],
)  # fmt: skip
def test_absurd_columns_give_finite_inputs(values):
    raw = np.array(values, float)[:, None]
    scales = find_scales(raw)
    new = np.array([1e308, -np.inf, np.nan, 0, 5e-324, 7])[:, None]
    found = np.concatenate([scaled(raw, scales), scaled(new, scales)])
    assert np.isfinite(found).all()
    assert abs(found).max() < 1000


def test_quantiles_are_those_of_rows_from_all_over_a_long_column(monkeypatch):
    from binxent.workbench.data import encoders

    raw = np.arange(1000.0)[:, None]
    exact = scaled(raw, find_scales(raw))
    monkeypatch.setattr(encoders, "QUANTILE_ROWS", 100)
    np.testing.assert_allclose(scaled(raw, find_scales(raw)), exact, atol=0.02)


def test_categories_have_an_input_each_and_new_ones_share_that_of_the_rare():
    codes = [*range(30)] * 4 + [None] * 3 + list(range(1000, 1000 + MOST_CATEGORIES))
    table, preparation = fitted(
        {"code": codes, "x": np.arange(len(codes)) % 7}, kinds={"code": "category"}
    )  # fmt: skip
    assert preparation.transform(table).shape[1] == 1 + MOST_CATEGORIES
    assert preparation.names[-3:] == ("code: rare values", "code missing", "x")
    assert "code=7" in preparation.names
    new = preparation.features.convert(pl.DataFrame({"code": [7.0, 99.0, 1000.0, None], "x": [1, 1, 1, 1]}))
    new = pl.DataFrame([column.values.alias(name) for name, column in new.items()])
    assert preparation.unseen(new) == {"code": 1}
    seven, unknown, rare, missing = preparation.transform(new)
    inputs = [preparation.names.index(name) for name in ("code=7", "code: rare values", "code missing")]
    for row, own in zip((seven, rare, missing), inputs, strict=True):
        assert [place for place in np.flatnonzero(row > 0) if place < MOST_CATEGORIES] == [own]
    np.testing.assert_array_equal(unknown, rare)


def test_an_unseen_category_has_no_input(prepared, strange):
    _, preparation = prepared
    assert preparation.unseen(strange) == {"city": 1}
    atlantis, missing, rome = preparation.transform(strange)[:, preparation.slices["city"]]
    assert (atlantis < 0).all()
    assert (missing > 0).tolist() == [False, False, False, True]
    assert (rome > 0).tolist() == [False, False, True, False]


FEW = [f"word {i:02d}x" for i in range(FEW_VALUES)]
TEXT_INPUTS = tuple(f"x: text {number}" for number in range(1, 31))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["a", "b"], ("x=b",)),
        (["a", None], ("x missing",)),
        (["a", "b", None], ("x=a", "x=b", "x missing")),
        (FEW, tuple(f"x={word}" for word in FEW)),
        ([*FEW, "more words"], TEXT_INPUTS),
        ([*FEW, "more words", None], (*TEXT_INPUTS, "x missing")),
    ],
)
def test_texts_are_categories_if_they_have_few_values(values, names):
    table, preparation = fitted({"x": values * 2})
    assert preparation.names == names
    matrix = preparation.transform(table)
    np.testing.assert_allclose(matrix[:, : len(names) - (names[-1] == "x missing")].mean(axis=0), 0, atol=1e-5)


DAYS = [dt.date(2024, 1, 1), dt.date(2025, 1, 1)]


def test_a_column_that_is_empty_or_constant_in_the_training_rows_is_0():
    table = read_frame(
        pl.DataFrame(
            {
                "number": [None, 1.0, 2.0],
                "word": [None, "a", "b"],
                "date": [None, dt.date(2024, 1, 1), dt.date(2025, 1, 1)],
            }
        )
    )
    for rows in (slice(0, 1), slice(1, 2)):
        preparation = Preparation.fit(find_features(table), table.rows[rows], seed=0)
        np.testing.assert_array_equal(preparation.transform(table.rows), 0)
        assert len(preparation.names) == 3


@pytest.mark.parametrize(
    ("date", "parts"),
    [
        (dt.datetime(2024, 2, 29, 13, 30), [2024, 2, 29, 4, 13, 1709213400]),
        (dt.datetime(1969, 12, 31, 23, 59, 59), [1969, 12, 31, 3, 23, -1]),
    ],
)
def test_the_parts_of_a_date(date, parts):
    from binxent.workbench.data.encoders import DATE_PARTS

    found = [np.array(part(pl.Series([date, None])), float)[0] for part in DATE_PARTS.values()]
    assert found[:6] == parts
    turn = 2 * np.pi * date.timetuple().tm_yday / 366
    np.testing.assert_allclose(found[6:8], [np.sin(turn), np.cos(turn)], atol=1e-12)
    turn = 2 * np.pi * date.hour / 24
    np.testing.assert_allclose(found[8:], [np.sin(turn), np.cos(turn)], atol=1e-12)


TEXTS = ["Fever and  cough", "a", "ab", "", "Straße\tnach Köln", "fever", "\U0001f600 über", "x y z", "  blank "]


def test_ngrams_are_those_of_scikit_learn():
    from sklearn.feature_extraction.text import CountVectorizer

    counted = CountVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform(TEXTS)
    keys, rows = ngrams(pl.Series(TEXTS))
    counts = np.zeros((len(TEXTS), len(np.unique(keys))), int)
    np.add.at(counts, (rows, np.unique(keys, return_inverse=True)[1]), 1)
    columns = {tuple(column) for column in counts.T}
    assert counts.shape == counted.shape
    assert columns == {tuple(column) for column in counted.toarray().T}


def test_texts_are_projected_as_by_scikit_learn():
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [f"{a} and {b}" for a in ("fever", "cough", "pain") for b in ("rash", "fatigue", "nausea", "none")] * 2
    weighted = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform(texts)
    expected = TruncatedSVD(3, random_state=0, n_iter=20).fit_transform(weighted)
    found = Ngrams.fit(pl.Series(texts), seed=0).project(pl.Series(texts))[:, :3]
    np.testing.assert_allclose(abs(found), abs(expected), atol=2e-3)  # the sign of a direction is arbitrary


def test_common_ngrams_are_kept_in_long_tables(monkeypatch):
    from binxent.workbench.data import ngrams as module

    texts = pl.Series([f"common {i}" for i in range(1000)])
    monkeypatch.setattr(module, "MOST_NGRAMS", 10)
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    monkeypatch.setattr(module, "CHUNK", 200)
    fitted = Ngrams.fit(texts, seed=0)
    assert len(fitted.keys) == 10
    assert set(fitted.keys) <= set(ngrams(pl.Series(["common"]))[0])
    assert (fitted.project(pl.Series(["unlike", "", "common"])) != 0).any(axis=1).tolist() == [False, False, True]


def test_new_values_are_prepared_too(prepared, strange):
    table, preparation = prepared
    matrix = preparation.transform(strange)
    assert matrix.shape == (3, len(preparation.names))
    assert np.isfinite(matrix).all()
    assert abs(matrix).max() < 1000
    number, flag = matrix[:, preparation.slices["size"]].T
    assert number[0] == -number[2] + 2 * (number[0] + number[2]) / 2 > 10 > 0 == number[1]
    assert flag.tolist() == [0, 1, 0]
    missing = matrix[0, preparation.slices["note"]]
    np.testing.assert_array_equal(missing, 0)
    assert (preparation.transform(table[:0])).shape == (0, len(preparation.names))


def test_a_row_is_prepared_alike_alone_and_among_others(prepared, monkeypatch):
    from binxent.workbench.data import ngrams

    table, preparation = prepared
    whole = preparation.transform(table)
    for row in range(ROWS):
        np.testing.assert_array_equal(preparation.transform(table[row : row + 1]), whole[row : row + 1])
    np.testing.assert_array_equal(preparation.transform(table[30:]), whole[30:])
    monkeypatch.setattr(module, "BLOCK", 7)
    monkeypatch.setattr(ngrams, "CHUNK", 50)
    np.testing.assert_array_equal(preparation.transform(table), whole)


def test_missing_numbers_are_flagged(prepared):
    table, preparation = prepared
    without = table.with_columns(size=pl.lit(None, pl.Float64))
    differs = (preparation.transform(table) != preparation.transform(without)).any(axis=0)
    assert np.array(preparation.names)[differs].tolist() == ["size", "size missing"]


def test_names_may_be_patterns():
    table, preparation = fitted({"*": NUMBERS, "^z$": ["a", "b"] * (ROWS // 2), "z": NUMBERS**2})
    assert preparation.names == ("*", "^z$=b", "z")
    assert preparation.transform(table).shape == (ROWS, 3)
    assert preparation.unseen(table) == {"^z$": 0}


def test_values_that_are_not_converted_yet_are(prepared):
    table, preparation = prepared
    text = table.with_columns(pl.col("size").cast(pl.String), pl.col("seen").cast(pl.Date))
    np.testing.assert_array_equal(preparation.transform(text), preparation.transform(table))


@pytest.fixture
def saved(prepared, tmp_path):
    _, preparation = prepared
    preparation.save(tmp_path / module.FILE)
    return tmp_path / module.FILE, preparation.features


def test_a_saved_preparation_gives_the_same_bits(prepared, strange, saved):
    table, preparation = prepared
    again = Preparation.load(*saved)
    for rows in (table, strange):
        np.testing.assert_array_equal(again.transform(rows), preparation.transform(rows))
    assert again.names == preparation.names
    assert again.unseen(strange) == preparation.unseen(strange)
    again.save(saved[0].with_name("again.npz"))
    with np.load(saved[0]) as first, np.load(saved[0].with_name("again.npz")) as second:
        assert all(np.array_equal(first[name], second[name]) for name in first.files)


def rewritten(path, compress=False, **changes):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | changes
    arrays = {name: value for name, value in arrays.items() if value is not None}
    (np.savez_compressed if compress else np.savez)(path, **arrays)


class Payload:
    def __reduce__(self):
        return exec, ("raise SystemExit('this was executed')",)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scales": lambda a: a[:-1]}, "scales have another shape"),
        ({"scales": lambda a: np.concatenate([a, a])}, "scales have another shape"),
        ({"scales": lambda a: a[:, :3]}, "scales have another shape"),
        ({"scales": lambda a: a.astype(np.float32)}, "scales have another shape"),
        ({"scales": lambda a: a * np.nan}, "scales are not valid"),
        ({"scales": lambda a: a * [1, 1, 1, 0]}, "scales are not valid"),
        ({"scales": lambda _: np.array([Payload()])}, "allow_pickle"),
        ({"scales": lambda _: None}, "scales"),
        ({"keys_4": lambda a: a[::-1]}, "n-grams are not valid"),
        ({"keys_4": lambda a: a.astype(float)}, "n-grams have another shape"),
        ({"keys_4": lambda _: np.array([Payload()])}, "allow_pickle"),
        ({"idf_4": lambda a: a[1:]}, "n-grams have another shape"),
        ({"components_4": lambda a: a[:, :2]}, "scales have another shape"),
        ({"components_4": lambda a: a * np.inf}, "n-grams are not valid"),
        ({f"{name}_4": lambda a: a[:0] for name in ("keys", "idf", "components")}, "n-grams have another shape"),
        ({"description": lambda _: np.frombuffer(b"[" * 100_000, np.uint8)}, "recursion"),
        ({"description": lambda _: np.array([Payload()])}, "allow_pickle"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(saved, changes, sentence):
    path, features = saved
    with np.load(path) as file:
        new = {name: change(file[name]) for name, change in changes.items()}
    rewritten(path, **new)
    with pytest.raises(ValueError, match=f"{module.FILE} is damaged or belongs to another run .*{sentence}"):
        Preparation.load(path, features)


@pytest.mark.parametrize(
    ("column", "key", "value"),
    [
        (0, "name", "other"), (0, "encoder", "date"), (0, "encoder", "Payload"), (0, "flagged", 1), (0, "binary", "x"),
        (0, "more", 1), (0, "scales", []), (1, "values", ["a", "a", "b"]), (1, "values", [1, 2, 3]), (1, "values", 7),
        (1, "rare", ["Rome"]), (1, "values", ["a"]), (3, "parts", []), (3, "parts", ["__class__"]),
    ],
)  # fmt: skip
def test_a_description_that_does_not_fit_is_refused(saved, column, key, value):
    path, features = saved
    with np.load(path) as file:
        description = json.loads(file["description"].tobytes())
    description["columns"][column][key] = value
    rewritten(path, description=np.frombuffer(json.dumps(description).encode(), np.uint8))
    with pytest.raises(ValueError, match="is damaged or belongs to another run"):
        Preparation.load(path, features)


def _declared(shape):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return header.getvalue() + bytes(64)


@pytest.mark.parametrize("shape", [(10**13, 4), (2**62, 2**62), (-5, 4)])
def test_a_huge_declared_shape_is_refused(saved, shape):
    path, features = saved
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | {"scales.npy": _declared(shape)}).items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="is damaged"):
        Preparation.load(path, features)


def test_a_file_that_unpacks_to_more_than_itself_is_refused(saved):
    path, features = saved
    rewritten(path, compress=True, bomb=np.zeros(10**6))
    with pytest.raises(ValueError, match="it is compressed"):
        Preparation.load(path, features)


@pytest.mark.parametrize("content", [b"", b"noise", pickle.dumps(Payload()), b"PK\x05\x06" + bytes(18), b"PK\x03\x04"])
def test_other_files_are_refused(saved, content):
    path, features = saved
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        Preparation.load(path, features)


def test_kinds_that_do_not_fit_are_refused(saved):
    from dataclasses import replace

    path, features = saved
    changed = replace(features, columns=features.columns | {"size": replace(features.columns["size"], kind="date")})
    with pytest.raises(ValueError, match="`size` is date in columns.json"):
        Preparation.load(path, changed)


def test_preparing_rows_loads_nothing_heavy(saved, prepared):
    table, preparation = prepared
    table.write_ipc(saved[0].with_name("table.arrow"))
    columns = [column.to_json() for column in preparation.features.columns.values()]
    script = (
        "import sys, pathlib, polars as pl\n"
        "from binxent.workbench.data.features import Features\n"
        "from binxent.workbench.data.preparation import Preparation\n"
        "from binxent.workbench.reading.columns import Column\n"
        f"columns = {{column['name']: Column.from_json(column) for column in {columns}}}\n"
        "preparation = Preparation.load(pathlib.Path('preparation.npz'), Features(columns, {}))\n"
        "preparation.transform(pl.read_ipc('table.arrow'))\n"
        "heavy = {'sklearn', 'scipy', 'keras', 'jax', 'pandas', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=saved[0].parent, stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
