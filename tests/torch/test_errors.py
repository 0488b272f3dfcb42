"""What the PyTorch door refuses, and what it says: what was wanted, what came, what to do next."""

import re

import pytest

torch = pytest.importorskip("torch")
from support.torch_calls import FAMILY, MODULES, Plain, data, each_function  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import binxent as bx  # noqa: E402
import binxent.torch as door  # noqa: E402
from binxent.torch._cpu import _refuse_impossible_values as refuse_impossible_values  # noqa: E402

bce, probabilities = door.binary_cross_entropy_with_logits, door.binary_cross_entropy
x, y = torch.zeros(2, 3), torch.ones(2, 3)
maps = torch.zeros(2, 3, 4, 5)
LOGITS = bx.BinaryCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: bce(x, y[0]),
            ValueError,
            "Target size (torch.Size([3])) must be the same as input size (torch.Size([2, 3])). Reshape",
        ),
        (lambda: bce(x, y.T), ValueError, "Target size (torch.Size([3, 2])) must be the same as input size"),
        (
            lambda: bce(x[0, 0], y[0, :1]),
            ValueError,
            "Target size (torch.Size([1])) must be the same as input size (torch.Size([]))",
        ),
        (
            lambda: bce(x, y, torch.ones(2)),
            ValueError,
            "aligned with its last axis; got (2,). It has the length of axis 0: pass weight.reshape([2, 1]).",
        ),
        (
            lambda: bce(maps, maps, pos_weight=torch.ones(3)),
            ValueError,
            "got (3,). It has the length of axis 1: pass pos_weight.reshape([1, 3, 1, 1]).",
        ),
        (
            lambda: bce(x, y, torch.ones(1, 2, 3)),
            ValueError,
            "`weight` must broadcast to the shape of the input (2, 3), aligned with its last axis; got (1, 2, 3).",
        ),
        (
            lambda: bce(x, y, pos_weight=torch.ones(4)),
            ValueError,
            "`pos_weight` must broadcast to the shape of the input (2, 3)",
        ),
        (lambda: bce(x, y, [1.0, 2, 3]), TypeError, "`weight` must be a tensor; got a list."),
        (lambda: bce([0.0], [1.0]), TypeError, "`input` and `target` must be tensors; got a list and a list."),
        (lambda: door.pointwise(LOGITS, [0.0], [1.0]), TypeError, "`predictions` must be a tensor; got a list."),
        (lambda: door.pointwise(LOGITS, x, y, reduction="avg"), ValueError, "'avg' is not a valid value for reduction"),
        (
            lambda: bce(y.int(), x),
            TypeError,
            "`input` must be floating; got torch.int32. The input comes first, then the target.",
        ),
        (lambda: bce(x, y.to(torch.complex64)), TypeError, "`target` must be real; got torch.complex64."),
        (
            lambda: bce(x.to(torch.float8_e5m2), y, reduction="none"),
            TypeError,
            "`input` must be float64, float32, float16 or bfloat16; got torch.float8_e5m2. Use input.float().",
        ),
        (
            lambda: bce(x, y, process_group="all"),
            TypeError,
            "`process_group` must be a ProcessGroup of torch.distributed; got 'all'.",
        ),
        (
            lambda: bce(x, y, reduction="avg"),
            ValueError,
            "'avg' is not a valid value for reduction; it must be one of none, mean, sum, weighted_mean.",
        ),
        (lambda: bce(x, y, reduction=None), ValueError, "None is not a valid value for reduction"),
        (
            lambda: bce(x, y, reduction="sum", process_group="all"),
            ValueError,
            "`process_group` is for means, which it takes over all processes; reduction is 'sum'.",
        ),
        (lambda: bce(x, y, pos_weight=-1.0), ValueError, "`pos_weight` must be finite and >= 0"),
        (lambda: bce(x, y, label_smoothing=1.5), ValueError, "`label_smoothing` must lie in [0, 1]; got 1.5"),
        (lambda: door.sigmoid_focal_loss(x, y, alpha=1.5), ValueError, "`alpha` must lie in [0, 1]; got 1.5"),
        (lambda: door.sigmoid_focal_loss(x, y, gamma=-1), ValueError, "`gamma` must be >= 0; got -1"),
        (lambda: door.asymmetric_loss(x, y, clip=1.0), ValueError, "must lie in [0, 1)"),
        (lambda: door.SigmoidFocalLoss(gamma=-1), ValueError, "`gamma` must be >= 0; got -1"),
        (lambda: door.AsymmetricLoss(gamma_neg=-1), ValueError, "must be >= 0; got -1"),
        (
            lambda: door.PolyBCEWithLogitsLoss(label_smoothing=2),
            ValueError,
            "`label_smoothing` must lie in [0, 1]; got 2",
        ),
        (
            lambda: bce(x, y + 254),
            ValueError,
            "from 255 to 255. Map the two classes to 0 and 1, or name the value to leave out as `ignore_index`.",
        ),
        (lambda: bce(x, torch.tensor([[1, 0, -1], [0, 1, 1]])), ValueError, "1 of 6 are not, from -1 to 1."),
        (
            lambda: probabilities(x, y - 1.5),
            RuntimeError,
            "all elements of target should be between 0 and 1; 6 of 6 are not, from -0.5 to -0.5",
        ),
        (
            lambda: probabilities(x + 1.0000001, y),
            RuntimeError,
            "6 of 6 are not, from 1.00000012 to 1.00000012. Logits belong to `binary_cross_entropy_with_logits`.",
        ),
        (
            lambda: probabilities(torch.tensor([0.2, torch.nan]), torch.ones(2)),
            RuntimeError,
            "all elements of input should be between 0 and 1; 1 of 2 are not",
        ),
        (
            lambda: probabilities(torch.tensor([-3.0, 4.0]), torch.ones(2)),
            RuntimeError,
            "2 of 2 are not, from -3 to 4. Logits belong",
        ),
        (
            lambda: bce(x, y, torch.tensor(torch.inf)),
            ValueError,
            "`weight` must be finite; got an infinite weight. Weights of 0 hide entries.",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        call()
    assert type(caught.value) is error


@each_function
def test_modules_refuse_what_functions_refuse(name):
    module = MODULES[name](reduction="weighted_mean")
    with pytest.raises(ValueError, match="Target size"):
        module(torch.rand(3), torch.rand(4))
    with pytest.raises(ValueError, match="is not a valid value for reduction"):
        MODULES[name](reduction="median")(torch.rand(3), torch.rand(3))


@each_function
def test_a_wrong_target_in_a_tensor_with_a_gradient_is_refused_too(name):
    inputs, targets = data(name, 5)
    with pytest.raises((ValueError, RuntimeError), match="all elements of target should be between 0 and 1"):
        FAMILY[name](inputs.requires_grad_(), targets + 2)


class LargestResult(TorchDispatchMode):
    """Note the size of the largest tensor that an operation computes."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and not function.is_view:
            self.size = max(self.size, result.numel())
        return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_an_error_about_one_value_copies_no_tensor(dtype):
    target = torch.full((3, 1 << 18), 0.5, dtype=dtype).t()
    target[7, 1] = 2
    target.requires_grad_()
    loss, weight = bx.BinaryCrossentropy(ignore_label=-1).pointwise, torch.tensor([1.0, 1.0, 0.0])
    good = torch.tensor(0.5, dtype=dtype).expand(target.shape)
    for input, labels, name in ((good, target, "target"), (target, good, "input")):
        with LargestResult() as largest, pytest.raises(RuntimeError, match=f"of {name} .* 1 of {1 << 19} are not"):
            refuse_impossible_values(loss, input, labels, weight)
        assert largest.size <= 1 << 15
    weight = torch.full((1 << 18, 1), torch.inf)
    with LargestResult() as largest, pytest.raises(ValueError, match="`weight` must be finite"):
        refuse_impossible_values(loss, good, good, weight)
    assert largest.size <= 1 << 15


@each_function
def test_ignored_and_hidden_targets_are_not_looked_at(name):
    inputs, targets = data(name, 4)
    targets[1] = -100
    assert FAMILY[name](inputs, targets, ignore_index=-100, reduction="mean").isfinite()
    assert FAMILY[name](inputs, targets, weight=torch.tensor([1.0, 0, 1, 1]), reduction="mean").isfinite()


def test_errors_about_shapes_do_not_depend_on_the_route():
    for kind in (torch.Tensor, Plain):
        with pytest.raises(ValueError, match="Target size"):
            bce(x.as_subclass(kind), y[0])
    for device in ("cpu", "meta"):
        with pytest.raises(ValueError, match="Target size"):
            bce(x.to(device), y[0].to(device))
    with pytest.raises(ValueError, match="Target size"):
        torch.func.vmap(bce)(x, y[:, :1])


@pytest.mark.parametrize("name", ["input", "target", "weight", "pos_weight"])
def test_devices_are_not_mixed(name):
    tensors = dict.fromkeys(("input", "target", "weight", "pos_weight"), y)
    with pytest.raises((RuntimeError, ValueError), match="device"):
        bce(**tensors | {name: y.to("meta")}).item()
