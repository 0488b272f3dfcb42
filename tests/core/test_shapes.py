"""The shapes at which arguments meet, known dimensions and unknown ones."""

import re

import pytest

from binxent._core.shapes import Shapes, resolve


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        (((5, 4), (5, 4)), Shapes((5, 4), (5, 4), (1,), (5,), None, (), 4)),
        (((5, 4), (5, 4), None, (5,), [(5, 4), ()]), Shapes((5, 4), (5, 4), (0, 1), (), (5, 1), ((5, 4), (1, 1)), 20)),
        (((5, 4), (5, 4), (), ()), Shapes((5, 4), (5, 4), (), (5, 4), (1, 1), (), 1)),
        (
            ((5, 4, 3), (5, 4, 3), (2, -3), (5, 4, 1), [(5,)]),
            Shapes((5, 4, 3), (5, 4, 3), (0, 2), (4,), (5, 4, 1), ((5, 1, 1),), 15),
        ),
        (((), (), -1), Shapes((), (), (), (), None, (), 1)),
        (((6,), (6, 1)), Shapes((6, 1), (6, 1), (1,), (6,), None, (), 1)),
        (((2, 3, 1), (2, 3), -1, (2, 1)), Shapes((2, 3), (2, 3), (1,), (2,), (2, 1), (), 3)),
        (((0, 3), (0, 3), None), Shapes((0, 3), (0, 3), (0, 1), (), None, (), 0)),
        (
            ((None, 4), (None, 4), -1, (None,), [(None, 4)]),
            Shapes((None, 4), (None, 4), (1,), (None,), (None, 1), ((None, 4),), 4),
        ),
        (((None, 1), (7,), 0, (7,)), Shapes((None, 1), (7, 1), (0,), (1,), (7, 1), (), 7)),
        (((3, None), (None, 2), 0, (3, 1)), Shapes((3, None), (None, 2), (0,), (2,), (None, 1), (), None)),
    ],
)
def test_shapes_that_meet(arguments, want):
    assert resolve(*arguments) == want


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (((5,), (5, 4)), {}, "`y_true` and `y_pred` must have the same shape; got (5,) and (5, 4)."),
        (((5,), (5, 1)), {"may_lack_last": False}, "must have the same shape; got (5,) and (5, 1)."),
        (((None, 3), (None, 4)), {"names": ("labels", "logits")}, "`labels` and `logits` must have the same shape"),
        (((5, 4), (5, 4), 2), {}, "`axis` must lie between -2 and 1 for predictions of rank 2; got 2."),
        (((5, 4), (5, 4), (1, -1)), {}, "`axis` names an axis twice: (1, -1)."),
        (((5, 4), (5, 4), -1, (4,)), {}, "`sample_weight` must be a number, or have the shape of the predictions"),
        (((5, 4), (5, 4), -1, None, [(1, 4)]), {}, "`mask` must be a number, or have the shape of the predictions"),
        (((None, 4), (None, 4), -1, (None, 3)), {}, "`sample_weight` must be a number"),
    ],
)
def test_shapes_that_do_not_meet(arguments, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve(*arguments, **options)
