import datetime as dt
import gzip
import hashlib

import polars as pl
import pytest

from binxent.workbench.reading import encoding, sources
from binxent.workbench.reading.files import find_files
from binxent.workbench.reading.frames import as_frame
from binxent.workbench.reading.samples import breast_cancer
from binxent.workbench.reading.table import Files, named_columns, read_frame


def read(*files, **options):
    return Files([str(file) for file in files]).read(**options)


def kinds(table):
    return {name: reading.column.kind for name, reading in table.readings.items()}


TABLE = pl.DataFrame(
    {
        "n": [1.5, None, 3.0],
        "t": ["a", None, "c"],
        "d": [dt.date(2024, 1, day) for day in (1, 2, 3)],
        "b": [True, False, None],
    }
)


def write_excel(table, path):
    pytest.importorskip("fastexcel")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (table.columns, *table.rows()):
        book.active.append(row)
    book.save(path)


@pytest.fixture
def write(tmp_path):
    def call(table, name):
        path = tmp_path / name
        if name.endswith(".jsonl"):
            table.write_ndjson(path)
        elif name.endswith(".json"):
            table.write_json(path)
        elif name.endswith(".xlsx"):
            write_excel(table, path)
        elif name.endswith("stream.arrow"):
            table.write_ipc_stream(path)
        elif name.endswith((".arrow", ".feather")):
            table.write_ipc(path)
        elif name.endswith(".parquet"):
            table.write_parquet(path)
        elif name.endswith(".gz"):
            path.write_bytes(gzip.compress(table.write_csv(separator=";" if "semicolon" in name else ",").encode()))
        else:
            table.write_csv(path, separator="\t" if name.endswith(".tsv") else ";" if "semicolon" in name else ",")
        return path

    return call


@pytest.mark.parametrize(
    "name",
    [
        "a.csv", "semicolon.csv", "a.tsv", "a.csv.gz", "semicolon.csv.gz", "a.parquet", "a.arrow", "stream.arrow",
        "a.feather", "A.CSV", "a.json", "a.jsonl", "a.xlsx",
    ],
)  # fmt: skip
def test_every_format_gives_the_same_table(write, name):
    found = read(write(TABLE, name))
    assert kinds(found) == {"n": "number", "t": "text", "d": "date", "b": "boolean"}
    assert found.rows.equals(TABLE.with_columns(pl.col("d").cast(pl.Datetime("us")), pl.col("b").cast(pl.Float64)))


def test_several_files_and_globs_are_one_table(write, tmp_path):
    # n is whole in one file, and t is empty in the other: neither changes a column's kind.
    write(TABLE.with_columns(n=pl.Series([1, 2, 3])), "part-1.csv")
    write(TABLE.with_columns(t=pl.lit(None, pl.String)).select("b", "d", "n", "t"), "part-2.csv")
    found = read(tmp_path / "part-*.csv")
    assert found.rows["n"].to_list() == [1, 2, 3, 1.5, None, 3]
    assert found.rows["t"].to_list() == ["a", None, "c", None, None, None]
    assert read(tmp_path / "part-1.csv", tmp_path / "part-2.csv").fingerprint == found.fingerprint
    assert read(tmp_path / "part-2.csv", tmp_path / "part-1.csv").fingerprint != found.fingerprint
    write(TABLE, "part-3.parquet")
    assert read(tmp_path / "part-1.csv", tmp_path / "part-3.parquet").rows["n"].to_list() == [1, 2, 3, 1.5, None, 3]


def test_a_name_with_brackets_is_a_file_first(write, tmp_path):
    path = write(TABLE, "a[1].csv")
    assert find_files([str(path)]) == [path]
    assert read(path).rows.height == 3


def test_files_must_agree(write, tmp_path):
    write(TABLE, "part-1.csv")
    write(TABLE.drop("t"), "part-2.csv")
    with pytest.raises(ValueError, match=r"part-2.csv lacks the column `t`"):
        read(tmp_path / "part-*.csv")
    assert read(tmp_path / "part-*.csv", exclude=["t"]).rows.columns == ["n", "d", "b"]
    write(TABLE.with_columns(more=1), "part-2.csv")
    with pytest.raises(ValueError, match=r"part-1.csv lacks the column `more` that .*part-2.csv has"):
        read(tmp_path / "part-*.csv")
    write(TABLE.with_columns(n=pl.lit("x")), "part-2.csv")
    with pytest.raises(ValueError, match=r"`n` is number in .*part-1.csv and text in .*Say which it is"):
        read(tmp_path / "part-*.csv")
    assert read(tmp_path / "part-*.csv", kinds={"n": "text"}).rows["n"].to_list()[:2] == ["1.5", None]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.arrow", "a.json", "a.jsonl"])
@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file_is_refused(tmp_path, name, content):
    if content and "arrow" in name + "arrow" * ("parquet" in name):
        pytest.skip("lines have no meaning there")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="is empty"):
        read(tmp_path / name)


def test_a_header_alone_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n")
    with pytest.raises(ValueError, match="has a header but no rows"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "stream.arrow"])
@pytest.mark.parametrize("damage", ["truncated", "noise"])
def test_a_corrupt_file_is_refused(write, name, damage):
    path = write(pl.DataFrame({"x": list(range(1000))}), name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"noise" * 100)
    with pytest.raises(ValueError, match="cannot be read as (parquet|arrow)"):
        read(path)


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


def test_a_damaged_workbook_is_refused(tmp_path):
    pytest.importorskip("fastexcel")
    for content in (b"PK\x03\x04", b"no workbook"):
        (tmp_path / "a.xlsx").write_bytes(content)
        with pytest.raises(ValueError, match="a.xlsx cannot be read as excel: "):
            read(tmp_path / "a.xlsx")


def test_an_unknown_suffix_is_refused(tmp_path):
    for name in ("a.doc", "a.parquet.gz"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ValueError, match="must end in .csv"):
            find_files([str(tmp_path / name)])


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").symlink_to(tmp_path / "b.csv")
    (tmp_path / "folder").mkdir()
    for pattern, sentence in {
        "": "'' names no file",
        "/dev/null": "/dev/null is a broken link or a device",
        str(tmp_path / "b.csv"): "b.csv is a broken link",
        str(tmp_path / "*.csv"): "b.csv is a broken link",
        str(tmp_path / "fold*"): "there is no file",
    }.items():
        with pytest.raises(FileNotFoundError, match=sentence):
            find_files([pattern])


def test_a_name_that_is_not_text_is_refused(tmp_path):
    path = str(tmp_path / "caf\udce9.csv")
    with open(path, "w") as file:
        file.write("x,y\n1,2\n")
    with pytest.raises(ValueError, match="is not UTF-8, and cannot be written down; rename the file"):
        find_files([path])


def test_names_that_are_patterns_to_polars_are_names(write):
    table = pl.DataFrame({"*": [1, 2], "^z$": ["a", "b"], "z": [3, 4], "^.*$": [5, 6]})
    for name in ("a.csv", "a.parquet", "a.arrow", "stream.arrow", "a.json"):
        found = read(write(table, name), exclude=["*"])
        assert found.rows.rows() == [("a", 3, 5), ("b", 4, 6)]
        assert found.rows.columns == ["^z$", "z", "^.*$"]


def test_a_repeated_name_is_refused_unless_it_is_excluded(tmp_path):
    (tmp_path / "a.csv").write_text("x, y ,z,y\n1,2,3,4\n")
    with pytest.raises(
        ValueError, match="2 columns named `y`, at positions 2 and 4; rename them in the file, or leave"
    ):
        read(tmp_path / "a.csv")
    assert read(tmp_path / "a.csv", exclude=["y"]).rows.columns == ["x", "z"]


def test_what_is_read_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("# made by hand\n\nx,\n1,2\n\n3,4\n\n")
    told = []
    found = read(tmp_path / "a.csv", write=told.append)
    assert found.rows.columns == ["x", "unnamed_2"]
    assert told == [
        "Reading     a.csv (29 bytes)",
        "Note        a.csv: skipped 1 line before the header in line 3",
        "Note        a.csv: columns without a name are called `unnamed_2`",
        "Note        a.csv: skipped 2 empty lines",
    ]


def test_a_decimal_comma_in_one_column_makes_points_thousands_in_the_others(tmp_path):
    (tmp_path / "a.csv").write_text("price;sold;share\n1,5;1.234;0.25\n2,75;12.500;0.5\n")
    found = read(tmp_path / "a.csv").rows
    assert found.rows() == [(1.5, 1234, 0.25), (2.75, 12500, 0.5)]


def test_labels_are_numbers_only_if_all_of_them_are(tmp_path):
    (tmp_path / "a.csv").write_text("y,k,x\n0,01,1\n1,1,2\n2 or more,1.0,-\nNA,NA,4\n")
    found = read(tmp_path / "a.csv", roles={"y": "label", "k": "key"}).rows
    assert found["y"].to_list() == ["0", "1", "2 or more", None]
    assert found["k"].to_list() == ["01", "1", "1.0", None]
    assert found["x"].to_list() == [1, 2, None, 4]


@pytest.mark.parametrize(
    ("labels", "missing"),
    [
        (["yes", "no", "?", "Yes"], 1),
        (["yes", "no", "unknown", "-"], 2),
        (["+", "-", "+", "NA"], 1),
        (["none", "some", "none", "some"], 0),
        (["a", "b", "c", "?"], 0),
    ],
)
def test_a_word_for_a_missing_label_beside_two_classes_is_missing(tmp_path, labels, missing):
    (tmp_path / "a.csv").write_text("y,x\n" + "".join(f"{label},1\n" for label in labels))
    found = read(tmp_path / "a.csv", roles={"y": "label"})
    assert found.rows["y"].null_count() == found.readings["y"].missing == missing


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.arrow", "a.json"])
def test_the_fingerprint_is_of_the_files_bytes(write, name):
    path = write(TABLE, name)
    once = hashlib.sha256(path.read_bytes()).digest()
    assert read(path).fingerprint == hashlib.sha256(once).hexdigest()


def test_all_of_a_file_is_read_once(tmp_path, monkeypatch):
    rows = "".join(f"{row},{row}\n" for row in range(50_000))
    (tmp_path / "a.csv").write_text("x,y\n" + rows)
    read_bytes = []
    original = encoding.Text._raw

    def counted(text):
        for chunk in original(text):
            read_bytes.append(len(chunk))
            yield chunk

    monkeypatch.setattr(encoding.Text, "_raw", counted)
    assert read(tmp_path / "a.csv").rows.height == 50_000
    size = (tmp_path / "a.csv").stat().st_size
    assert size <= sum(read_bytes) <= size + sources.HEAD


@pytest.mark.parametrize("chunk", [100, encoding.CHUNK])
@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize(
    ("late", "kind", "last"),
    [
        ("7", "number", 7),
        ("NA", "number", None),
        ("?", "number", None),
        ("1,200", "number", 1200),
        (" 7 ", "number", 7),
    ],
)
def test_what_the_beginning_does_not_show_is_found(tmp_path, monkeypatch, late, kind, last, chunk, quoted):
    monkeypatch.setattr(encoding, "CHUNK", chunk)
    lines = ["x,y", *(f"{row},a" for row in range(400)), f'"{late}","b"' if quoted or "," in late else f"{late},b"]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    found = read(tmp_path / "a.csv")
    assert found.rows["x"].to_list() == [*range(400), last]
    assert found.readings["x"].column.kind == kind
    assert found.fingerprint == read(tmp_path / "a.csv", kinds={"x": "number"}).fingerprint


def test_numbers_at_the_beginning_do_not_make_a_column_numbers(tmp_path):
    lines = ["x,y", *(f"{row:03d},1" for row in range(300)), *(f"A{row},1" for row in range(400))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    found = read(tmp_path / "a.csv").rows
    assert found["x"].to_list() == [line.partition(",")[0] for line in lines[1:]]


def test_a_workbook_is_read_as_people_fill_it(tmp_path):
    pytest.importorskip("fastexcel")
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["Visits of 2024"], [], ["x", "day", None], [1.5, dt.datetime(2024, 8, 18), "a"], [], ["?", None, "b"]):
        book.active.append(row)
    book.create_sheet("more")
    book.save(tmp_path / "a.xlsx")
    told = []
    found = read(tmp_path / "a.xlsx", write=told.append)
    assert kinds(found) == {"x": "number", "day": "date", "unnamed_3": "text"}
    assert found.rows.rows() == [(1.5, dt.datetime(2024, 8, 18), "a"), (None, None, "b")]
    assert [line.removeprefix("Note        a.xlsx: ") for line in told[1:]] == [
        "skipped 1 row above the header",
        "columns without a name are called `unnamed_3`",
        "skipped 1 empty row",
        "read the sheet `Sheet`, the first of 2",
    ]


def test_json_values_of_two_types_are_one_column(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1.5}\n{"x": "?"}\n{"x": 2, "y": "late"}\n')
    (tmp_path / "a.json").write_text('[{"x": 1.5}, {"x": "?"}, {"x": 2, "y": "late"}]')
    for name in ("a.jsonl", "a.json"):
        found = read(tmp_path / name)
        assert found.rows["x"].to_list() == [1.5, None, 2]
        assert found.readings["x"].missing == 1
        assert found.rows["y"].to_list() == [None, None, "late"]


def test_json_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"x": {"0": 1}}')
    with pytest.raises(ValueError, match="a.json cannot be read as json: it must be a list of objects"):
        read(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"x": 1}\n{"x": "?"}\n')
    assert read(tmp_path / "a.json").rows.height == 2


@pytest.mark.parametrize(
    ("content", "meaning"),
    [(b"PK\x03\x04", "an Excel workbook"), (b"PAR1", "a Parquet file"), (b"a\0\0\0b\0\0\0,c", "not text")],
)
def test_a_file_of_another_kind_is_called_by_its_name(tmp_path, content, meaning):
    (tmp_path / "a.csv").write_bytes(content * 10)
    with pytest.raises(ValueError, match=f"a.csv cannot be read as csv: it is {meaning}"):
        read(tmp_path / "a.csv")


def test_columns_are_named_whole_or_with_commas():
    columns = ["a", "b", "weight, kg"]
    assert named_columns(["weight, kg", "a,b"], columns, "--exclude") == ("weight, kg", "a", "b")
    for given, sentence in (
        ("a,,b", "'a,,b' has an empty column name"),
        ("a, b,a", "--exclude names the column `a` 2 times; name it once"),
        ("aa", "--exclude: there is no column `aa`. Did you mean `a`"),
        ("weight,kg", "there is no column `weight,kg`. Did you mean `weight, kg`"),
        ("a,c", "there is no column `c`"),
    ):
        with pytest.raises(ValueError, match=sentence):
            named_columns([given], columns, "--exclude")


def test_rows_in_memory_are_a_table():
    found = read_frame(pl.DataFrame({"x": [1, None], "y": [True, False]}), roles={"y": "label"})
    assert found.rows.schema == {"x": pl.Float64, "y": pl.Boolean}
    assert found.readings["x"].missing == 1


def test_the_breast_cancer_table_asks_for_the_malignant_tumours():
    table, fingerprint = breast_cancer()
    assert table.shape == (569, 31)
    assert table["malignant"].sum() == 212
    assert table["mean_radius"].mean() == pytest.approx(14.127, abs=1e-3)
    # Malignant tumours are larger.
    assert table.filter(malignant=1)["mean_radius"].mean() > table.filter(malignant=0)["mean_radius"].mean()
    assert fingerprint == breast_cancer()[1]


@pytest.mark.parametrize("name", ["table.parquet", "table.arrow", "stream.arrow", "table.csv"])
def test_columns_without_a_name_are_called_by_their_place(write, name):
    told = []
    file = write(TABLE.select("t", pl.col("n").alias("")), name)
    table = read(file, write=told.append)
    assert table.rows.columns == ["t", "unnamed_2"]
    assert table.rows["unnamed_2"].to_list() == TABLE["n"].to_list()
    assert "columns without a name are called `unnamed_2`" in " ".join(told)


def test_columns_without_a_name_in_memory_are_called_by_their_place():
    named = TABLE.rename({"n": ""})
    for table in (named, named.lazy(), named.to_arrow(), TABLE.to_pandas().rename(columns={"n": ""})):
        assert as_frame(table).columns == ["unnamed_1", "t", "d", "b"]
    with pytest.raises(ValueError, match="has 2 columns named `unnamed_1`"):
        as_frame(TABLE.rename({"n": "", "t": "unnamed_1"}))
