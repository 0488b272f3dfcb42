"""Functions and modules in torch's dialect, input first, and a superset of torch's options."""

import inspect

import torch
from torch.nn._reduction import legacy_get_string

from binxent import losses
from binxent.torch._dispatch import evaluate
from binxent.torch._dynamo import recipe, recipe_of

__all__ = [
    "AsymmetricLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "PolyBCEWithLogitsLoss",
    "SigmoidFocalLoss",
    "asymmetric_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "poly_binary_cross_entropy_with_logits",
    "sigmoid_focal_loss",
]


def binary_cross_entropy_with_logits(
    input,
    target,
    weight=None,
    size_average=None,
    reduce=None,
    reduction="mean",
    pos_weight=None,
    *,
    label_smoothing=0.0,
    ignore_index=None,
    process_group=None,
):
    """Binary cross-entropy of logits: -c y log p - (1 - y) log(1 - p), p = sigmoid(input).

    The function of that name in `torch.nn.functional`, with both tails exact.

    Args:
        input: Logits, a floating tensor of any shape.
        target: y in [0, 1], in the shape of `input`.
        weight: Factors of each entry's loss, a tensor that broadcasts to the input.
        size_average: Deprecated, as in torch.
        reduce: Deprecated, as in torch.
        reduction: "none", "mean", "sum" or "weighted_mean".
        pos_weight: c, what a positive counts: a number, or a tensor that broadcasts to the input: (C,) for C labels on
            the last axis, (C, 1, 1) for C maps of images.
        label_smoothing: s in [0, 1].
        ignore_index: A target, a number or NaN, that marks entries to leave out.
        process_group: The processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input.

    Raises:
        ValueError: Shapes do not match, or an option or a target is impossible. Values are not looked at on a GPU, nor
            under `torch.compile`.
        TypeError: An argument is no tensor, or the input is not floating.

    Example:
        >>> print(binary_cross_entropy_with_logits(torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor(1.4100)
    """
    loss, pos_weight = _binary_cross_entropy(True, pos_weight, label_smoothing, ignore_index)
    return evaluate(loss, input, target, weight, pos_weight, _named(size_average, reduce, reduction), process_group)


def binary_cross_entropy(
    input,
    target,
    weight=None,
    size_average=None,
    reduce=None,
    reduction="mean",
    *,
    pos_weight=None,
    label_smoothing=0.0,
    ignore_index=None,
    process_group=None,
):
    """Binary cross-entropy of probabilities: -c y log p - (1 - y) log(1 - p), p = input.

    The function of that name in `torch.nn.functional`: logarithms are clamped at -100 and the gradient's denominator
    p (1 - p) at 1e-12. Halves are computed in float32, so it works under autocast.

    Args:
        input: Probabilities in [0, 1], a floating tensor of any shape.
        target: y in [0, 1], in the shape of `input`.
        weight: Factors of each entry's loss, a tensor that broadcasts to the input.
        size_average: Deprecated, as in torch.
        reduce: Deprecated, as in torch.
        reduction: "none", "mean", "sum" or "weighted_mean".
        pos_weight: c, what a positive counts: a number, or a tensor that broadcasts to the input.
        label_smoothing: s in [0, 1].
        ignore_index: A target, a number or NaN, that marks entries to leave out.
        process_group: The processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input.

    Raises:
        RuntimeError: A probability or a target lies outside [0, 1] or is NaN. Values are not looked at on a GPU, nor
            under `torch.compile`.
        ValueError: Shapes do not match, or an option is impossible.
        TypeError: An argument is no tensor, or the input is not floating.

    Example:
        >>> print(binary_cross_entropy(torch.tensor([0.9, 0.4]), torch.tensor([1, 0])))
        tensor(0.3081)
    """
    loss, pos_weight = _binary_cross_entropy(False, pos_weight, label_smoothing, ignore_index)
    return evaluate(loss, input, target, weight, pos_weight, _named(size_average, reduce, reduction), process_group)


def sigmoid_focal_loss(
    inputs,
    targets,
    alpha=0.25,
    gamma=2.0,
    reduction="none",
    *,
    weight=None,
    label_smoothing=0.0,
    ignore_index=None,
    process_group=None,
):
    """Focal loss of logits: (1 - p_t)^gamma (-y log p - (1 - y) log(1 - p)), p_t the probability of the truth.

    The function of that name in `torchvision.ops`; from Lin et al., "Focal Loss for Dense Object Detection", 2017.

    Args:
        inputs: Logits, a floating tensor of any shape.
        targets: y in [0, 1], in the shape of `inputs`.
        alpha: What positives count, in [0, 1], where negatives count 1 - alpha; -1 or None leaves both at 1.
        gamma: How strongly easy entries fade, any number >= 0; 0 is binary cross-entropy.
        reduction: "none", "mean", "sum" or "weighted_mean".
        weight: Factors of each entry's loss, a tensor that broadcasts to the inputs.
        label_smoothing: s in [0, 1].
        ignore_index: A target, a number or NaN, that marks entries to leave out.
        process_group: The processes over which a mean is taken.

    Returns:
        With the reduction "none" a tensor in the shape of the inputs, else a 0-d tensor.

    Raises:
        ValueError: Shapes do not match, or an option or a target is impossible.
        TypeError: An argument is no tensor, or the inputs are not floating.

    Example:
        >>> print(sigmoid_focal_loss(torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor([0.0433, 1.2376])
    """
    loss = _focal(alpha, gamma, label_smoothing, ignore_index)
    return evaluate(loss, inputs, targets, weight, None, reduction, process_group)


def asymmetric_loss(
    input,
    target,
    gamma_neg=4.0,
    gamma_pos=1.0,
    clip=0.05,
    weight=None,
    reduction="mean",
    *,
    label_smoothing=0.0,
    ignore_index=None,
    process_group=None,
):
    """Asymmetric loss of logits: -y q^gamma_pos log p - (1 - y) m^gamma_neg log(1 - m), m = max(p - clip, 0).

    Here p = sigmoid(input) and q = 1 - p. From Ridnik et al., "Asymmetric Loss For Multi-Label Classification", 2021,
    with the names of its authors' code, which takes the sum.

    Args:
        input: Logits, a floating tensor of any shape.
        target: y in [0, 1], in the shape of `input`.
        gamma_neg: How strongly easy negatives fade, any number >= 0.
        gamma_pos: How strongly easy positives fade, any number >= 0.
        clip: Negatives with a probability up to this cost nothing, in [0, 1); None is 0.
        weight: Factors of each entry's loss, a tensor that broadcasts to the input.
        reduction: "none", "mean", "sum" or "weighted_mean".
        label_smoothing: s in [0, 1].
        ignore_index: A target, a number or NaN, that marks entries to leave out.
        process_group: The processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input.

    Raises:
        ValueError: Shapes do not match, or an option or a target is impossible.
        TypeError: An argument is no tensor, or the input is not floating.

    Example:
        >>> print(asymmetric_loss(torch.tensor([2.0, -3.5]), torch.tensor([1, 0])))
        tensor(0.0076)
    """
    loss = _asymmetric(gamma_neg, gamma_pos, clip, label_smoothing, ignore_index)
    return evaluate(loss, input, target, weight, None, reduction, process_group)


def poly_binary_cross_entropy_with_logits(
    input,
    target,
    epsilon_1=1.0,
    weight=None,
    reduction="mean",
    *,
    label_smoothing=0.0,
    ignore_index=None,
    process_group=None,
):
    """Poly-1 loss of logits: binary cross-entropy + epsilon_1 (1 - p_t), p_t the probability of the truth.

    From Leng et al., "PolyLoss", 2022, equation 5.

    Args:
        input: Logits, a floating tensor of any shape.
        target: y in [0, 1], in the shape of `input`.
        epsilon_1: Coefficient of the first term of the loss's polynomial in 1 - p_t.
        weight: Factors of each entry's loss, a tensor that broadcasts to the input.
        reduction: "none", "mean", "sum" or "weighted_mean".
        label_smoothing: s in [0, 1].
        ignore_index: A target, a number or NaN, that marks entries to leave out.
        process_group: The processes over which a mean is taken.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the input.

    Raises:
        ValueError: Shapes do not match, or an option or a target is impossible.
        TypeError: An argument is no tensor, or the input is not floating.

    Example:
        >>> print(poly_binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1])))
        tensor(1.1931)
    """
    loss = _poly(epsilon_1, label_smoothing, ignore_index)
    return evaluate(loss, input, target, weight, None, reduction, process_group)


class _Options:
    """What the modules have in common: options are attributes, and are shown where they are not the defaults."""

    def _keep(self, label_smoothing, ignore_index, process_group):
        self.label_smoothing, self.ignore_index, self.process_group = label_smoothing, ignore_index, process_group

    def _kept(self):
        return {
            "label_smoothing": self.label_smoothing,
            "ignore_index": self.ignore_index,
            "process_group": self.process_group,
        }

    def extra_repr(self):
        """The options that are not the defaults."""
        parameters = inspect.signature(type(self)).parameters.values()
        values = [(one.name, getattr(self, one.name, one.default), one.default) for one in parameters]
        return ", ".join(
            f"{name}={f'<{tuple(value.shape)}>' if isinstance(value, torch.Tensor) and value.dim() else value}"
            for name, value, default in values
            if value is not default and (isinstance(value, torch.Tensor) or value != default)
        )


class BCEWithLogitsLoss(_Options, torch.nn.BCEWithLogitsLoss):
    """`binary_cross_entropy_with_logits` as a module, in place of `torch.nn.BCEWithLogitsLoss`.

    `weight` and `pos_weight` are buffers: they move with the module and stand in its state dict when given.

    Example:
        >>> loss = BCEWithLogitsLoss(label_smoothing=0.1)
        >>> loss
        BCEWithLogitsLoss(label_smoothing=0.1)
        >>> print(loss(torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 0.0]])))
        tensor(0.4312)
    """

    def __init__(
        self,
        weight=None,
        size_average=None,
        reduce=None,
        reduction="mean",
        pos_weight=None,
        *,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__(weight, size_average, reduce, reduction, _as_buffer(pos_weight))
        self._keep(label_smoothing, ignore_index, process_group)

    def forward(self, input, target):
        """The loss of a batch."""
        return binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight, **self._kept()
        )


class BCELoss(_Options, torch.nn.BCELoss):
    """`binary_cross_entropy` as a module, in place of `torch.nn.BCELoss`.

    `weight` and `pos_weight` are buffers: they move with the module and stand in its state dict when given.

    Example:
        >>> loss = BCELoss()
        >>> print(loss(torch.tensor([0.9, 0.4]), torch.tensor([1.0, 0.0])))
        tensor(0.3081)
    """

    def __init__(
        self,
        weight=None,
        size_average=None,
        reduce=None,
        reduction="mean",
        *,
        pos_weight=None,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", _as_buffer(pos_weight))
        self._keep(label_smoothing, ignore_index, process_group)

    def forward(self, input, target):
        """The loss of a batch."""
        return binary_cross_entropy(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight, **self._kept()
        )


class SigmoidFocalLoss(_Options, torch.nn.Module):
    """`sigmoid_focal_loss` as a module; its reduction is "mean" unless another is asked for.

    `weight` is a buffer: it moves with the module and stands in its state dict when given.

    Example:
        >>> loss = SigmoidFocalLoss(alpha=-1, gamma=1.5)
        >>> loss
        SigmoidFocalLoss(alpha=-1, gamma=1.5)
        >>> print(loss(torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor(1.0016)
    """

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        reduction="mean",
        *,
        weight=None,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.alpha, self.gamma, self.reduction = alpha, gamma, reduction
        self._keep(label_smoothing, ignore_index, process_group)
        _focal(alpha, gamma, label_smoothing, ignore_index)  # refuses impossible options

    def forward(self, inputs, targets):
        """The loss of a batch."""
        return sigmoid_focal_loss(
            inputs, targets, self.alpha, self.gamma, self.reduction, weight=self.weight, **self._kept()
        )


class AsymmetricLoss(_Options, torch.nn.Module):
    """`asymmetric_loss` as a module.

    `weight` is a buffer: it moves with the module and stands in its state dict when given.

    Example:
        >>> loss = AsymmetricLoss(gamma_neg=2, clip=0.0, reduction="sum")
        >>> loss
        AsymmetricLoss(gamma_neg=2, clip=0.0, reduction=sum)
        >>> print(loss(torch.tensor([2.0, -3.5]), torch.tensor([1, 0])))
        tensor(0.0152)
    """

    def __init__(
        self,
        gamma_neg=4.0,
        gamma_pos=1.0,
        clip=0.05,
        reduction="mean",
        *,
        weight=None,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.gamma_neg, self.gamma_pos, self.clip, self.reduction = gamma_neg, gamma_pos, clip, reduction
        self._keep(label_smoothing, ignore_index, process_group)
        _asymmetric(gamma_neg, gamma_pos, clip, label_smoothing, ignore_index)  # refuses impossible options

    def forward(self, input, target):
        """The loss of a batch."""
        return asymmetric_loss(
            input, target, self.gamma_neg, self.gamma_pos, self.clip, self.weight, self.reduction, **self._kept()
        )


class PolyBCEWithLogitsLoss(_Options, torch.nn.Module):
    """`poly_binary_cross_entropy_with_logits` as a module.

    `weight` is a buffer: it moves with the module and stands in its state dict when given.

    Example:
        >>> loss = PolyBCEWithLogitsLoss(epsilon_1=2.0)
        >>> loss
        PolyBCEWithLogitsLoss(epsilon_1=2.0)
        >>> print(loss(torch.tensor([0.0]), torch.tensor([1])))
        tensor(1.6931)
    """

    def __init__(
        self,
        epsilon_1=1.0,
        reduction="mean",
        *,
        weight=None,
        label_smoothing=0.0,
        ignore_index=None,
        process_group=None,
    ):
        super().__init__()
        self.register_buffer("weight", weight)
        self.epsilon_1, self.reduction = epsilon_1, reduction
        self._keep(label_smoothing, ignore_index, process_group)
        _poly(epsilon_1, label_smoothing, ignore_index)  # refuses impossible options

    def forward(self, input, target):
        """The loss of a batch."""
        return poly_binary_cross_entropy_with_logits(
            input, target, self.epsilon_1, self.weight, self.reduction, **self._kept()
        )


def elementwise(spec, predictions, labels, pos_weight=None, reading=None):
    """The loss of each element under a loss of `binxent.losses`, which the Keras door calls.

    Args:
        spec: The loss. Its axis, reduction and dtype play no part here.
        predictions: Floating tensor of logits or probabilities, as the loss says.
        labels: Tensor in the shape of `predictions`.
        pos_weight: Takes the place of the loss's own: a tensor that broadcasts to the predictions.
        reading: How predictions are read, in place of the loss's own reading; `formulas.py` names them.

    Returns:
        A tensor in the shape and dtype of `predictions`.

    Raises:
        ValueError: Shapes differ, or a value is impossible.
        TypeError: `predictions` are not floating, or `labels` are not real.

    Example:
        >>> spec = losses.BinaryCrossentropy(from_logits=True)
        >>> print(elementwise(spec, torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor([0.6931, 2.1269])
    """
    return reduced(spec, "none", predictions, labels, None, pos_weight, reading)


def reduced(spec, reduction, predictions, labels, weight=None, pos_weight=None, reading=None):
    """What `elementwise` would give, reduced as the functions of this module do, in one pass.

    Args:
        spec: The loss.
        reduction: "none", "mean", "sum" or "weighted_mean".
        predictions: As for `elementwise`.
        labels: As for `elementwise`.
        weight: Factors of each element's loss, a tensor that broadcasts to the predictions.
        pos_weight: As for `elementwise`.
        reading: As for `elementwise`.

    Returns:
        A 0-d tensor, or with the reduction "none" one in the shape of the predictions.

    Raises:
        ValueError: Shapes do not match, or a value is impossible.
        TypeError: `predictions` are not floating, or `labels` are not real.

    Example:
        >>> spec = losses.BinaryCrossentropy(from_logits=True)
        >>> print(reduced(spec, "mean", torch.tensor([0.0, 2.0]), torch.tensor([1, 0])))
        tensor(1.4100)
    """
    if pos_weight is None and isinstance(spec.constants[0], tuple):
        pos_weight = torch.tensor(spec.constants[0], dtype=predictions.dtype, device=predictions.device)
        if pos_weight.shape != predictions.shape[-1:]:
            raise ValueError(
                "`pos_weight` must be a number or hold one number for each label on the last axis of the predictions, "
                f"whose shape is {tuple(predictions.shape)}; got {pos_weight.numel()} numbers."
            )
    return evaluate(recipe_of(spec, reading), predictions, labels, weight, pos_weight, reduction)


def _binary_cross_entropy(from_logits, pos_weight, label_smoothing, ignore_index):
    """The recipe, and `pos_weight` if it is a tensor; a number is the recipe's own."""
    kind, clamped = losses.BinaryCrossentropy, not from_logits
    if isinstance(pos_weight, torch.Tensor):
        return recipe(kind, from_logits, label_smoothing, ignore_label=ignore_index, clamped=clamped), pos_weight
    options = {"pos_weight": pos_weight, "ignore_label": ignore_index, "clamped": clamped}
    return recipe(kind, from_logits, label_smoothing, **options), None


def _focal(alpha, gamma, label_smoothing, ignore_index):
    balanced = alpha is not None and alpha != -1
    return recipe(
        losses.BinaryFocalCrossentropy,
        balanced,
        alpha if balanced else 0.25,
        gamma,
        True,
        label_smoothing,
        ignore_label=ignore_index,
    )


def _asymmetric(gamma_neg, gamma_pos, clip, label_smoothing, ignore_index):
    return recipe(
        losses.AsymmetricCrossentropy,
        gamma_pos,
        gamma_neg,
        clip or 0.0,
        True,
        label_smoothing,
        ignore_label=ignore_index,
    )


def _poly(epsilon_1, label_smoothing, ignore_index):
    return recipe(losses.PolyBinaryCrossentropy, epsilon_1, True, label_smoothing, ignore_label=ignore_index)


def _named(size_average, reduce, reduction):
    """The reduction, where torch's first two names for it may be used still."""
    return reduction if size_average is None and reduce is None else legacy_get_string(size_average, reduce)


def _as_buffer(pos_weight):
    return pos_weight if pos_weight is None else torch.as_tensor(pos_weight)
