import datetime as dt
import gzip

import polars as pl
import pytest

from binxent.workbench.data import csv_rows
from binxent.workbench.data.table import breast_cancer, canonical, find_files, kind_of, read, scan

TABLE = pl.DataFrame(
    {
        "n": [1.5, None, 3.0],
        "t": ["a", None, "c"],
        "d": [dt.date(2024, 1, day) for day in (1, 2, 3)],
        "b": [True, False, None],
    }
)


@pytest.fixture
def write(tmp_path):
    def call(table, name):
        path = tmp_path / name
        if name.endswith("stream.arrow"):
            table.write_ipc_stream(path)
        elif name.endswith((".arrow", ".feather")):
            table.write_ipc(path)
        elif name.endswith(".parquet"):
            table.write_parquet(path)
        elif name.endswith(".csv.gz"):
            path.write_bytes(gzip.compress(table.write_csv().encode()))
        else:
            table.write_csv(path, separator="\t" if name.endswith(".tsv") else ";" if "semicolon" in name else ",")
        return path

    return call


@pytest.mark.parametrize(
    "name",
    ["a.csv", "semicolon.csv", "a.tsv", "a.csv.gz", "a.parquet", "a.arrow", "stream.arrow", "a.feather", "A.CSV"],
)
def test_every_format_gives_the_same_table(write, name):
    found, _ = read([str(write(TABLE, name))])
    assert found.equals(TABLE)


def test_words_for_missing_values_are_missing(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,a\nNA,NULL\nnan,\n")
    found, _ = read([str(tmp_path / "a.csv")])
    assert found["x"].to_list() == [1, None, None]
    assert found["y"].to_list() == ["a", None, None]


def test_several_files_and_globs_are_one_table(write, tmp_path):
    # n is whole in one file, and t is empty in the other: neither changes a column's kind.
    write(TABLE.with_columns(n=pl.Series([1, 2, 3])), "part-1.csv")
    write(TABLE.with_columns(t=pl.lit(None, pl.String)).select("b", "d", "n", "t"), "part-2.csv")
    found, fingerprint = read([str(tmp_path / "part-*.csv")])
    assert found["n"].to_list() == [1, 2, 3, 1.5, None, 3]
    assert found["t"].to_list() == ["a", None, "c", None, None, None]
    assert read([str(tmp_path / "part-1.csv"), str(tmp_path / "part-2.csv")])[1] == fingerprint
    assert read([str(tmp_path / "part-2.csv"), str(tmp_path / "part-1.csv")])[1] != fingerprint


def test_a_name_with_brackets_is_a_file_first(write, tmp_path):
    path = write(TABLE, "a[1].csv")
    assert find_files([str(path)]) == [path]
    assert read([str(path)])[0].equals(TABLE)


def test_files_must_agree(write, tmp_path):
    write(TABLE, "part-1.csv")
    write(TABLE.drop("t"), "part-2.csv")
    with pytest.raises(ValueError, match=r"part-2.csv lacks the column `t`"):
        read([str(tmp_path / "part-*.csv")])
    write(TABLE.with_columns(more=1), "part-2.csv")
    with pytest.raises(ValueError, match=r"part-2.csv has the column `more`"):
        read([str(tmp_path / "part-*.csv")])
    write(TABLE.with_columns(n=pl.lit("x")), "part-2.csv")
    with pytest.raises(ValueError, match=r"`n` is number in .*part-1.csv and text in"):
        read([str(tmp_path / "part-*.csv")])


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.arrow"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        read([str(tmp_path / name)])


def test_a_header_alone_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n")
    with pytest.raises(ValueError, match="has a header but no rows"):
        read([str(tmp_path / "a.csv")])


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "stream.arrow"])
@pytest.mark.parametrize("damage", ["truncated", "noise"])
def test_a_corrupt_file_is_refused(write, name, damage):
    path = write(pl.DataFrame({"x": list(range(1000))}), name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"noise" * 100)
    with pytest.raises(ValueError, match="cannot be read as (parquet|arrow)"):
        read([str(path)])


@pytest.mark.parametrize("chunk", [3, csv_rows.CHUNK], ids=["in small chunks", "whole"])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x,y\n1,2\n3,4,5\n", "line 3 has 3 values, and the header has 2; "),
        ("x,y\n1,2\n3,4,5", "line 3 has 3 values"),
        ("x,y\n1,2\n3\n", "line 3 (has 1 value|is empty), and the header has 2; "),
        ("x,y\n1,2\n\n3,4\n", "line 3 (has 1 value|is empty), and"),
        ("\n\nx,y\n1,2\n3,4\n\n", "line 6 (has 1 value|is empty), and"),
        ('x,y\n1,"a ""b"" , c\nd"\n3,4,5\n', "line 4 has 3 values"),
        ('x,y\n"1,2"\n', "line 2 has 1 value, and"),
        ("x;y\n1;2;3\n", "line 2 has 3 values.*contains `;`"),
    ],
)
def test_a_csv_whose_rows_differ_is_refused_with_the_line(tmp_path, monkeypatch, text, sentence, chunk):
    monkeypatch.setattr(csv_rows, "CHUNK", chunk)
    (tmp_path / "a.csv").write_text(text)
    for kinds in (None, {"x": "number"}):
        with pytest.raises(ValueError, match=f"a.csv cannot be read as csv: {sentence}"):
            scan(tmp_path / "a.csv", kinds)


@pytest.mark.parametrize("chunk", [3, csv_rows.CHUNK], ids=["in small chunks", "whole"])
@pytest.mark.parametrize(
    "text", ['x,y\n1,"a ""b"" , c\nd"\n3,4', "\n\nx,y\r\n1,2\r\n", "x\n1\n\n3\n", "x,y\n", 'x,y\n,\n"",\n']
)
def test_separators_and_lines_within_quotes_are_values(tmp_path, monkeypatch, text, chunk):
    monkeypatch.setattr(csv_rows, "CHUNK", chunk)
    (tmp_path / "a.csv").write_text(text)
    scan(tmp_path / "a.csv").collect()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    scan(tmp_path / "a.csv.gz").collect()


def test_missing_files_are_refused(write, tmp_path):
    write(TABLE, "visits.csv")
    with pytest.raises(FileNotFoundError, match=r"no file .*visit.csv. Did you mean `visits.csv`"):
        find_files([str(tmp_path / "visit.csv")])
    with pytest.raises(FileNotFoundError, match="no file"):
        find_files([str(tmp_path / "*.parquet")])
    with pytest.raises(FileNotFoundError, match="is a folder"):
        find_files([str(tmp_path)])


def test_a_file_is_named_once(write, tmp_path, monkeypatch):
    write(TABLE, "a.csv")
    monkeypatch.chdir(tmp_path)
    for patterns in (["a.csv", "a.csv"], ["a.csv", "*.csv"], [str(tmp_path / "a.csv"), "./a.csv"]):
        with pytest.raises(ValueError, match=r"a.csv is named twice, and its rows would count twice"):
            find_files(patterns)


def test_an_unknown_suffix_is_refused(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"x")
    with pytest.raises(ValueError, match="must end in .csv"):
        find_files([str(tmp_path / "a.xlsx")])


def test_scanning_with_kinds_overrides_what_a_csv_looks_like(tmp_path):
    (tmp_path / "a.csv").write_text("n,t\n1,007\n2,008\n")
    found = scan(tmp_path / "a.csv", {"n": "number", "t": "text"}).collect()
    assert found["t"].to_list() == ["007", "008"]
    assert found["n"].dtype == pl.Float64


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (pl.Int8(), "number"),
        (pl.Decimal(10, 2), "number"),
        (pl.Boolean(), "boolean"),
        (pl.Datetime("ns", "Europe/Oslo"), "date"),
        (pl.Categorical(), "text"),
        (pl.List(pl.Int8), None),
        (pl.Binary(), None),
    ],
)
def test_kinds(dtype, kind):
    assert kind_of(dtype) == kind


def test_canonical_columns_have_one_type_and_one_missing_value():
    noon = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)
    table = pl.DataFrame(
        {
            "n": pl.Series([1.0, float("nan")], dtype=pl.Float32),
            "b": [True, None],
            "z": pl.Series([noon, None]).dt.convert_time_zone("Europe/Oslo"),
        }
    )
    kinds = {"n": "number", "b": "boolean", "z": "date"}
    found = table.select(canonical(name, table.schema[name], kind) for name, kind in kinds.items())
    assert found.row(0) == (1.0, 1.0, noon.replace(tzinfo=None))
    assert found.row(1) == (None, None, None)


def test_the_breast_cancer_table_asks_for_the_malignant_tumours():
    table, fingerprint = breast_cancer()
    assert table.shape == (569, 31)
    assert table["malignant"].sum() == 212
    assert table["mean_radius"].mean() == pytest.approx(14.127, abs=1e-3)
    # Malignant tumours are larger.
    assert table.filter(malignant=1)["mean_radius"].mean() > table.filter(malignant=0)["mean_radius"].mean()
    assert fingerprint == breast_cancer()[1]
