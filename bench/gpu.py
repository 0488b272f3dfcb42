"""The time of the mean loss and its gradient on a GPU, beside PyTorch and beside a copy: `python -m bench.gpu`.

Memory is the limit: a copy is measured in the same rounds, and the share is binxent's bandwidth over the copy's, with
each prediction, label and slope counted once. Without a GPU nothing is saved.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from bench import machine, markdown, store

LARGE, QUICK = 2**28, 2**20
CHUNK = 2**24  # for the reference result, which takes many times the memory


class Row(NamedTuple):
    """A row of the table: the dtypes of predictions and labels."""

    dtype: str
    labels: str


ROWS = (Row("bfloat16", "bfloat16"), Row("bfloat16", "bool"), Row("float16", "float16"), Row("float32", "float32"))
TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 3e-2}


def main(arguments: list[str] | None = None) -> None:
    """Measure every row, save the results and print them as a table."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="few numbers and few rounds; save nothing")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("There is no GPU here: nothing is measured, and saved results stay.", file=sys.stderr)
        return
    size, rounds = (QUICK, 3) if options.quick else (LARGE, 15)
    rows = [measure(row, size, rounds) for row in ROWS]
    if not options.quick:
        about = machine.describe() | {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
        store.save("gpu", {"machine": about, "results": {"default": rows}})
    print(table(rows))


def measure(row: Row, size: int, rounds: int) -> dict[str, Any]:
    """Return the milliseconds of every contender for a row, and their gigabytes per second."""
    import torch

    x, y = arrays(row, size)
    exact = right_answer(x, y)
    calls: dict[str, Callable[[], Any]] = {"copy": partial(torch.empty_like(x).copy_, x)}
    for name, function in functions(row).items():
        calls[name] = partial(value_and_gradient, function, x.detach().requires_grad_(), y)
        check(name, row, calls[name](), exact)
    times = take_turns(calls, rounds)
    moved = dict.fromkeys(calls, x.nbytes + y.nbytes + x.nbytes) | {"copy": 2 * x.nbytes}
    return {
        **row._asdict(),
        "size": size,
        "milliseconds": times,
        "gigabytes_per_second": {name: round(1e-6 * moved[name] / times[name]["median"], 3) for name in calls},
    }


def arrays(row: Row, size: int) -> tuple[Any, Any]:
    """Return predictions and labels, the same each time."""
    import torch

    torch.manual_seed(0)
    x = 3 * torch.randn(size, dtype=getattr(torch, row.dtype), device="cuda")
    y = torch.empty(size, dtype=getattr(torch, row.labels), device="cuda").bernoulli_(0.3)
    return x, y


def functions(row: Row) -> dict[str, Callable[..., Any]]:
    """Return the contenders by name; PyTorch's own loss requires labels of a float dtype."""
    import torch

    from binxent.torch import binary_cross_entropy_with_logits

    plain = torch.nn.functional.binary_cross_entropy_with_logits
    if row.labels == "bool":
        return {"binxent": binary_cross_entropy_with_logits}
    compiled = torch.compile(plain, dynamic=False, fullgraph=True)
    return {"binxent": binary_cross_entropy_with_logits, "torch.compile": compiled, "torch eager": plain}


def value_and_gradient(function: Callable[..., Any], x: Any, y: Any) -> tuple[Any, Any]:
    """Return the mean and its gradient."""
    import torch

    mean = function(x, y)
    return mean.detach(), *torch.autograd.grad(mean, x)


def right_answer(x: Any, y: Any) -> tuple[float, Any]:
    """Return the mean in float64, and the first slopes of the sum."""
    import torch

    total = 0.0
    for logits, labels in zip(x.split(CHUNK), y.split(CHUNK), strict=True):
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits.double(), labels.double(), reduction="sum")
        total += losses.item()
    first = slice(0, 2**16)
    return total / x.numel(), x[first].double().sigmoid() - y[first].double()


def check(name: str, row: Row, got: tuple[Any, Any], exact: tuple[float, Any]) -> None:
    """Raise if a contender is wrong: wrong results are not timed."""
    import torch

    value, gradient = got
    size, tolerance = gradient.numel(), TOLERANCE[row.dtype]
    # The gradient of a mean of many is small: in float16 it may be a single step away from zero.
    step = torch.finfo(gradient.dtype).smallest_normal * torch.finfo(gradient.dtype).eps * size
    slopes = gradient[: exact[1].numel()].double() * size
    error = abs(value.item() - exact[0]) / exact[0], (slopes - exact[1]).abs().max().item() - step
    if not max(error) <= tolerance:
        raise AssertionError(f"{name} is wrong by {max(error):.1e} (at most {tolerance:.0e} is allowed) in {row}")


def take_turns(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Return median and quartiles for each call, by the GPU's clock. In each round every call is timed once."""
    import torch

    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()  # replaces the data of the last contender in the caches
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            start.record()
            call()
            end.record()
            torch.cuda.synchronize()
            times[name].append(start.elapsed_time(end))
    return {
        name: dict(
            zip(("low", "median", "high"), (round(cut, 4) for cut in statistics.quantiles(taken, n=4)), strict=True)
        )
        for name, taken in times.items()
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Format the medians, and binxent's share of the bandwidth of a copy."""
    names = list(rows[0]["milliseconds"])
    body = []
    for row in rows:
        medians = {name: times["median"] for name, times in row["milliseconds"].items()}
        speed = row["gigabytes_per_second"]
        body.append(
            (
                f"{row['dtype']}, {row['labels']} labels",
                *(markdown.three_digits(medians[name]) if name in medians else "" for name in names),
                f"{speed['binxent'] / speed['copy']:.0%}",
            )
        )
    return markdown.table(("milliseconds", *names, "share of the copy's bandwidth"), body)


if __name__ == "__main__":
    main()
