"""The interval of a median that needs no distribution, and that of a product of two numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Interval = tuple[float, float]


def rank(count: int, level: float) -> int:
    """The rank, from either end of ``count`` ordered values, between which the median lies.

    The number of values below the median is binomial with p = 1/2, so the values of rank r from
    below and from above hold it with probability 1 − 2·P(B < r) (David and Nagaraja, Order
    Statistics, 2003, section 7.1). That holds for every distribution; where values are equal the
    probability is larger.

    Args:
        count: how many independent values, at least 0.
        level: the least probability, 0 to 1.

    Returns:
        The highest rank, from 1; 0 if even the least and the most value hold it less often.

    >>> rank(20, 0.95), rank(6, 0.95), rank(5, 0.95)
    (6, 1, 0)
    """
    below = 0  # of the 2^count ways in which values lie around the median, those outside
    for at in range(1, count // 2 + 1):
        below += math.comb(count, at - 1)
        if 1 - 2 * below / (1 << count) < level:
            return at - 1
    return count // 2


def coverage(count: int, at: int) -> float:
    """How often the values of rank ``at`` from both ends hold the median, 0 to 1.

    Args:
        count: how many independent values.
        at: the rank, from 1; 0 for no interval, which holds it never.

    >>> coverage(5, 1)
    0.9375
    """
    if at < 1:
        return 0.0
    outside: int = 2 * sum(math.comb(count, below) for below in range(at))
    return 1 - outside / (1 << count)


def around_median(values: Sequence[float], level: float) -> Interval | None:
    """The values between which the median lies with probability ``level`` at least.

    Args:
        values: independent, in one unit, in any order; infinite for later than all.
        level: the least probability, 0 to 1.

    Returns:
        Low and high end, in the values' unit; None if there are too few values.
    """
    at = rank(len(values), level)
    ordered = sorted(values)
    return (ordered[at - 1], ordered[-at]) if at else None


def product(first: float, second: float, of_first: Interval, of_second: Interval) -> Interval:
    """The interval of the product of two numbers that were estimated independently.

    In logarithms the product is a sum, and the distances from a sum to the ends of its interval are
    those of its parts, added as squares (Zou and Donner, Construction of confidence limits about
    effect measures, Stat. Med. 2008). Its level is that of the intervals it is made of; of two
    levels about the lower.

    Args:
        first: above zero.
        second: above zero.
        of_first: its low and high end, above zero; the high end may be infinite.
        of_second: the other's, likewise.

    Returns:
        Low and high end, in the unit of the product.
    """
    middle = first * second
    below = math.hypot(math.log(first / of_first[0]), math.log(second / of_second[0]))
    above = math.hypot(math.log(of_first[1] / first), math.log(of_second[1] / second))
    return middle * math.exp(-below), middle * math.exp(above)
