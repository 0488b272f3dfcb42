"""The maths of the family, once: loss, slope and curvature of one prediction and one label.

A formula returns three numbers together because they share one exponential: the loss and its first and second
derivative with respect to the prediction. It is a closure over a maths module `m`, a compiler `jit` and a number type
`real`, so NumPy, Numba, JAX and any later compiler run the same lines:

    >>> import numpy as np
    >>> bce = define(np)("logit", "bce")
    >>> loss, slope, curvature = bce(np.array([0.0, 2.0]), np.array([1.0, 0.0]), 0.0, (1.0,))
    >>> loss.round(6).tolist(), slope.round(6).tolist(), curvature.round(6).tolist()
    ([0.693147, 2.126928], [-0.5, 0.880797], [0.25, 0.104994])

A prediction x, logit or probability, is first read into a state: p = P(label 1), q = 1 - p, their costs a = -log p and
b = -log q, what these do when x moves (a', b', a'', b'', and w = p' = -q'), and the bend p'' / p'. From there on a loss
need not know which of the two it was given.

A maths module offers `abs`, `where`, `minimum`, `maximum`, `exp` (asked for x <= 0), `log` and `log1p` (asked for
0 <= x <= 1). Where it has something better than what stands here under @offered, it offers that under the same name.
"""

WHOLE_POWERS = (0, 1, 2, 3, 4)


def spelling(gamma):
    """How u^gamma is computed: as a product where gamma is a small whole number, else by one more exponential."""
    return int(gamma) if gamma in WHOLE_POWERS else "any"


def identity(function):
    """Compiles nothing: the `jit` of drivers that run or trace Python as it stands."""
    return function


def define(m, jit=identity, real=float):
    """Writes the formulas in the words of one maths module.

    Args:
        m: Module or namespace with the functions listed above, on scalars or on arrays.
        jit: Decorator that compiles a function of scalars.
        real: Type of the constants; a compiler of float32 scalars needs float32 constants to stay in float32.

    Returns:
        A function (reading, name, *choices) that returns the formula (x, y, epsilon, constants) -> (loss, slope,
        curvature). Predictions are read as "logit", "probability", "clipped_probability", "clamped_probability" or
        "keras2_probability"; losses are "bce", "unweighted_bce", "poly", "focal" with the spelling of its power, or
        "asymmetric" with the spellings of its two powers and whether it has a margin.
    """
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    huge, largest = real(1e30), real(3e38)
    least, hundred = real(1e-12), real(100)

    def offered(default):
        """What the maths module has under the name of the default, or else the default."""
        return getattr(m, default.__name__, default)

    @offered
    @jit
    def equal(a, b):
        """Whether numbers are the same, of which `==` is not the spelling everywhere."""
        return a == b

    @offered
    @jit
    def cost_of_rest(x):
        """-log(1 - x) for 0 <= x <= 1/2."""
        return zero - m.log1p(-x)

    @offered
    @jit
    def reciprocal(x):
        """1 / x for 1 <= x <= 2."""
        return one / x

    @offered
    @jit
    def quotient(a, b):
        """a / b, both of which may be 0 where the result is not used."""
        return a / b

    @offered
    @jit
    def portion(mass, cost):
        """Mass times cost, where no mass has no share even in an infinite cost."""
        return m.where(equal(mass, zero), zero, mass * cost)

    @offered
    @jit
    def portion_of_cost(mass, cost):
        """The same for a cost that is not negative."""
        return portion(mass, cost)

    @offered
    @jit
    def excess(z, positive, negative):
        """|z| times the mass of the label that z speaks against: what a logit costs beyond the tail."""
        return portion(m.where(z >= zero, negative, positive), m.abs(z))

    @offered
    @jit
    def sides(z):
        """sigmoid(z), sigmoid(-z), of which neither is computed as one less the other, and log1p(exp(-|z|))."""
        e = m.exp(-m.abs(z))
        big = reciprocal(one + e)
        small = e * big
        tail = m.log1p(e)
        right = z >= zero
        return m.where(right, big, small), m.where(right, small, big), tail

    @offered
    @jit
    def clipped(x, low, high):
        """x, but at least low and at most high."""
        return m.maximum(m.minimum(x, high), low)

    @offered
    @jit
    def costs(p, q):
        """-log p and -log q for q = 1 - p."""
        left = p < half
        less = m.minimum(p, q)  # exact: 1 - p loses no digit from 1/2 on
        high, low = zero - m.log(less), cost_of_rest(less)
        return m.where(left, high, low), m.where(left, low, high)

    @offered
    @jit
    def beyond_margin(p, q, margin):
        """u = max(p - margin, 0), 1 - u and -log(1 - u)."""
        u = m.where(p <= margin, zero, p - margin)
        small = u < half
        rest = m.where(small, one - u, q + margin)
        # Lost by the rounding of 1 - u, to be put back to first order.
        lost = m.where(small, (one - rest) - u, zero)
        return u, rest, lost * (rest - two) - m.log(rest)

    @offered
    @jit
    def minus_log_miss(u, y, minus_log_p, minus_log_q):
        """-log u for u = y q + (1 - y) p, which is at hand for a hard label; that also spares the case u = 0."""
        return m.where(equal(y, one), minus_log_q, m.where(equal(y, zero), minus_log_p, zero - m.log(u)))

    # Readings: from a prediction to p, q, a, b, a', b', a'', b'', w, bend; then a logit and the lesser of its costs.

    @jit
    def from_logit(z, epsilon):
        """Both labels cost the tail; the one that the logit speaks against costs |z| more."""
        p, q, tail = sides(z)
        w = p * q
        return p, q, m.maximum(-z, zero) + tail, m.maximum(z, zero) + tail, -q, p, w, w, w, q - p, z, tail

    @jit
    def from_probability(x, epsilon):
        """Clips to [epsilon, 1 - epsilon], as Keras does; the slope beyond is the clipped point's, never zero."""
        p = clipped(x, epsilon, one - epsilon)
        q = one - p
        over_p, over_q = one / p, one / q
        a, b = costs(p, q)
        return p, q, a, b, -over_p, over_q, over_p * over_p, over_q * over_q, one, zero, zero, zero

    @jit
    def from_clamped_probability(x, epsilon):
        """Costs end at 100 and slopes are those of (p - y) / max(p q, 1e-12), as in PyTorch."""
        p, q, a, b, _, _, _, _, w, bend, _, _ = from_probability(x, zero)  # pyright: ignore
        a, b = m.minimum(a, hundred), m.minimum(b, hundred)
        flat = p * q < least
        variance = m.where(flat, least, p * q)
        a2, b2 = m.where(flat, one / least, one / (p * p)), m.where(flat, one / least, one / (q * q))
        return p, q, a, b, -q / variance, p / variance, a2, b2, w, bend, zero, zero

    @jit
    def from_keras2_probability(x, epsilon):
        """Clips, and adds epsilon again, as Keras 2 does: a = -log(p + epsilon), b = -log(q + epsilon)."""
        p, q, _, _, _, _, _, _, w, bend, _, _ = from_probability(x, epsilon)  # pyright: ignore
        over_p, over_q = one / (p + epsilon), one / (q + epsilon)
        left = p < half
        less = m.minimum(p, q)
        high, low = zero - m.log(less + epsilon), cost_of_rest(m.maximum(less - epsilon, zero))
        a, b = m.where(left, high, low), m.where(left, low, high)
        return p, q, a, b, -over_p, over_q, over_p * over_p, over_q * over_q, w, bend, zero, zero

    # Powers: u^gamma and its derivatives, where u' = u1, u'' = u1 * bend and ratio = u1 / u.

    def whole_power(n):
        first, second = real(n), real(n * (n - 1))

        @jit
        def power(u, u1, bend, ratio, minus_log_u, gamma):
            if n == 0:
                return one, zero, zero
            elif n == 1:
                return u, u1, u1 * bend
            else:  # or Triton would look at all three, whose results have different types
                lower = one if n == 2 else u if n == 3 else u * u
                f1 = first * lower * u * u1
                return lower * u * u, f1, second * lower * u1 * u1 + f1 * bend

        return power

    @jit
    def any_power(u, u1, bend, ratio, minus_log_u, gamma):
        """exp(-gamma * -log u) keeps its digits in the tails, and u1 / u in place of u^(gamma-1) never blows up."""
        f = m.exp(-gamma * minus_log_u)
        f1 = gamma * portion(f, ratio)
        return f, f1, portion(f1, (gamma - one) * ratio + bend)

    def power(spelling):
        return any_power if spelling == "any" else whole_power(spelling)

    def family(of_logit, infinite_costs, infinite_slopes, costs_are_logs=True):
        """The losses, from a state and a label to loss, slope and curvature, with guards only where they are needed.

        Args:
            of_logit: Whether the prediction is a logit.
            infinite_costs: Whether one of the two costs can be infinite.
            infinite_slopes: Whether derivatives of costs can be.
            costs_are_logs: Whether a is -log p and b is -log q, and not only nearly.
        """

        @jit
        def cost_portion(mass, cost):
            return portion_of_cost(mass, cost) if infinite_costs else mass * cost

        @jit
        def slope_portion(mass, slope):
            return portion(mass, slope) if infinite_slopes else mass * slope

        @jit
        def product(f, f1, f2, h, h1, h2):
            """Derivatives of f h. Where h or h1 is infinite, the last term rules and the others must not become NaN."""
            bounded, bounded1 = h, h1
            if infinite_costs:
                bounded = m.minimum(h, huge)
            if infinite_slopes:
                bounded1, f2 = m.minimum(m.maximum(h1, -huge), huge), m.maximum(f2, -largest)
            return f * h, f1 * bounded + f * h1, f2 * bounded + two * f1 * bounded1 + f * h2

        @jit
        def entropy(positive, negative, total, state):
            """Masses of the two labels, together `total`, times what the labels cost."""
            _, _, a, b, a1, b1, a2, b2, _, _, z, tail = state
            if of_logit:  # both labels cost at least the tail, and one of them |z| more
                cost = total * tail + excess(z, positive, negative)
            else:
                cost = cost_portion(positive, a) + cost_portion(negative, b)
            slope = slope_portion(positive, a1) + slope_portion(negative, b1)
            curvature = slope_portion(positive, a2) + slope_portion(negative, b2)
            return cost, slope, curvature

        @jit
        def logarithms(state):
            """-log p, -log q, p' / p and q' / q, for powers of p and q."""
            p, q, a, b, a1, b1, _, _, w, _, _, _ = state
            if costs_are_logs:
                return a, b, -a1, -b1
            else:
                return zero - m.log(p), zero - m.log(q), w / p, -w / q

        @jit
        def bce(state, y, constants):
            """c y a + (1 - y) b."""
            (pos_weight,) = constants
            positive, negative = pos_weight * y, one - y
            return entropy(positive, negative, positive + negative, state)

        @jit
        def unweighted_bce(state, y, constants):
            """The same for c = 1, where the masses add up to 1."""
            return entropy(y, one - y, one, state)

        @jit
        def poly(state, y, constants):
            """BCE + epsilon_1 (1 - p_t)."""
            p, q, _, _, _, _, _, _, w, bend, _, _ = state
            (epsilon_1,) = constants
            loss, slope, curvature = entropy(y, one - y, one, state)
            miss, miss1 = y * q + (one - y) * p, (one - two * y) * w
            return loss + epsilon_1 * miss, slope + epsilon_1 * miss1, curvature + epsilon_1 * miss1 * bend

        def focal(gamma_spelling):
            modulate = power(gamma_spelling)

            @jit
            def focal(state, y, constants):
                """(1 - p_t)^gamma BCE, times y alpha + (1 - y) beta."""
                p, q, _, _, _, _, _, _, w, bend, _, _ = state
                alpha, beta, gamma = constants
                h, h1, h2 = entropy(y, one - y, one, state)
                u, u1 = y * q + (one - y) * p, (one - two * y) * w
                minus_log_p, minus_log_q, ratio_p, ratio_q = logarithms(state)
                minus_log_u = minus_log_miss(u, y, minus_log_p, minus_log_q)
                ratio = m.where(equal(y, one), ratio_q, m.where(equal(y, zero), ratio_p, quotient(u1, u)))
                f, f1, f2 = modulate(u, u1, bend, ratio, minus_log_u, gamma)
                loss, slope, curvature = product(f, f1, f2, h, h1, h2)
                balance = y * alpha + (one - y) * beta
                return cost_portion(balance, loss), slope_portion(balance, slope), slope_portion(balance, curvature)

            return focal

        def asymmetric(positive_spelling, negative_spelling, shifted):
            modulate_positive, modulate_negative = power(positive_spelling), power(negative_spelling)

            @jit
            def asymmetric(state, y, constants):
                """y q^g+ a + (1 - y) p_m^g- (-log(1 - p_m)), p_m = max(p - margin, 0)."""
                p, q, a, b, a1, b1, a2, b2, w, bend, _, _ = state
                gamma_pos, gamma_neg, margin = constants
                minus_log_p, minus_log_q, ratio_p, ratio_q = logarithms(state)
                f, f1, f2 = modulate_positive(q, -w, bend, ratio_q, minus_log_q, gamma_pos)
                loss_pos, slope_pos, curvature_pos = product(f, f1, f2, a, a1, a2)
                if shifted:
                    u, rest, h = beyond_margin(p, q, margin)
                    below = p <= margin
                    u1 = m.where(below, zero, w)
                    h1 = u1 / rest
                    ratio = m.where(below, zero, quotient(u1, u))
                    f, f1, f2 = modulate_negative(u, u1, bend, ratio, zero - m.log(u), gamma_neg)
                    loss_neg, slope_neg, curvature_neg = product(f, f1, f2, h, h1, h1 * bend + h1 * h1)
                else:
                    f, f1, f2 = modulate_negative(p, w, bend, ratio_p, minus_log_p, gamma_neg)
                    loss_neg, slope_neg, curvature_neg = product(f, f1, f2, b, b1, b2)
                return (
                    cost_portion(y, loss_pos) + cost_portion(one - y, loss_neg),
                    slope_portion(y, slope_pos) + slope_portion(one - y, slope_neg),
                    slope_portion(y, curvature_pos) + slope_portion(one - y, curvature_neg),
                )

            return asymmetric

        return {"bce": bce, "unweighted_bce": unweighted_bce, "poly": poly, "focal": focal, "asymmetric": asymmetric}

    readings = {
        "logit": (from_logit, family(True, True, False)),
        "probability": (from_probability, family(False, True, True)),
        "clipped_probability": (from_probability, family(False, False, False)),
        "clamped_probability": (from_clamped_probability, family(False, False, False)),
        "keras2_probability": (from_keras2_probability, family(False, False, False, costs_are_logs=False)),
    }

    def formula(reading, name, *choices):
        read, losses = readings[reading]
        loss = losses[name](*choices) if choices else losses[name]

        @jit
        def formula(x, y, epsilon, constants):
            return loss(read(x, epsilon), y, constants)

        return formula

    return formula
