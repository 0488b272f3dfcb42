"""The losses once more, written from their definitions for the benches alone: the reference for all results.

Plain arithmetic on float64 arrays or on mpmath numbers of 50 digits. Each result has a scale, the sum of the absolute
values of its terms: rounding the terms limits the accuracy of the result.
"""

from typing import Any, NamedTuple

from bench.cases import LOSSES


class Truth(NamedTuple):
    """A loss and its slope, each with its scale."""

    loss: Any
    slope: Any
    loss_scale: Any
    slope_scale: Any


def truth(name: str, y: Any, p: Any, q: Any, a: Any, b: Any, log1p: Any, maximum: Any) -> Truth:
    """Return loss and d(loss)/d(logit) of label y, with p = sigmoid(z), q = sigmoid(-z), a = -log p, b = -log q."""
    loss = LOSSES[name]
    entropy, pull, scale = y * a + (1 - y) * b, (1 - y) * p - y * q, (1 - y) * p + y * q
    options = loss.options
    if loss.kind == "BinaryCrossentropy":
        c = options.get("pos_weight", 1)
        entropy, up, down = c * y * a + (1 - y) * b, (1 - y) * p, c * y * q
        return Truth(entropy, up - down, entropy, up + down)
    if loss.kind == "PolyBinaryCrossentropy":
        wrong = y * q + (1 - y) * p
        bend = options["epsilon_1"] * (1 - 2 * y) * p * q
        return Truth(entropy + options["epsilon_1"] * wrong, pull + bend, entropy + wrong, scale + p * q)
    if loss.kind == "BinaryFocalCrossentropy":
        gamma, wrong = options["gamma"], y * q + (1 - y) * p
        bend, weight = gamma * wrong ** (gamma - 1) * (1 - 2 * y) * p * q * entropy, wrong**gamma
        return Truth(weight * entropy, weight * pull + bend, weight * entropy, weight * scale + abs(bend))
    gamma_pos, gamma_neg, margin = options["gamma_pos"], options["gamma_neg"], options["margin"]
    m = maximum(p - margin, 0)
    c = -log1p(-m)
    positive, negative = q**gamma_pos * a, m**gamma_neg * c
    down = q**gamma_pos * (gamma_pos * p * a + q)
    up = m ** (gamma_neg - 1) * p * q * (gamma_neg * c + m / (1 - m))
    # p - margin has the rounding error of p and margin, not of their difference; these terms are its effect.
    shaken = (p + margin) * m ** (gamma_neg - 1) * (gamma_neg * c + m / (1 - m)) if margin else 0
    bent = (p + margin) * (gamma_neg + 1) ** 2 * m ** (gamma_neg - 1) * p * q / (1 - m) ** 2 if margin else 0
    return Truth(
        y * positive + (1 - y) * negative,
        (1 - y) * up - y * down,
        y * positive + (1 - y) * (negative + shaken),
        y * down + (1 - y) * (up + bent),
    )
