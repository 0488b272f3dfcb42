"""Random calls of the losses on guarded arrays, compared with their equations.

Run as a program, in a process that an error may end: `python -m support.configurations FILE FIRST COUNT`. The file
always says which configuration runs. Each is made from its number alone, so `... FILE 1234 1` runs that one again.
"""

import os
import sys
import traceback
from types import SimpleNamespace

import numpy as np
from support import equations, guarded
from support.equations import Real
from support.hill import HillLoss, Scaled, SquaredError

import binxent as bx
from binxent._kernels import arrays, fused, threads

PER_KERNEL = 16  # configurations that share a compiled formula: compiling takes longer than they do
ADDITIONS = 512  # how many numbers are added one after the other, each time with half a unit in float64's last place
ULPS = 24  # how far a result may be off, in units in the last place of the sum of its absolute terms
WHOLE = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")
GAMMAS = (0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 7.3, 20)
POWERS = ("gamma", "gamma_pos", "gamma_neg")
# Faults that are still open, each a range that configurations leave out: smoothing that costs digits, derivatives of a
# power below 1 at an exact probability of 0, 1 / p beyond every float although its product with a label is not, and
# weights for which a call is repeated in float64, where probabilities are clipped, and labels rounded, elsewhere.
OPEN = ("smoothing", "powers at 0", "probabilities next to 0", "extreme weights")
KINDS = (
    bx.BinaryCrossentropy,
    bx.BinaryFocalCrossentropy,
    bx.AsymmetricCrossentropy,
    bx.PolyBinaryCrossentropy,
    HillLoss,
    SquaredError,
    Scaled,
)


def choice(rng, values):
    return values[int(rng.integers(len(values)))]


class Kernel:
    """What decides on the compiled formula, and is the same for some configurations.

    Attributes:
        kind: The class of the loss.
        parameters: Those of the loss that are numbers; a function of the number of labels makes one for each.
        real: Working precision.
        derivatives: How many to compute.
        weighted: Whether there are weights, masks, or an ignored label.
    """

    def __init__(self, number):
        rng = np.random.default_rng([number, 0])
        self.kind, self.real = choice(rng, KINDS), choice(rng, (np.float32, np.float64))
        self.derivatives, self.weighted = int(rng.integers(3)), bool(rng.random() < 0.6)
        self.parameters = getattr(self, f"_{self.kind.__name__}")(rng) | {
            "from_logits": bool(rng.random() < 0.5),
            "epsilon": choice(rng, (1e-7, 1e-7, None, None, 0.0, 0.01)),
            "label_smoothing": choice(rng, (0, 0, 0, 0.1, 1e-3, 1.0, float(rng.random()))),
        }
        if "smoothing" in OPEN:
            self.parameters["label_smoothing"] = choice(rng, (0, 0, 0.5, 1.0))
        if "powers at 0" in OPEN and any(0 < self.parameters.get(name, 0) < 1 for name in POWERS):
            self.parameters["epsilon"] = 1e-7

    def _BinaryCrossentropy(self, rng):
        if rng.random() < 0.4:
            return {}
        if rng.random() < 0.5:
            return {"pos_weight": float(10 ** rng.uniform(-3, 3))}
        return {"pos_weight": lambda rng, count: tuple(rng.exponential(2, count).tolist())}

    def _BinaryFocalCrossentropy(self, rng):
        gamma = choice(rng, (*GAMMAS, float(rng.exponential(3))))
        return {"gamma": gamma} | (
            {"apply_class_balancing": True, "alpha": float(rng.random())} if rng.random() < 0.5 else {}
        )

    def _AsymmetricCrossentropy(self, rng):
        return {
            "gamma_pos": choice(rng, GAMMAS),
            "gamma_neg": choice(rng, GAMMAS),
            "margin": choice(rng, (0, 0, 0.05, 0.5, 0.9)),
        }

    def _PolyBinaryCrossentropy(self, rng):
        return {"epsilon_1": choice(rng, (1.0, -0.5, 1e-3, 10.0, float(rng.normal())))}

    def _HillLoss(self, rng):
        return {"limit": 1.5 if rng.random() < 0.5 else lambda rng, count: tuple(rng.uniform(1, 2, count).tolist())}

    def _SquaredError(self, rng):
        return {}

    def _Scaled(self, rng):
        return {"constants": tuple(rng.random(int(rng.integers(5))).tolist())}

    def loss(self, rng, labels, **options):
        """Return the loss for a number of labels."""
        parameters = {name: value(rng, labels) if callable(value) else value for name, value in self.parameters.items()}
        return self.kind(**parameters, **options)


class Array:
    """An argument: values, and the array that holds them, guarded and perhaps masked."""

    def __init__(self, rng, name, values, dtype, mask, may_repeat):
        self.name, self.dtype, self.values = name, np.dtype(dtype), values
        if self.dtype.itemsize > 1 and rng.random() < 0.1:
            self.dtype = self.dtype.newbyteorder()
        self.layout = guarded.Layout(rng, values.shape, self.dtype.itemsize, may_repeat)
        self.array, self.memory = self.layout.place(values.shape, self.dtype)
        self.array[...] = values
        guarded.read_only(self.memory)
        self.array.flags.writeable = bool(rng.random() < 0.5)
        self.mask = mask

    def __repr__(self):
        masked = "" if self.mask is None else ", masked"
        return f"{self.name}: {self.dtype}{self.values.shape}{masked} {self.layout}"

    @property
    def argument(self):
        """What is passed."""
        return self.array if self.mask is None else np.ma.masked_array(self.array, self.mask, copy=False)


class Configuration:
    """A call: a loss and its arguments."""

    def __init__(self, number):
        self.number = number
        self.kernel = kernel = Kernel(number // PER_KERNEL)
        self.rng = rng = np.random.default_rng([number, 1])
        self.shape = shape = draw_shape(rng, any(map(callable, kernel.parameters.values())))
        self.real = kernel.real
        axes = [None, (), *range(-len(shape), len(shape))]
        if len(shape) > 1:
            axes.append(tuple(rng.permutation(len(shape))[:2].tolist()))
        hiding = choice(rng, ("weights", "masks", "ignored", "everything")) if kernel.weighted else ""
        self.ignored = choice(rng, (-1, 0, 1, 2, np.nan)) if hiding in ("ignored", "everything") else None
        self.loss = kernel.loss(
            rng, shape[-1] if shape else 1,
            axis=choice(rng, axes) if shape else -1, reduction=choice(rng, REDUCTIONS),
            dtype=choice(rng, (None, None, "float64", "float32", "float16")), ignore_label=self.ignored,
        )  # fmt: skip
        self._draw(rng, hiding)
        self.outputs = [self._output(rng) for _ in range(kernel.derivatives)] if rng.random() < 0.7 else []
        self.threads = choice(rng, (1, 1, 2, 4))

    def _draw(self, rng, hiding):
        """Make the arguments; those that are hidden hold anything."""
        shape, dtype, kinds = self.shape, "float64", ("float64", "float32", "float16", *WHOLE)
        if self.real is np.float32:
            dtype = choice(rng, ("float32", "float32", "float32", "float16", choice(rng, WHOLE)))
        label_dtype, weight_dtype = choice(rng, (dtype, choice(rng, kinds))), choice(rng, kinds)
        x = draw_logits(rng, shape, dtype) if self.loss.from_logits else draw_probabilities(rng, shape, dtype)
        y, w, masks = draw_labels(rng, shape, label_dtype), None, [None] * 3
        if hiding in ("weights", "everything"):
            rank = int(rng.integers(len(shape) + 1)) if rng.random() < 0.5 else len(shape)
            w = draw_weights(rng, shape[:rank], weight_dtype)
        if hiding in ("masks", "everything"):
            shapes = shape, shape, None if w is None else w.shape
            masks = [draw_mask(rng, each) if each is not None and rng.random() < 0.6 else None for each in shapes]
        if self.ignored is not None and can_hold(label_dtype, self.ignored):
            y = np.where(draw_mask(rng, shape), np.dtype(label_dtype).type(self.ignored), y)
        self.masks = [self._along(mask) for mask in masks if mask is not None]
        masked = np.logical_or.reduce([self._is_ignored(y), *self.masks])
        hidden = masked if w is None else masked | (self._along(w) == 0)
        repeats = rng.random() < 0.3  # an element in several places is not hidden in all of them
        if not repeats and rng.random() < 0.8:
            outside = [9, -np.inf, np.nan][
                : 2 if self.ignored is not None else 3
            ]  # NaN might be ignored, and not count
            x = scattered(rng, x, hidden, [np.nan, np.inf, -np.inf, -3])
            y = scattered(rng, y, hidden & ~self._is_ignored(y), outside)
            if w is not None and w.shape == shape:
                w = scattered(rng, w, masked, [np.inf, np.nan, -1])
        if rng.random() < 0.05:
            x = scattered(rng, x, rng.random(shape) < 0.1, [np.nan])
        self.y = Array(rng, "labels", y, label_dtype, masks[0], repeats)
        self.x = Array(rng, "predictions", x, dtype, masks[1], repeats)
        self.w = None if w is None else Array(rng, "weights", w, weight_dtype, masks[2], repeats)

    def _along(self, values):
        """Broadcast a weight or a mask along the axes that it lacks."""
        return np.broadcast_to(values.reshape(values.shape + (1,) * (len(self.shape) - values.ndim)), self.shape)

    def _is_ignored(self, y):
        if self.ignored is None:
            return np.zeros(y.shape, bool)
        return np.isnan(y) if np.isnan(self.ignored) else y == self.ignored

    def _output(self, rng):
        dtype = choice(rng, ("float32", "float64", "float16"))
        layout = guarded.Layout(rng, self.shape, np.dtype(dtype).itemsize, False)
        array, memory = layout.place(self.shape, np.dtype(dtype))
        return SimpleNamespace(dtype=dtype, layout=layout, array=array, memory=memory)

    def __repr__(self):
        outputs = ", ".join(f"out: {each.dtype} {each.layout}" for each in self.outputs)
        return (
            f"configuration {self.number}: {self.kernel.derivatives} derivatives of {self.loss!r}; "
            f"{self.x}; {self.y}; {self.w}; {outputs}; {self.threads} threads"
        )

    def call(self):
        """Return the loss and its derivatives."""
        arguments = self.loss, self.y.argument, self.x.argument, None if self.w is None else self.w.argument
        outputs = [each.array for each in self.outputs]
        if self.kernel.derivatives == 0:
            return (self.loss(*arguments[1:]),)
        if self.kernel.derivatives == 1:
            return bx.value_and_grad(*arguments, **({"out": outputs[0]} if outputs else {}))
        return bx.value_grad_hess(*arguments, **({"out": tuple(outputs)} if outputs else {}))

    def bounds(self):
        """Return what each result is, how far it may be off, and its dtype."""
        loss, real, shape = self.loss, self.real, self.shape
        x, y = (each.array.astype(real).astype(Real) for each in (self.x, self.y))
        valid = np.logical_not(np.logical_or.reduce([self._is_ignored(self.y.array), *self.masks]))
        weights = np.ones(shape, Real) if self.w is None else self._along(self.w.array.astype(Real))
        weights = np.where(valid, weights, 0)
        shown, info = weights != 0, np.finfo(real)
        constants = [np.array(each) if isinstance(each, tuple) else each for each in loss.pointwise.constants]
        rows, sizes = equations.element_losses(
            loss, np.where(shown, x, Real(0.5)), np.where(shown, y, Real(0)), real, constants
        )
        rank, axis = len(shape), loss.axis
        axes = range(rank) if axis is None or not shape else (axis,) if isinstance(axis, int) else axis
        axes = tuple(axis % rank for axis in axes)
        scale = self._scale(valid, weights, axes)
        with np.errstate(all="ignore"):
            infinite, beyond = abs(rows) > Real(np.finfo(np.float64).max), abs(rows) > Real(info.max)
            value = np.where(shown, np.where(infinite, np.copysign(np.inf, rows), rows) * weights, 0)
            value = np.where(shown & np.isnan(x), np.nan, value)
            least = ULPS * Real(info.eps) * Real(info.tiny)
            error = ULPS * Real(info.eps) * np.minimum(sizes, equations.FAR) * abs(weights)
            error = np.where(shown, np.maximum(error, least * np.maximum(abs(weights), 1)), 0)
            # What is too large for the working precision, or as a sum, is infinite, though the mean need not be.
            error = np.where(shown & (beyond | (abs(value) > Real(info.max))), np.inf, error)
            # Sums of losses, and of the weights that they and their derivatives are divided by.
            error += ADDITIONS * Real(np.finfo(np.float64).eps) * abs(value)
            error[0] = np.where(abs(value[0]).sum() > np.finfo(np.float64).max, np.inf, error[0])
            value, error = (np.where(scale > 0, each * scale, 0) for each in (value, error))
            error[1:] += np.where(scale > 0, least, 0)
            total = [each.sum(axis=axes if loss.reduction == "none" else None) for each in (value[0], error[0])]
        dtypes = [loss.dtype, *([each.dtype for each in self.outputs] or [None] * self.kernel.derivatives)]
        dtypes = [self.result_dtype if dtype is None else np.dtype(dtype) for dtype in dtypes]
        return list(zip((total[0], *value[1:]), (total[1], *error[1:]), dtypes, strict=False))

    def _scale(self, valid, weights, axes):
        """Return what each element's loss is divided by, inverted; 0 for a mean of nothing."""
        reduction, everything = self.loss.reduction, tuple(range(valid.ndim))
        if reduction == "mean_with_sample_weight" and self.w is not None:
            divisor = weights.sum(axis=everything, keepdims=True)
        else:
            per_sample = reduction in ("none", "sum")
            divisor = valid.sum(axis=axes if per_sample else everything, keepdims=True).astype(Real)
        return np.where(divisor == 0, Real(0), 1 / np.where(divisor == 0, Real(1), divisor))

    @property
    def result_dtype(self):
        return np.dtype(np.float32) if self.x.dtype.kind in "biu" else self.x.dtype.newbyteorder("=")

    def check(self):
        """Raise if a result is wrong."""
        got, bounds = self.call(), self.bounds() if equations.SUFFICES else ()
        for name, one, (want, error, dtype) in zip(("loss", "slope", "curvature"), got, bounds, strict=False):
            one = np.asarray(one)
            assert one.dtype == dtype, f"{name} in {one.dtype}, not {dtype}"
            assert one.shape == want.shape, f"{name} of shape {one.shape}, not {want.shape}"
            with np.errstate(all="ignore"):
                # The results of all additions are rounded once more: to the working precision, then to the dtype.
                rest = abs(want) * Real(2 * np.finfo(self.real).eps) + error
                low, high = ((want + sign * rest).astype(np.float64).astype(dtype) for sign in (-1, 1))
                alike = (low <= one) & (one <= high) | (np.isnan(one) & np.isnan(want)) | (one == want)
            if not alike.all():
                at = tuple(np.argwhere(~alike)[0].tolist())
                x, y = (self.x.array[at], self.y.array[at]) if one.shape == self.shape else (None, None)
                raise AssertionError(
                    f"{name}: {np.count_nonzero(~alike)} of {one.size} are wrong; at {at} got {one[at]!r}, not "
                    f"{want[at]!r} +- {rest[at]!r} (prediction {x!r}, label {y!r})"
                )
        for output, one in zip(self.outputs, got[1:], strict=False):
            assert one is output.array
            around = np.full_like(output.memory, guarded.UNTOUCHED)
            output.layout.view(around, self.shape, np.dtype(output.dtype))[...] = one
            assert (around == output.memory).all(), "something was written between the elements of an output"


def draw_shape(rng, has_labels):
    """Draw a shape: small ones, lengths next to multiples of vectors and of blocks, nothing at all."""
    rank, luck = int(rng.integers(1 if has_labels else 0, 4)), rng.random()
    shape = [int(rng.integers(1, 8)) for _ in range(rank)]
    if luck < 0.03 and rank > has_labels:
        shape[int(rng.integers(rank - has_labels))] = 0
    elif luck < 0.7 and shape:
        length = int(choice(rng, (8, 16, 32, 64, 128))) * int(rng.integers(1, 4)) + int(rng.integers(-3, 4))
        shape[int(rng.integers(rank))] = length
    elif luck < 0.8 and shape:
        shape = [min(extent, 2) for extent in shape]
        shape[int(rng.integers(rank))] = 2048 * int(choice(rng, (1, 1, 2, 3))) + int(rng.integers(-9, 10))
    elif luck < 0.81 and shape:
        shape = [1] * rank
        shape[int(rng.integers(rank))] = int(rng.integers(16_384, 50_000))
    return tuple(shape)


def draw_logits(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        low, high = (max(info.min, -9), 9) if rng.random() < 0.7 else (info.min, info.max)
        return rng.integers(low, high, shape, dtype, endpoint=True)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    match choice(rng, ("usual", "usual", "tails", "bits")):
        case "usual":
            x = rng.normal(0, 3, shape)
        case "tails":
            x = rng.uniform(-1, 1, shape) * choice(rng, (20, 110, 800))
        case "bits":
            x = rng.integers(0, 2 ** (8 * dtype.itemsize) - 1, shape, f"u{dtype.itemsize}", endpoint=True).view(dtype)
            x = np.where(np.isnan(x), dtype.type(0), x)
    specials = [0.0, -0.0, np.inf, -np.inf, np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal, 88.0, -104.0]
    return _sprinkled(rng, x, specials, dtype)


def draw_probabilities(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        return rng.integers(0, 2, shape).astype(dtype)
    match choice(rng, ("usual", "low", "high")):
        case "usual":
            x = rng.random(shape)
        case "low":
            low = np.log10(float(np.finfo(dtype).smallest_subnormal)) * choice(rng, (0.2, 1))
            x = 10 ** rng.uniform(low / 3 if "probabilities next to 0" in OPEN else low, 0, shape)
        case "high":
            x = 1 - 10 ** rng.uniform(-17, 0, shape)
    least = np.finfo(dtype).smallest_subnormal ** (1 / 3 if "probabilities next to 0" in OPEN else 1)
    return _sprinkled(rng, x, [0.0, -0.0, 1.0, 0.5, 0.05, least], dtype)


def draw_labels(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind != "f" or rng.random() < 0.5:
        return rng.integers(0, 2, shape).astype(dtype)
    match choice(rng, ("usual", "usual", "low", "high")):
        case "usual":
            y = rng.random(shape)
        case "low":
            y = 10 ** rng.uniform(-40, 0, shape)
        case "high":
            y = 1 - 10 ** rng.uniform(-17, 0, shape)
    return _sprinkled(rng, y, [0.0, -0.0, 1.0, 0.5], dtype)


def draw_weights(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        return rng.integers(0, 2 if dtype.kind == "b" else 4, shape).astype(dtype)
    match choice(rng, ("usual", "usual", "small", "wide")):
        case "usual":
            w = rng.uniform(0, 2, shape)
        case "small":
            w = 10 ** rng.uniform(-4, 0, shape)
        case "wide":
            w = 10 ** (rng.uniform(-1, 1, shape) * (18 if "extreme weights" in OPEN else 30))
    with np.errstate(over="ignore"):
        return _sprinkled(rng, np.minimum(w, np.finfo(dtype).max), [0.0, 1.0, -0.0], dtype)


def draw_mask(rng, shape):
    """Draw where something is hidden: nowhere, in some places, or everywhere."""
    return rng.random(shape) < choice(rng, (0.0, 0.1, 0.3, 0.9, 1.0))


def can_hold(dtype, number):
    """Return whether a dtype has a number, NaN included."""
    dtype = np.dtype(dtype)
    return dtype.kind == "f" or (number == number and dtype.kind != "b" and (number >= 0 or dtype.kind == "i"))


def scattered(rng, values, at, others):
    """Put one of some other values, which only floats have, where a condition holds."""
    if values.dtype.kind != "f":
        return values
    return np.where(at, values.dtype.type(choice(rng, others)), values)


def _sprinkled(rng, values, specials, dtype):
    """Put special values in some places."""
    at = rng.random(values.shape) < choice(rng, (0, 0.03, 0.2))
    with np.errstate(over="ignore"):
        chosen = np.array(specials).astype(dtype)[rng.integers(0, len(specials), values.shape)]
        return np.where(at, chosen, values.astype(dtype))


class GuardedNumPy:
    """NumPy whose new arrays have a guard behind them, for the modules that make results and sums."""

    empty = staticmethod(guarded.empty)

    def __getattr__(self, name):
        return getattr(np, name)


class GuardedRoom:
    """Scratch that ends at a guard, and holds NaN at first."""

    def of(self, size):
        """Return scratch of a size, which is a multiple of what vectors are aligned to."""
        memory = guarded.empty(size, np.uint8)
        return threads.Scratch(memory, memory.ctypes.data, size)


def main(path, first, count):
    """Call configurations, and say which of them are wrong."""
    arrays.np = fused.np = GuardedNumPy()
    threads.room = GuardedRoom()
    file, wrong = os.open(path, os.O_RDWR | os.O_CREAT), 0
    for number in range(first, first + count):
        configuration = Configuration(number)
        os.pwrite(file, repr(configuration).encode().ljust(4000), 0)
        threads.SERIAL = 1 if configuration.threads > 1 else 1 << 16
        threads.threads.count = configuration.threads
        try:
            configuration.check()
        except Exception:
            wrong += 1
            if wrong <= 20:
                print(f"{configuration}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
    os.close(file)
    sys.exit(f"{wrong} of {count} configurations are wrong" if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
