"""Losses that are not of the family, as a user would define them: a dataclass and a formula each."""

from dataclasses import dataclass

from binxent.losses import LINEAR, ElementwiseLoss, formula


@formula("limit", in_label=LINEAR)
def hill(f):
    """y a + (1 - y) (limit - p) p^2: Zhang et al., "Simple and Robust Loss Design for Multi-Label Learning", 2021."""
    one, two, three = f.one, f.two, f.number(3)
    cost_share, slope_share = f.cost_share, f.slope_share

    @f.jit
    def hill(state, label, constants):
        probabilities, costs, slopes, curvatures, change, _ = state
        p, q = probabilities
        a, _ = costs
        a1, _ = slopes
        a2, _ = curvatures
        w, bend = change
        y, not_y = label
        (limit,) = constants
        # Of 1 - p, not of p: the differences keep their digits where p is next to 1.
        limit_less_p, rise = (limit - one) + q, two * (limit - three / two) + three * q
        negative, negative1 = limit_less_p * p * p, rise * p * w
        rise1 = rise - three * p
        return (
            cost_share(y, a) + not_y * negative,
            slope_share(y, a1) + not_y * negative1,
            slope_share(y, a2) + not_y * (rise1 * w * w + rise * p * w * bend),
        )

    return hill


@dataclass(frozen=True, eq=False)
class HillLoss(ElementwiseLoss):
    """Hill loss, whose negatives cost less again where p is next to 1, for they may be mislabelled."""

    limit: float | tuple[float, ...] = 1.5

    def define(self):
        return (hill,), (self.limit,)


def squared_in_label(m, a, b, y, constants):
    """(p - y)^2, p = exp(-a)."""
    return (m.exp(-a) - y) * (m.exp(-a) - y)


@formula(in_label=squared_in_label)
def squared(f):
    """(p - y)^2."""
    two = f.two

    @f.jit
    def squared(state, label, constants):
        probabilities, _, _, _, change, _ = state
        p, q = probabilities
        w, bend = change
        y, not_y = label
        error = not_y * p - y * q
        return error * error, two * error * w, two * w * w + two * error * w * bend

    return squared


@dataclass(frozen=True, eq=False)
class SquaredError(ElementwiseLoss):
    """The Brier score of an element, which is not linear in the label."""

    def define(self):
        return (squared,), ()


def undeclared(f):
    """Return the same formula, without the declaration of how it depends on the label."""
    return squared(f)


@dataclass(frozen=True, eq=False)
class Undeclared(ElementwiseLoss):
    """A loss whose formula does not say how it depends on the label."""

    def define(self):
        return (undeclared,), ()


@formula(in_label=LINEAR)
def scaled(f, count):
    """BCE times 1 plus the sum of any number of constants."""
    one, entropy = f.one, f.entropy

    @f.jit
    def scaled(state, label, constants):
        y, not_y = label
        loss, slope, curvature = entropy(y, not_y, one, state)
        scale = one
        if count > 0:
            scale = scale + constants[0]
        if count > 1:
            scale = scale + constants[1]
        if count > 2:
            scale = scale + constants[2]
        if count > 3:
            scale = scale + constants[3]
        return loss * scale, slope * scale, curvature * scale

    return scaled


@dataclass(frozen=True, eq=False)
class Scaled(ElementwiseLoss):
    """Binary cross-entropy times 1 plus the sum of its constants, of which there may be any number."""

    constants: tuple = ()

    def define(self):
        return (scaled, len(self.constants)), tuple(self.constants)


@formula("level", in_label=LINEAR)
def flat(f, is_one):
    """The same for every prediction and label: results are parts as they are, without the shape of a prediction."""
    one, zero = f.one, f.zero

    @f.jit
    def flat(state, y, constants):
        return one if is_one else constants[0], zero, zero

    return flat


@dataclass(frozen=True, eq=False)
class Flat(ElementwiseLoss):
    """A constant loss."""

    level: float | tuple[float, ...] = 1.0

    def define(self):
        return (flat, self.level == 1), (self.level,)
