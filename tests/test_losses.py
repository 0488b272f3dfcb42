"""Losses as objects: arguments in Keras's order, one identity for one meaning, and errors that help."""

import copy
import dataclasses
import inspect
import math
import os
import pickle
import warnings

import numpy as np
import pytest
from support.cases import FAMILY

import binxent as bx

os.environ.setdefault("KERAS_BACKEND", "jax")

EXAMPLES = [
    *(kind() for kind in FAMILY),
    *(
        kind(from_logits=True, axis=(0, -1), reduction=None, name="mine", dtype="float64", epsilon=None)
        for kind in FAMILY
    ),
    *(kind(ignore_label=math.nan) for kind in FAMILY),
    bx.BinaryCrossentropy(pos_weight=np.array([1.0, 2.5])),
    bx.BinaryCrossentropy(pos_weight=3, label_smoothing=0.1),
    bx.BinaryFocalCrossentropy(True, 0.4, 1.5),
    bx.AsymmetricCrossentropy(0.5, 2, 0),
    bx.PolyBinaryCrossentropy(-0.5),
]
each_example = pytest.mark.parametrize("loss", EXAMPLES, ids=repr)
each_kind = pytest.mark.parametrize("kind", FAMILY)

COMMON = "from_logits label_smoothing axis reduction name dtype"


@pytest.mark.parametrize(
    ("kind", "order", "keyword_only"),
    [
        (bx.BinaryCrossentropy, COMMON, "pos_weight ignore_label epsilon"),
        (bx.BinaryFocalCrossentropy, "apply_class_balancing alpha gamma " + COMMON, "ignore_label epsilon"),
        (bx.AsymmetricCrossentropy, "gamma_pos gamma_neg margin " + COMMON, "ignore_label epsilon"),
        (bx.PolyBinaryCrossentropy, "epsilon_1 " + COMMON, "ignore_label epsilon"),
        (bx.binary_crossentropy, "y_true y_pred from_logits label_smoothing axis", "pos_weight ignore_label epsilon"),
        (
            bx.binary_focal_crossentropy,
            "y_true y_pred apply_class_balancing alpha gamma from_logits label_smoothing axis",
            "ignore_label epsilon",
        ),
        (
            bx.asymmetric_crossentropy,
            "y_true y_pred gamma_pos gamma_neg margin from_logits label_smoothing axis",
            "ignore_label epsilon",
        ),
        (
            bx.poly_binary_crossentropy,
            "y_true y_pred epsilon_1 from_logits label_smoothing axis",
            "ignore_label epsilon",
        ),
        (bx.sigmoid_cross_entropy_with_logits, "labels logits", ""),
        (bx.weighted_cross_entropy_with_logits, "labels logits pos_weight", ""),
        (bx.value_and_grad, "loss y_true y_pred sample_weight", "out"),
        (bx.value_grad_hess, "loss y_true y_pred sample_weight", "out"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_arguments_come_in_the_order_of_keras(kind, order, keyword_only):
    parameters = inspect.signature(kind).parameters.values()
    names = {kind: " ".join(p.name for p in parameters if p.kind == kind) for kind in {p.kind for p in parameters}}
    assert names[inspect.Parameter.POSITIONAL_OR_KEYWORD] == order
    assert names.get(inspect.Parameter.KEYWORD_ONLY, "") == keyword_only


@pytest.mark.parametrize("name", ["BinaryCrossentropy", "BinaryFocalCrossentropy"])
def test_defaults_are_those_of_keras(name):
    losses = pytest.importorskip("keras.losses")
    theirs = inspect.signature(getattr(losses, name)).parameters
    ours = inspect.signature(getattr(bx, name)).parameters
    assert list(theirs) == list(ours)[: len(theirs)]
    assert {key: value.default for key, value in theirs.items()} == {key: ours[key].default for key in theirs}


@each_example
def test_a_loss_survives_its_config_a_pickle_and_a_copy(loss):
    config = loss.get_config()
    assert {"name", "reduction", "from_logits", "label_smoothing", "axis", "dtype"} <= set(config)
    twins = [type(loss).from_config(config), pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)]
    twins.append(dataclasses.replace(loss))
    for twin in twins:
        assert type(twin) is type(loss)
        assert twin == loss
        assert hash(twin) == hash(loss)
        assert repr(twin) == repr(loss)


@each_example
def test_a_config_is_plain(loss):
    for value in loss.get_config().values():
        assert type(value) in (bool, int, float, str, list, type(None))


@each_example
def test_a_repr_is_the_call_that_makes_the_loss(loss):
    assert eval(repr(loss), {**vars(bx), "nan": math.nan}) == loss


@each_kind
def test_losses_differ_where_a_parameter_does(kind):
    changed = {
        "from_logits": True,
        "label_smoothing": 0.5,
        "axis": 0,
        "reduction": "sum",
        "name": "x",
        "dtype": "float64",
    }
    changed |= {"ignore_label": -1, "epsilon": None}
    losses = {kind(), *(kind(**{key: value}) for key, value in changed.items())}
    assert len(losses) == 1 + len(changed)


def test_losses_of_different_kinds_differ():
    assert len({kind() for kind in FAMILY}) == 4
    assert bx.BinaryCrossentropy() != "binary_crossentropy"


@pytest.mark.parametrize(
    ("equal_values", "key"),
    [
        (("none", None), "reduction"),
        (("sum_over_batch_size", "auto"), "reduction"),
        ((np.float32, "float32", np.dtype("float32")), "dtype"),
        (((0, 1), [0, 1], np.array([0, 1])), "axis"),
        ((-1, np.int64(-1)), "axis"),
        (((), []), "axis"),
        ((math.nan, np.nan, float("nan"), np.float32("nan")), "ignore_label"),
    ],
)
def test_one_meaning_has_one_identity(equal_values, key):
    assert len({bx.BinaryCrossentropy(**{key: value}) for value in equal_values}) == 1


@each_kind
def test_nan_to_ignore_equals_any_other(kind):
    """Python 3.13 compares the fields of dataclasses one by one, and NaN does not equal itself."""
    loss = kind(ignore_label=math.nan)
    twins = [kind(ignore_label=nan) for nan in (np.nan, -math.nan, float("nan"), np.float64("-nan"))]
    twins += [copy.copy(loss), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), dataclasses.replace(loss)]
    for twin in twins:
        assert twin == loss
        assert {loss: "found"}[twin] == "found"
    assert loss not in (kind(), kind(ignore_label=0), kind(ignore_label=math.nan, label_smoothing=0.5))


@each_kind
def test_parameters_compare_as_in_python(kind):
    assert len({kind(ignore_label=zero, label_smoothing=zero) for zero in (0, 0.0, -0.0, False)}) == 1
    assert type("Other", (kind,), {})() != kind()


def test_pos_weight_may_be_any_sequence_of_numbers():
    weights = [(1, 2), [1.0, 2.0], np.array([1, 2]), np.array([1, 2], np.float32)]
    assert len({bx.BinaryCrossentropy(pos_weight=weight) for weight in weights}) == 1
    assert len({bx.BinaryCrossentropy(pos_weight=weight) for weight in (3, 3.0, np.float32(3), np.array(3))}) == 1


@each_kind
def test_losses_are_frozen(kind):
    for each in (kind, type("Mine", (kind,), {}), dataclasses.dataclass(frozen=True)(type("Mine", (kind,), {}))):
        loss = each()
        for name in ("from_logits", "epsilon"):
            words = f"`{name}` of a '{each.__name__}' cannot be set afterwards.* Make a new one with {name}=1"
            with pytest.raises(AttributeError, match=words):
                setattr(loss, name, 1)
        with pytest.raises(AttributeError, match=f"A '{each.__name__}' has no parameter `anything`"):
            loss.anything = 1
        with pytest.raises(AttributeError, match=f"`axis` of a '{each.__name__}' cannot be deleted"):
            del loss.axis
        assert loss == each()


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("BinaryCrossentropy", {"reduction": "auto", "name": "binary_crossentropy", "from_logits": True}),
        (
            "BinaryCrossentropy",
            {
                "name": "b",
                "reduction": "sum_over_batch_size",
                "from_logits": False,
                "label_smoothing": 0.1,
                "axis": -1,
            },
        ),
        (
            "BinaryFocalCrossentropy",
            {
                "reduction": "none",
                "name": "f",
                "from_logits": True,
                "label_smoothing": 0.0,
                "axis": -1,
                "apply_class_balancing": True,
                "alpha": 0.3,
                "gamma": 1.5,
            },
        ),
    ],
)
def test_configs_of_keras_2_and_3_load(kind, config):
    got = getattr(bx, kind).from_config(config).get_config()
    expected = config | ({"reduction": "sum_over_batch_size"} if config["reduction"] == "auto" else {})
    assert {key: got[key] for key in config} == expected


def test_configs_of_the_installed_keras_load():
    losses = pytest.importorskip("keras.losses")
    for name in ("BinaryCrossentropy", "BinaryFocalCrossentropy"):
        config = getattr(losses, name)(from_logits=True, label_smoothing=0.2, reduction="sum").get_config()
        assert getattr(bx, name).from_config(config) == getattr(bx, name)(
            from_logits=True, label_smoothing=0.2, reduction="sum", dtype=config.get("dtype")
        )


def test_alpha_without_class_balancing_warns():
    with pytest.warns(UserWarning, match="alpha=0.4 has no effect without apply_class_balancing=True"):
        bx.BinaryFocalCrossentropy(alpha=0.4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bx.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.4)
        bx.BinaryFocalCrossentropy()


def test_the_warning_points_at_the_caller():
    with pytest.warns(UserWarning, match="alpha") as caught:
        bx.BinaryFocalCrossentropy(alpha=0.4)
    assert caught[0].filename == __file__


@each_kind
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"label_smoothing": -0.1}, ValueError, r"`label_smoothing` must lie in \[0, 1\]; got -0.1\."),
        ({"label_smoothing": 1.5}, ValueError, r"`label_smoothing` must lie in \[0, 1\]; got 1.5\."),
        ({"label_smoothing": math.nan}, ValueError, r"`label_smoothing` must lie in \[0, 1\]; got nan\."),
        ({"epsilon": 0.5}, ValueError, r"`epsilon` must lie in \[0, 0.5\), or be None for no clip; got 0.5\."),
        ({"epsilon": -1e-7}, ValueError, r"`epsilon` must lie in \[0, 0.5\)"),
        ({"reduction": "average"}, ValueError, "Invalid value for argument `reduction`: expected one of 'sum_over_"),
        ({"reduction": ["sum"]}, ValueError, "Invalid value for argument `reduction`: .* got \\['sum'\\]"),
        ({"axis": 1.5}, TypeError, r"`axis` must be an int, several ints, or None; got 1.5\."),
        ({"axis": "last"}, TypeError, "`axis` must be an int, several ints, or None; got 'last'"),
        ({"axis": [None]}, TypeError, "`axis` must be an int, several ints, or None"),
        ({"dtype": "int32"}, ValueError, "`dtype` must be one of float64, float32, float16, bfloat16, or None"),
        ({"dtype": "double precision"}, ValueError, "`dtype` must be one of .* got 'double precision'"),
    ],
)
def test_impossible_parameters(kind, options, error, message):
    with pytest.raises(error, match=message):
        kind(**options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bx.BinaryFocalCrossentropy(gamma=-1), "`gamma` must be >= 0; got -1"),
        (lambda: bx.BinaryFocalCrossentropy(gamma=math.inf), "`gamma` must be .* got inf"),
        (lambda: bx.BinaryFocalCrossentropy(gamma=math.nan), "`gamma` must be .* got nan"),
        (lambda: bx.BinaryFocalCrossentropy(True, 1.5), r"`alpha` must lie in \[0, 1\]; got 1.5"),
        (lambda: bx.BinaryFocalCrossentropy(True, -0.5), r"`alpha` must lie in \[0, 1\]; got -0.5"),
        (lambda: bx.AsymmetricCrossentropy(gamma_pos=-1), "`gamma_pos` must be >= 0; got -1"),
        (lambda: bx.AsymmetricCrossentropy(gamma_neg=-0.1), "`gamma_neg` must be >= 0; got -0.1"),
        (lambda: bx.AsymmetricCrossentropy(margin=1), r"`margin` must lie in \[0, 1\); got 1"),
        (lambda: bx.AsymmetricCrossentropy(margin=-0.1), r"`margin` must lie in \[0, 1\); got -0.1"),
        (lambda: bx.PolyBinaryCrossentropy(math.inf), "`epsilon_1` must be finite; got inf"),
        (lambda: bx.BinaryCrossentropy(pos_weight=-1), "`pos_weight` must be finite and >= 0; got -1"),
        (
            lambda: bx.BinaryCrossentropy(pos_weight=[1, math.inf]),
            r"`pos_weight` must be finite and >= 0; got \[1, inf",
        ),
        (lambda: bx.BinaryCrossentropy(pos_weight=math.nan), "`pos_weight` must be finite and >= 0; got nan"),
        (
            lambda: bx.BinaryCrossentropy(pos_weight=[[1, 2]]),
            r"one number per label of the last axis; got shape \(1, 2\)",
        ),
    ],
)
def test_impossible_parameters_of_its_own(make, message):
    with pytest.raises(ValueError, match=message):
        make()
