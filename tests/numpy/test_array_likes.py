"""Array-likes that say more than their values: masks, missing values, dtypes, indices, gradients."""

import array
import re

import numpy as np
import pytest
from support.compare import close

import binxent as bx

LOGITS = bx.BinaryCrossentropy(True)
Y, X, W = np.float32([[1, 0], [0, 1], [1, 1]]), np.float32([[2, -1], [0.5, -9], [3, 0.1]]), np.float32([1, 2, 3])
HIDDEN = np.array([[False, True], [False, False], [True, True]])


def masked(values, mask, data):
    """Return a masked array with something impossible below its mask."""
    return np.ma.array(np.where(mask, data, values), mask=mask)


def test_a_masked_label_is_ignored():
    y = np.ma.array([1, 0, -1], mask=[0, 0, 1])
    close(LOGITS(y, np.array([2.0, -1.0, -9.0])), 0.220095, rtol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum", "mean_with_sample_weight", "none"])
@pytest.mark.parametrize("axis", [-1, 0, None, ()], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_masked_entries_count_as_ignored_ones_do(reduction, axis, weighted):
    weight = W if weighted else None
    loss = bx.BinaryCrossentropy(True, axis=axis, reduction=reduction)
    ignoring = bx.BinaryCrossentropy(True, axis=axis, reduction=reduction, ignore_label=-1)
    want = bx.value_grad_hess(ignoring, np.where(HIDDEN, -1, Y), X, weight)
    y, x = masked(Y, HIDDEN, -1), masked(X, HIDDEN, np.nan)
    for arguments in ((y, X, weight), (Y, x, weight), (y, x, weight)):
        close(bx.value_grad_hess(loss, *arguments), want, ulps=0)
        close(loss(*arguments), want[0], ulps=0)
    whole = np.ma.array(X, mask=False), np.ma.array(Y)
    close(bx.value_and_grad(loss, whole[1], whole[0], weight), bx.value_and_grad(loss, Y, X, weight), ulps=0)


@pytest.mark.parametrize("reduction", ["mean", "sum", "mean_with_sample_weight", "none"])
def test_a_masked_weight_leaves_its_sample_out(reduction):
    loss, last = bx.BinaryCrossentropy(True, reduction=reduction), np.array([False, False, True])
    value, grad = bx.value_and_grad(loss, Y, X, masked(W, last, np.inf))
    want_value, want_grad = bx.value_and_grad(loss, Y[:2], X[:2], W[:2])
    close(value[:2] if reduction == "none" else value, want_value)
    close(grad, np.append(want_grad, np.zeros((1, 2)), 0))
    if reduction == "none":
        assert value[2] == 0


def test_everywhere_else_labels_are_still_checked():
    with pytest.raises(ValueError, match=re.escape("`y_true` must lie in [0, 1]; got 1 of 2 outside, from 1 to 3")):
        LOGITS(np.ma.array([1, 3, -1], mask=[0, 0, 1]), np.zeros(3))
    with pytest.raises(ValueError, match=re.escape("`y_pred` must lie in [0, 1]; got 1 of 2 outside, from 0 to 3")):
        bx.BinaryCrossentropy()(np.zeros(3), np.ma.array([0, 3, -1], mask=[0, 0, 1]))


def test_functions_and_class_balance_leave_masked_entries_out():
    y, z = np.ma.array([[1, 0, 0], [-1, 1, 0]], mask=[[0, 0, 0], [1, 0, 0]]), np.zeros((2, 3))
    close(bx.sigmoid_cross_entropy_with_logits(y, z), np.log(2) * ~y.mask)
    close(bx.binary_crossentropy(y, z, from_logits=True), [np.log(2)] * 2)
    flat = np.ma.array([1, 0, 0, 7], mask=[0, 0, 0, 1])
    assert bx.balanced_pos_weight(flat) == 2
    close(bx.prior_logit(flat), -np.log(2))


def pandas_series(values, **options):
    return pytest.importorskip("pandas").Series(values, **options)


DOUBLES = {
    "DataFrame": lambda x: pytest.importorskip("pandas").DataFrame(x[:, None]),
    "Series": lambda x: pandas_series(x, index=range(len(x), 0, -1)),
    "nullable": lambda x: pandas_series(x, dtype="Float64"),
    "nullable DataFrame": lambda x: pytest.importorskip("pandas").DataFrame({"p": pandas_series(x, dtype="Float64")}),
    "array.array": lambda x: array.array("d", x),
    "memoryview": lambda x: memoryview(x),
    "list of scalars": list,
    "nested": lambda x: [(value,) for value in x],
    "pyarrow": lambda x: pytest.importorskip("pyarrow").array(x),
    "chunked": lambda x: pytest.importorskip("pyarrow").chunked_array([x[:2], x[2:]]),
    "table": lambda x: pytest.importorskip("pyarrow").table({"p": x}),
    "polars": lambda x: pytest.importorskip("polars").Series(x),
    "polars DataFrame": lambda x: pytest.importorskip("polars").DataFrame({"p": x}),
    "torch": lambda x: pytest.importorskip("torch").tensor(x),
}


@pytest.mark.parametrize("make", DOUBLES.values(), ids=DOUBLES)
def test_doubles_are_computed_as_doubles(make):
    x, y = np.array([0.1, -3.7, 2.9]), np.array([1, 0, 0])
    other = make(x)
    shape = np.shape(other)
    want = bx.value_and_grad(LOGITS, y.reshape(shape), x.reshape(shape))
    close(bx.value_and_grad(LOGITS, y, other), want, ulps=0)
    close(LOGITS(make(y.astype(float)), x, make(np.ones(3))), LOGITS(y.reshape(shape), x.reshape(shape)), ulps=0)


@pytest.mark.parametrize("make", [list, tuple, lambda x: [tuple(x)]])
def test_lists_of_plain_numbers_are_computed_in_float32(make):
    plain = make([0.1, -3.7, 2.9])
    close(
        bx.value_and_grad(LOGITS, np.zeros_like(plain), plain),
        bx.value_and_grad(LOGITS, np.zeros_like(plain), np.float32(plain)),
        ulps=0,
    )


@pytest.mark.parametrize("dtype", ["Int64", "UInt8", "Float32", "boolean", "double[pyarrow]", "bool"])
def test_nullable_columns_without_a_missing_value_are_what_they_hold(dtype):
    column = pandas_series([1, 0, 1], dtype=dtype)
    x = np.float32([0.3, -1, 2])
    close(LOGITS(column, x), LOGITS(np.array([1, 0, 1]), x), ulps=0)
    assert LOGITS(x > 0, column).dtype == ("float64" if "double" in dtype else "float32")


def test_a_table_of_several_dtypes_has_the_one_that_all_can_have():
    pandas, x = pytest.importorskip("pandas"), np.float64([[0.3, -1], [2, 0]])
    mixed = [
        pandas.DataFrame({"a": [1, 0], "b": [True, False]}),
        pandas.DataFrame({"a": pandas_series([1, 0], dtype="Int64"), "b": [True, False]}),
        [pandas_series([1, 1], dtype="Int64"), np.array([False, False])],
        pytest.importorskip("polars").DataFrame({"a": [1, 0], "b": [True, False]}),
    ]
    for y in mixed:
        close(LOGITS(y, x), LOGITS(np.array([[1, 1], [0, 0]]), x), ulps=0)
    numbers = pandas.DataFrame({"a": [0.25, 0.5], "b": [1, 0]})
    close(bx.BinaryCrossentropy()(mixed[0], numbers), bx.BinaryCrossentropy()(mixed[0], numbers.to_numpy()), ulps=0)


@pytest.mark.parametrize("make", [list, tuple, lambda values: [(values[0],), [values[1]]]])
def test_missing_values_in_lists_are_refused_where_they_are(make):
    series = [pandas_series([1, 0], dtype="Int64"), pandas_series([1, None], dtype="Int64")]
    message = re.escape("`y_true[1]") + r"(\[0\])?" + re.escape("` has 1 missing values. Drop them")
    for last in (series[1], series[1].to_frame(), pytest.importorskip("polars").Series([1, None])):
        with pytest.raises(ValueError, match=message):
            LOGITS(make([series[0], last]), np.zeros((2, 2)))


MISSING = {
    "pandas": lambda: pandas_series([1, 0, None], dtype="Int64"),
    "pandas Float64": lambda: pandas_series([1, 0, None], dtype="Float64"),
    "DataFrame": lambda: pytest.importorskip("pandas").DataFrame({"y": pandas_series([1, 0, None], dtype="boolean")}),
    "list of Series": lambda: [pandas_series([1, 0, None], dtype="Float64")],
    "pyarrow": lambda: pytest.importorskip("pyarrow").array([1.0, 0.0, None]),
    "table": lambda: pytest.importorskip("pyarrow").table({"y": [1, 0, None]}),
    "polars": lambda: pytest.importorskip("polars").Series([1.0, 0.0, None]),
    "polars DataFrame": lambda: pytest.importorskip("polars").DataFrame({"y": [1, 0, None]}),
}


@pytest.mark.parametrize("make", MISSING.values(), ids=MISSING)
def test_missing_values_are_refused(make):
    message = re.escape("has 1 missing values. Drop them, pass a masked array (np.ma), or fill them")
    with pytest.raises(ValueError, match=r"`y_true(\[\d\])*` " + message):
        LOGITS(make(), np.zeros(3))
    with pytest.raises(ValueError, match=r"`y_pred(\[\d\])*` " + message):
        LOGITS(np.zeros(3), make())
    with pytest.raises(ValueError, match=r"`sample_weight(\[\d\])*` " + message):
        LOGITS(np.zeros(3), np.zeros(3), make())
    with pytest.raises(ValueError, match=r"`y_true(\[\d\])*` " + message):
        bx.balanced_pos_weight(make())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: pytest.importorskip("scipy.sparse").csr_matrix(np.eye(3)),
            "`y_true` must be an array; got a sparse one (csr_matrix). Pass `y_true.toarray()`.",
        ),
        (
            lambda: pytest.importorskip("scipy.sparse").coo_array(np.eye(3)),
            "`y_true` must be an array; got a sparse one (coo_array). Pass `y_true.toarray()`.",
        ),
        (
            lambda: pytest.importorskip("torch").zeros(3, requires_grad=True),
            "requires a gradient, which does not pass through NumPy. Take the loss from `binxent.torch`, and in a",
        ),
        (lambda: [np.ma.array([1.0], mask=[1])] * 3, "`y_true` is a list of masked arrays. Join them first"),
        (lambda: ([0.0, 1.0, np.ma.masked],), "`y_true` is a tuple of masked arrays. Join them first"),
        (
            lambda: np.array([1, 0, None], object),
            "whole numbers or booleans; got an array of object. Convert it: np.array(y_true, np.float32).",
        ),
        (lambda: [1, 0, None], "got an array of object. Convert it"),
        (lambda: {1, 0}, "got a set."),
        (lambda: pytest.importorskip("pandas").NA, "got a NAType."),
        (
            lambda: pytest.importorskip("polars").LazyFrame({"y": [1, 0, 1]}),
            "`y_true` must be an array; got a LazyFrame of polars. Pass `y_true.collect()`.",
        ),
        (lambda: pytest.importorskip("polars").col("y"), "`y_true` must be an array; got a Expr of polars."),
        (
            lambda: [pytest.importorskip("torch").zeros(1, requires_grad=True)] * 3,
            "`y_true[0]` is a tensor that requires a gradient",
        ),
        (lambda: [pytest.importorskip("pandas").NA, 1, 0], "got an array of object. Convert it"),
        (lambda: np.array(["2020-01-01"] * 3, "M8[D]"), "got an array of datetime64[D]."),
        (lambda: np.zeros(3, [("a", "f4")]), "got an array of [('a', '<f4')]."),
        (lambda: np.array(["0", "1", "1"]), "got an array of <U1."),
        (lambda: pandas_series(["no", "yes", "no"], dtype="category"), "got an array of object"),
        (lambda: pandas_series(["no", "yes", "no"]), "got an array of object"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(make, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        LOGITS(make(), np.zeros(3))


def test_a_masked_output_is_refused():
    with pytest.raises(TypeError, match="`out` must be a NumPy array of .* got a MaskedArray"):
        bx.value_and_grad(LOGITS, Y, X, out=np.ma.zeros(X.shape, np.float32))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: np.ma.array([1, 2], mask=[0, 1]), TypeError, "`pos_weight` must hold a number for each label"),
        (lambda: pandas_series([1, None], dtype="Int64"), ValueError, "`pos_weight` must be finite and >= 0"),
        (lambda: pytest.importorskip("scipy.sparse").eye_array(2), TypeError, "`pos_weight` must be a number"),
        (lambda: "auto", TypeError, "`pos_weight` must be a number"),
        (lambda: [1, None], TypeError, "`pos_weight` must be a number"),
    ],
)
def test_a_weight_of_positives_has_a_number_for_each_label(make, error, message):
    with pytest.raises(error, match=message):
        bx.BinaryCrossentropy(pos_weight=make())


def test_a_weight_of_positives_may_be_any_array_like():
    want = bx.BinaryCrossentropy(pos_weight=(1.0, 2.5))
    torch = pytest.importorskip("torch")
    for make in (np.float32, np.ma.array, pandas_series, memoryview, torch.tensor):
        assert bx.BinaryCrossentropy(pos_weight=make(np.array([1, 2.5]))) == want
