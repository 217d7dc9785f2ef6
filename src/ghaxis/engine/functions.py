"""exp, log and sin over lanes, written with the arithmetic every machine has, so that all machines give the same numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ghaxis.engine.values import Value, fma, when

_MAGIC = 6755399441055744.0  # 1.5 x 2^52: adding it rounds to a whole number and leaves that in the low bits
_LN2 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)  # in two parts, the first with room for a factor
_QUARTER = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)  # pi/2, likewise in three
_SQRT_HALF = 0x3FE6A09E667F3BCD  # bits of sqrt(1/2)
_ONE = 0x3FF0000000000000
_MANTISSA = 0x000FFFFFFFFFFFFF
# The series of log((1 + s)/(1 - s)) in s^2, as fitted for fdlibm (Sun Microsystems, 1993), every second term
_ODD = (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01)
_EVEN = (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01)


def bits(a: Value) -> Value:
    """The same bits as whole numbers, or back."""
    kind = a.type.replace("double", "i64") if "double" in a.type else a.type.replace("i64", "double")
    return a.code.emit(kind, f"bitcast {a.type} {a.name} to {kind}")


def shift(a: Value, places: int) -> Value:
    """Whole numbers shifted to the left (or, negative, to the right, logically)."""
    return a.code.emit(a.type, f"{'shl' if places > 0 else 'lshr'} {a.type} {a.name}, {a.code.number(a.type, abs(places)).name}")


def polynomial(x: Value, coefficients: Sequence[float]) -> Value:
    """coefficients[0] + coefficients[1] x + ..."""
    out = x.code.number(x.type, coefficients[-1])
    for c in coefficients[-2::-1]:
        out = fma(out, x, c)
    return out


def exp(x: Value) -> Value:
    """e^x within 1 ulp or so; arguments are cut at +-708."""
    x = when(x < -708.0, -708.0, x)
    x = when(x > 708.0, 708.0, x)
    shifted = fma(x, 1.0 / math.log(2.0), _MAGIC)
    n = shifted - _MAGIC
    r = fma(n, -_LN2[1], fma(n, -_LN2[0], x))
    c = [1.0 / math.factorial(i) for i in range(13)]
    r2 = r * r
    pairs = [fma(r, c[i + 1], c[i]) for i in range(0, 12, 2)]
    r4 = r2 * r2
    low, middle, high = (fma(pairs[i + 1], r2, pairs[i]) for i in (0, 2, 4))
    p = fma(fma(fma(r4, c[12], high), r4, middle), r4, low)
    return bits(bits(p) + shift(bits(shifted), 52))


def log(x: Value) -> Value:
    """The natural logarithm of a positive normal number within 1 ulp; what is not a number stays so."""
    u = bits(x) + (_ONE - _SQRT_HALF)  # the mantissa comes to lie in [sqrt(1/2), sqrt(2))
    n = bits(shift(u, -52) | 0x4330000000000000) - (2.0**52 + 1023.0)
    f = bits((u & _MANTISSA) + _SQRT_HALF) - 1.0
    s = f / (f + 2.0)
    z = s * s
    w = z * z
    odd, even = w * polynomial(w, _ODD), z * polynomial(w, _EVEN)
    half = f * f * 0.5
    tail = fma(n, _LN2[1], s * (half + (odd + even)))
    return when(x.same(x), fma(n, _LN2[0], f - (half - tail)), x)


def sine(x: Value, quarters: int = 0) -> Value:
    """sin(x + quarters pi/2) for |x| below some 1e6."""
    shifted = fma(x, 2.0 / math.pi, _MAGIC)
    n = shifted - _MAGIC
    r = x
    for part in _QUARTER:
        r = fma(n, -part, r)
    z = r * r
    odd = fma(r * z, polynomial(z, [(-1.0) ** (i + 1) / math.factorial(2 * i + 3) for i in range(7)]), r)
    even = polynomial(z, [(-1.0) ** i / math.factorial(2 * i) for i in range(9)])
    turn = bits(shifted) + quarters
    out = bits(when((turn & 1).same(1), even, odd))
    return bits(turn.code.binary("xor", out, shift(turn & 2, 62)))
