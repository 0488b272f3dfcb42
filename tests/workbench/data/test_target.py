import numpy as np
import polars as pl
import pytest

from binxent.workbench.data.target import binary_target, merge_classes


@pytest.mark.parametrize(
    ("values", "negative", "positive"),
    [
        ([0, 1, 1], "0", "1"),
        ([0.0, 1.0, 1.0], "0", "1"),
        ([False, True, True], "false", "true"),
        (["no", "yes", "yes"], "no", "yes"),
        (["N", "Y", "Y"], "N", "Y"),
        ([" benign", "malignant", "malignant"], " benign", "malignant"),
        (["0", "1", "1"], "0", "1"),
    ],
)
def test_two_plain_classes(values, negative, positive):
    labels, *names = binary_target(pl.Series("y", values))
    assert labels.dtype == np.int8
    assert labels.tolist() == [0, 1, 1]
    assert names == [negative, positive]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["good", "bad"])])
def test_positive_names_one_of_two_strings(dtype):
    values = pl.Series("y", ["good", "bad", "good"], dtype=dtype)
    assert binary_target(values, "bad")[0].tolist() == [0, 1, 0]
    assert binary_target(values, "good")[0].tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"no value `godo`. Did you mean `good`"):
        binary_target(values, "godo")
    with pytest.raises(ValueError, match=r"good \(2\), bad \(1\).*--positive 'bad' or --positive 'good'"):
        binary_target(values)


def test_positive_may_turn_numbers_round():
    assert binary_target(pl.Series("y", [0, 1, 1]), "0")[0].tolist() == [1, 0, 0]
    assert binary_target(pl.Series("y", [1, 2, 2]), "2")[0].tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("values", "positive", "names"),
    [
        ([1.0, 2.0], "2.0", ("1", "2")),
        ([1, 2], "2.0", ("1", "2")),
        ([0.5, 0.25], ".25", ("0.5", "0.25")),
        ([1e308, -1e308], "-1e308", ("1e+308", "-1e+308")),
        (["caf\u00e9", "bar"], "cafe\u0301", ("bar", "caf\u00e9")),
    ],
)
def test_positive_may_be_written_otherwise(values, positive, names):
    assert binary_target(pl.Series("y", values), positive)[1:] == names


def test_letters_of_two_code_points_are_one_class():
    values, told = merge_classes(pl.Series("y", ["caf\u00e9", "caf\u00e9", "cafe\u0301", "bar"]))
    assert values.n_unique() == 2
    assert "they count as one class" in told


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["a", "a"], r"one class only: a \(2\) rows"),
        ([1, 1, 1], r"one class only: 1 \(3\)"),
        (["a", "b", "c", "a"], r"two values; it has 3: a \(2\), "),
        ([1, 2, 2], r"has the values 2 \(2\), 1 \(1\). Say which"),
        ([-1, 1], "Say which one is positive"),
        (list(range(20)), "and 12 more"),
        ([0.5, 0.25], "Say which one is positive"),
        ([[1], [2]], "must be 0/1, true/false or two strings"),
    ],
)
def test_anything_else_is_refused_with_the_values_found(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        binary_target(pl.Series("y", values))
