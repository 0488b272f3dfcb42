import numpy as np
import polars as pl
import pytest

from binxent.workbench.reading import row_sample
from binxent.workbench.reading.row_sample import RowSample

TYPES = {"x": pl.Int64(), "y": pl.Int64()}


def _read(rows, step):
    """Return the sample of a table in two files, read in batches of some rows."""
    found = RowSample(["x", "y"], ["y"])
    for start, stop in ((0, rows // 3), (rows // 3, rows)):
        found.add_source()
        for first in range(start, stop, step):
            numbers = np.arange(first, min(first + step, stop))
            found.add(pl.DataFrame({"x": numbers, "y": -numbers}))
    return found


@pytest.mark.parametrize("step", [77, 5000])
def test_the_sample_depends_on_the_number_of_rows_only(monkeypatch, step):
    monkeypatch.setattr(row_sample, "FEWEST", 0)
    monkeypatch.setattr(row_sample, "LARGEST", 2 * 1000)
    monkeypatch.setattr(row_sample, "SAMPLED", 2 * 800)
    found = _read(5000, step)
    places = found.places()
    np.testing.assert_array_equal(places, _read(5000, 1000).places())
    assert 500 < len(places) <= 800
    assert found.rows == 5000
    columns = {name: pl.concat(parts).to_numpy() for name, parts in found.columns([TYPES, TYPES]).items()}
    np.testing.assert_array_equal(columns["x"], places)
    np.testing.assert_array_equal(columns["y"], -np.arange(5000))
    # Evenly spaced: also among rows whose values recur.
    assert np.bincount(places // 1000).min() > 80
    assert np.bincount(places % 8).min() > 40


def test_a_table_that_can_be_held_is_held(monkeypatch):
    monkeypatch.setattr(row_sample, "FEWEST", 0)
    monkeypatch.setattr(row_sample, "LARGEST", 2 * 1000)
    monkeypatch.setattr(row_sample, "SAMPLED", 0)
    found = _read(1000, 64)
    assert not found.is_large
    np.testing.assert_array_equal(found.places(), np.arange(1000))


def test_of_very_many_columns_there_are_enough_rows(monkeypatch):
    monkeypatch.setattr(row_sample, "FEWEST", 300)
    monkeypatch.setattr(row_sample, "LARGEST", 2)
    monkeypatch.setattr(row_sample, "SAMPLED", 1)
    assert not _read(300, 64).is_large
    assert _read(301, 64).is_large
    assert 100 < len(_read(5000, 64).places()) <= 300


def test_text_that_is_left_out_takes_no_memory(monkeypatch):
    monkeypatch.setattr(row_sample, "FEWEST", 0)
    monkeypatch.setattr(row_sample, "LARGEST", 0)
    monkeypatch.setattr(row_sample, "SAMPLED", 100)
    written = [f"a text of more than twelve letters {row}" if row % 3 else None for row in range(5000)]
    found = RowSample(["text"], [])
    found.add_source()
    found.add(pl.DataFrame({"text": written}))
    (text,) = found.columns([{"text": pl.String()}])["text"]
    assert text.to_list() == [written[place] for place in found.places()]
    assert 30 < len(text) <= 100
    _, _, *texts = text.to_arrow(compat_level=pl.CompatLevel.newest()).buffers()
    assert sum(buffer.size for buffer in texts) < 100 * 100


def test_a_file_is_read_again_from_its_start():
    found = RowSample(["x", "y"], [])
    for rows in ([1, 2], [3, 4, 5]):
        found.add_source()
        found.add(pl.DataFrame({"x": rows, "y": rows}))
    found.restart_source()
    found.add(pl.DataFrame({"x": ["a"], "y": ["b"]}))
    assert [part.to_list() for part in found.columns([TYPES, TYPES])["x"]] == [[1, 2], ["a"]]
    assert found.sources == [2, 1]
