"""Numbers for people: the one place where a number becomes text that is read, not computed with.

:mod:`trainscape.numeric` is the other way round.
"""

from __future__ import annotations

import math

SUFFIXES = ((1e6, "M"), (1e3, "k"))
SCIENTIFIC = 1e-3, 1e9  # below the one and from the other on, powers of ten are shorter
EXACT = 1e4  # below it a whole part is written out
LARGE = 1e4  # percent: one's own metric may be a fraction by name alone
UNITS = ((1e-3, 1e-6, "µs"), (1, 1e-3, "ms"), (100, 1, "s"), (6000, 60, "min"))


def number(value: float, digits: int = 3) -> str:
    """A number in as few characters as possible, whatever its size.

    Args:
        value: any float, also one that is not finite.
        digits: that are shown at least where the number has them; a whole part below 10,000 is
            always written out.

    >>> [number(x) for x in (0.00316, 1e-4, 1250, 12_500, 3.1e6, 1e30, -999.9, float("inf"))]
    ['0.00316', '1e-4', '1250', '12.5k', '3.1M', '1e30', '-1000', 'inf']
    """
    if not math.isfinite(value):
        return str(value)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    rounded = float(f"{mantissa}e{exponent}")
    low, high = SCIENTIFIC
    if not rounded:
        return "0"
    if not low <= abs(rounded) < high:
        return f"{_short(mantissa)}e{int(exponent)}"
    if abs(rounded) < EXACT:
        whole = abs(rounded) >= 1000 or digits <= int(exponent)
        return f"{value:.0f}" if whole else _short(f"{rounded:.{digits - 1 - int(exponent)}f}")
    size, suffix = next(pair for pair in SUFFIXES if abs(rounded) >= pair[0])
    return _short(f"{rounded / size:.{digits}f}") + suffix


def in_unit(value: float, unit: str, *, named: bool = False) -> str:
    """A metric's value: a fraction in percent with one decimal, else three digits.

    Args:
        value: in its unit.
        unit: ``fraction`` (0 to 1), or the unit's name; empty for none.
        named: whether the unit is said.

    >>> in_unit(0.98765, "fraction"), in_unit(0.98765, "fraction", named=True)
    ('98.8', '98.8%')
    >>> in_unit(0.01234, "nats", named=True), in_unit(1e5, "fraction")
    ('0.0123 nats', '10M')
    """
    if unit == "fraction":
        percent = 100 * value
        text = f"{percent:.1f}" if abs(percent) < LARGE else number(percent)
        return text + ("%" if named else "")
    return number(value) + (f" {unit}" if named and unit else "")


def duration(seconds: float) -> str:
    """Seconds in a fitting unit.

    >>> [duration(x) for x in (310e-6, 0.84, 192, 7200, 1e30)]
    ['310 µs', '840 ms', '3.2 min', '2 h', '2.78e26 h']
    """
    for limit, size, unit in UNITS:
        if abs(seconds) < limit:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds / 3600)} h"


def roughly(seconds: float) -> str:
    """A span of time as a guess is told: one unit, one or two digits.

    >>> roughly(42), roughly(170), roughly(9000), roughly(1e7), roughly(1e30)
    ('40 s', '3 min', '2.5 h', '116 days', '1.16e25 days')
    """
    if seconds < 90:
        return f"{max(round(seconds, -1 if seconds >= 15 else 0), 1):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 72 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{number(seconds / 86400)} days"


def hundredths(value: float) -> str:
    """A number with two decimals and a real minus.

    >>> hundredths(-0.349), hundredths(-0.0012)
    ('−0.35', '0.00')
    """
    text = f"{abs(value):.2f}"
    return f"−{text}" if value < 0 and float(text) else text


def _short(text: str) -> str:
    """Decimals without the zeros at their end."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(number: int, word: str) -> str:
    """A number of things in words.

    >>> counted(1, "cell"), counted(1200, "cell")
    ('1 cell', '1,200 cells')
    """
    return f"{number:,} {word}" + "s" * (number != 1)
