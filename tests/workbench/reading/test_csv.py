import gzip

import pytest

from binxent.workbench.reading import csv_rows, encoding
from binxent.workbench.reading.sources import open_source


@pytest.fixture(params=[3, 1 << 20], ids=["in small chunks", "whole"])
def rows(tmp_path, monkeypatch, request):
    monkeypatch.setattr(encoding, "CHUNK", request.param)

    def call(text, name="a.csv"):
        content = text.encode() if isinstance(text, str) else text
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        source = open_source(tmp_path / name)
        found = [row for frame in source.batches(source.names) for row in frame.rows()]
        return source.names, found, source.notes

    return call


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("x,y\n1,2\n3,4\n", ["x", "y"], [("1", "2"), ("3", "4")]),
        ("x,y\n1,2\n3,4", ["x", "y"], [("1", "2"), ("3", "4")]),
        ("x,y\n1,2\n\n \n3,4\n\n\n", ["x", "y"], [("1", "2"), ("3", "4")]),
        ("\n\nx,y\r\n1,2\r\n\r\n", ["x", "y"], [("1", "2")]),
        ('x,y\n,\n"",\n', ["x", "y"], [(None, None), ("", None)]),
        ("x\n1\n\n3\n\n", ["x"], [("1",), (None,), ("3",)]),
        # Quotes.
        ('x,y\n1,"a ""b"" , c\nd"\n3,4\n', ["x", "y"], [("1", 'a "b" , c\nd'), ("3", "4")]),
        ('x,y\n5" pipe,2\n3,4\n', ["x", "y"], [('5" pipe', "2"), ("3", "4")]),
        ('x,y\n5" by 3" pipe,2\n3,"4"\n', ["x", "y"], [('5" by 3" pipe', "2"), ("3", "4")]),
        ('x,y\n1, "yes, maybe"\n', ["x", "y"], [("1", "yes, maybe")]),
        ('"x","y"\n"",""""\n', ["x", "y"], [("", '"')]),
        # Separators.
        ('"weight, kg";"height, cm"\n70,5;180\n', ["weight, kg", "height, cm"], [("70,5", "180")]),
        ("x;y\n1,5;2,5\n3,5;4,5\n", ["x", "y"], [("1,5", "2,5"), ("3,5", "4,5")]),
        ("x,y\na;b,c;d\n", ["x", "y"], [("a;b", "c;d")]),
        ("weight, kg;name\nlow;a\nhigh;b\n", ["weight, kg", "name"], [("low", "a"), ("high", "b")]),
        ("x|y\n1|2\n", ["x", "y"], [("1", "2")]),
        ("sep=;\nx;y\n1;2\n", ["x", "y"], [("1", "2")]),
        ("x,y\n1,2,\n3,4,\n", ["x", "y"], [("1", "2"), ("3", "4")]),
        # Line ends and encodings.
        ("x\ty\r1\t2\r3\t4\r", ["x", "y"], [("1", "2"), ("3", "4")]),
        ("\ufeffx,y\n1,\u00e9\n", ["x", "y"], [("1", "\u00e9")]),
        ("x,y\n1,\u00e9\n".encode("utf-16"), ["x", "y"], [("1", "\u00e9")]),
        ("x,y\n1,\u00e9\n".encode("utf-16-le"), ["x", "y"], [("1", "\u00e9")]),
        ("x,y\n1,\u20ac\u00e9\n".encode("cp1252"), ["x", "y"], [("1", "\u20ac\u00e9")]),
        ("x,y\n1,\u65e5\u672c\n", ["x", "y"], [("1", "\u65e5\u672c")]),
        # What stands before the header.
        ("# one\n# two, with a comma\nx,y\n1,2\n", ["x", "y"], [("1", "2")]),
        ("# one, two\nx,y\n1,2\n", ["x", "y"], [("1", "2")]),
        ("#CHROM,POS\nchr1,2\nchr2,3\n", ["#CHROM", "POS"], [("chr1", "2"), ("chr2", "3")]),
        ("#,item\n1,a\n2,b\n", ["#", "item"], [("1", "a"), ("2", "b")]),
        ("Report of 2024\n\nx,y\n1,2\n3,4\n", ["x", "y"], [("1", "2"), ("3", "4")]),
        ("Report of 2024\nx,y,z\n1,2,3\n4,5,6\n", ["x", "y", "z"], [("1", "2", "3"), ("4", "5", "6")]),
        (", y ,\n1,2,3\n", ["unnamed_1", "y", "unnamed_3"], [("1", "2", "3")]),
    ],
)
def test_what_has_one_meaning_is_read(rows, text, names, expected):
    assert rows(text)[:2] == (names, expected)
    assert rows(text, "a.csv.gz")[:2] == (names, expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x,y\n1,2\n3,4,5\n", "line 3 has 3 values, and the header has 2; mend the line, or quote a value that"),
        ("x,y\n1,2\n3,4,5", "line 3 has 3 values"),
        ("x,y\n1,2\n\n3\n", "line 4 has 1 value, and the header has 2; "),
        ("\n\nx,y\n1,2\n3,4\n5\n", "line 6 has 1 value, and"),
        ('x,y\n1,"a ""b"" , c\nd"\n3,4,5\n', "line 4 has 3 values"),
        ('x,y\n1,5" , c\n\n3,4,5\n', "line 2 has 3 values"),
        ('x,y\n5" pipe,1\n\n3,4,5\n', "line 4 has 3 values"),
        ('x,y\n"1,2"\n', "line 2 has 1 value, and"),
        ("x;y\n1;2;3\n", "line 2 has 3 values.*contains `;`"),
        ("x\n1,2\n", "line 2 has 2 values, and the header has 1"),
        ("text\nhello\nhello, world\nfoo, bar\n", "line 3 has 2 values, and the header has 1"),
        ('x,y\n"a"b,2\n', "line 2 has a quote within a quoted value; write it twice"),
        ('x,y\n1,2\n3,"4\n5,6\n', "the quote that begins a value in line 3 is not closed"),
        ("x,y\n1,\u00fc\n".encode() + b"1,\xe9\n", "line 3 has bytes that are not UTF-8, as other lines are"),
        ("x,y\n1,2\n".encode("utf-16") + b"\0", "its text is damaged: it is not UTF-16 throughout"),
    ],
)  # fmt: skip
def test_what_has_none_is_refused_with_the_line(rows, text, sentence):
    with pytest.raises(ValueError, match=f"a.csv cannot be read as csv: {sentence}"):
        rows(text)


def test_what_was_repaired_is_told(rows):
    assert rows(b"x,y\n1,\xe9\n")[2] == ["not UTF-8: read as Windows-1252 (Latin-1)"]
    assert rows("x,y\n1,2\n".encode("utf-16"))[2] == ["read as UTF-16"]
    assert rows("# a\nx,y\n\n1,2\n")[2] == ["skipped 1 line before the header in line 2", "skipped 1 empty line"]
    assert rows("1.5,2\n1,2\n")[2] == ["line 1 is taken for the header, though it holds numbers"]
    assert rows("x,y\n1,2\n")[2] == []


def test_a_quote_that_is_not_closed_does_not_fill_the_memory(rows, monkeypatch):
    monkeypatch.setattr(csv_rows, "LONGEST_ROW", 1000)
    with pytest.raises(ValueError, match="the quote that begins a value in line 2 is not closed"):
        rows('x,y\n"1,2\n' + "3,4\n" * 1000)
