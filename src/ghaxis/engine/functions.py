"""exp, log and sin over lanes, written with the arithmetic every machine has, so that all machines give the same numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ghaxis.engine.values import Value, alike, fma, scalar_of, when


@dataclass(frozen=True)
class Format:
    """How numbers of one type are made, and how many terms of a series they see.

    `digits` bits stand below the leading one. `ln2` and `quarter` (pi/2) come in parts, all but the last with room for a factor.
    `odd` and `even` are every second term of log((1 + s)/(1 - s)) in s^2, as fitted for fdlibm (Sun Microsystems, 1993).
    """

    whole: str
    digits: int
    bias: int
    exponents: tuple[float, float]  # where exp is cut
    terms: int  # of exp: in fours, and one more
    ln2: tuple[float, float]
    sqrt_half: int  # the bits of sqrt(1/2)
    odd: tuple[float, ...]
    even: tuple[float, ...]
    quarter: tuple[float, float, float]
    sines: int
    cosines: int

    @property
    def magic(self) -> float:
        """Adding it rounds to a whole number and leaves that in the low bits."""
        return 1.5 * 2.0**self.digits


DOUBLE = Format(
    whole="i64",
    digits=52,
    bias=1023,
    exponents=(-708.0, 708.0),
    terms=13,
    ln2=(6.93147180369123816490e-01, 1.90821492927058770002e-10),
    sqrt_half=0x3FE6A09E667F3BCD,
    odd=(3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01),
    even=(6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01),
    quarter=(1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21),
    sines=7,
    cosines=9,
)
SINGLE = Format(
    whole="i32",
    digits=23,
    bias=127,
    exponents=(-87.0, 88.0),
    terms=8,
    ln2=(6.9313812256e-01, 9.0580006145e-06),
    sqrt_half=0x3F3504F3,
    odd=(4.0000972152e-01, 2.4279078841e-01),
    even=(6.6666662693e-01, 2.8498786688e-01),
    quarter=(1.5703125, 4.837512969970703125e-04, 7.54978995489188216e-08),
    sines=4,
    cosines=6,
)


def _format(a: Value) -> Format:
    return DOUBLE if scalar_of(a.type) in ("double", DOUBLE.whole) else SINGLE


def bits(a: Value) -> Value:
    """The same bits as whole numbers, or back."""
    whole, scalar = _format(a).whole, scalar_of(a.type)
    real = "double" if whole == DOUBLE.whole else "float"
    kind = alike(a.type, real if scalar == whole else whole)
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
    """e^x within 1 ulp or so; arguments are cut at +-708 (of a float at -87 and 88)."""
    made = _format(x)
    least, most = made.exponents
    x = when(x < least, least, x)
    x = when(x > most, most, x)
    shifted = fma(x, 1.0 / math.log(2.0), made.magic)
    n = shifted - made.magic
    r = fma(n, -made.ln2[1], fma(n, -made.ln2[0], x))
    c = [1.0 / math.factorial(i) for i in range(made.terms)]
    r2 = r * r
    pairs = [fma(r, c[i + 1], c[i]) for i in range(0, made.terms - 1, 2)]
    r4 = r2 * r2
    fours = [fma(pairs[i + 1], r2, pairs[i]) for i in range(0, len(pairs), 2)]
    p = fma(r4, c[-1], fours.pop()) if made.terms % 2 else fours.pop()
    while fours:
        p = fma(p, r4, fours.pop())
    return bits(bits(p) + shift(bits(shifted), made.digits))


def log(x: Value) -> Value:
    """The natural logarithm of a positive normal number within 1 ulp; what is not a number stays so."""
    made = _format(x)
    one, mantissa = made.bias << made.digits, (1 << made.digits) - 1
    u = bits(x) + (one - made.sqrt_half)  # the mantissa comes to lie in [sqrt(1/2), sqrt(2))
    n = bits(shift(u, -made.digits) | (made.bias + made.digits << made.digits)) - (2.0**made.digits + made.bias)
    f = bits((u & mantissa) + made.sqrt_half) - 1.0
    s = f / (f + 2.0)
    z = s * s
    w = z * z
    odd, even = w * polynomial(w, made.odd), z * polynomial(w, made.even)
    half = f * f * 0.5
    tail = fma(n, made.ln2[1], s * (half + (odd + even)))
    return when(x.same(x), fma(n, made.ln2[0], f - (half - tail)), x)


def sine(x: Value, quarters: int = 0) -> Value:
    """sin(x + quarters pi/2) for |x| below some 1e6 (of a float some 1e4)."""
    made = _format(x)
    shifted = fma(x, 2.0 / math.pi, made.magic)
    n = shifted - made.magic
    r = x
    for part in made.quarter:
        r = fma(n, -part, r)
    z = r * r
    odd = fma(r * z, polynomial(z, [(-1.0) ** (i + 1) / math.factorial(2 * i + 3) for i in range(made.sines)]), r)
    even = polynomial(z, [(-1.0) ** i / math.factorial(2 * i) for i in range(made.cosines)])
    turn = bits(shifted) + quarters
    out = bits(when((turn & 1).same(1), even, odd))
    return bits(turn.code.binary("xor", out, shift(turn & 2, int(made.whole[1:]) - 2)))
