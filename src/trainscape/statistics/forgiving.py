"""How forgiving an optimizer is: what happens beside its best rate."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from trainscape.statistics.best import DIGITS
from trainscape.statistics.draws import resampled

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

SLACK = 1e-12


@dataclass(frozen=True)
class Basin:
    """The rates that are as good as the best, within a margin.

    Args:
        decades: log10 of the highest of these rates over the lowest.
        low: the lowest.
        high: the highest.
        open_low: the grid ends before the basin does, at low rates: it may be wider.
        open_high: the same at high rates.
    """

    decades: float
    low: float
    high: float
    open_low: bool
    open_high: bool


def basin(means: Floats, lr: Floats, margin: float, sign: int = 1) -> Basin | None:
    """How far the rate may be off: the stretch around the best rate that is within the margin.

    Between a rate that is within and its neighbour that is not, the metric is taken to be straight
    over log lr. Towards a neighbour that diverged the basin ends at the last rate that is within:
    where trials begin to diverge is not known. (Here: the width of "learning rate sensitivity" at
    one height; compare Wortsman et al., arXiv 2309.14322, section 2.2.)

    Args:
        means: of each rate, (R,), NaN where trials diverged.
        lr: the rates, rising, (R,).
        margin: in the metric's unit.
        sign: 1 where more is better, −1 where less is.

    Returns:
        None where no rate has a mean.
    """
    if not np.isfinite(means).any():
        return None
    (low,), (high,), (open_low,), (open_high,) = _ends(means[None], np.log10(lr), margin, sign)
    return Basin(
        float(high - low), 10 ** float(low), 10 ** float(high), bool(open_low), bool(open_high)
    )


def _ends(
    means: Floats, rates: Floats, margin: float, sign: int
) -> tuple[Floats, Floats, Flags, Flags]:
    """Both ends of the basin of each curve, as log rates, and whether the grid ends there; (N,).

    Args:
        means: (N, R), at least one of each curve not NaN.
        rates: log10 of the rates, rising, (R,).
        margin: in the metric's unit.
        sign: 1 where more is better, −1 where less is.
    """
    lag = np.nanmax(sign * means, axis=1, keepdims=True) - sign * means
    top = np.nanargmin(lag, axis=1)[:, None]
    place, last = np.arange(len(rates)), len(rates) - 1
    outside = ~(lag <= margin + SLACK)  # NaN, too
    before = np.where(outside & (place < top), place, -1).max(1)
    after = np.where(outside & (place > top), place, last + 1).min(1)
    ends = []
    for beside, turn in ((before, -1), (after, 1)):
        at = beside - turn
        beyond = np.clip(beside, 0, last)
        here, there = (np.take_along_axis(lag, k[:, None], 1)[:, 0] for k in (at, beyond))
        with np.errstate(invalid="ignore", divide="ignore"):
            part = (margin - here) / (there - here)
        reach = np.where((at != beyond) & np.isfinite(there), np.maximum(part, 0.0), 0.0)
        ends.append(rates[at] + reach * (rates[beyond] - rates[at]))
    return ends[0], ends[1], before < 0, after > last


def basins(means: Floats, lr: Floats, margin: float, sign: int = 1) -> list[Basin | None]:
    """The basin at each batch size, each rate with its best schedule.

    Args:
        means: (B, H, R): batch sizes, schedules, rates; NaN where trials diverged.
        lr: rising, (R,).
        margin: in the metric's unit.
        sign: 1 where more is better, −1 where less is.
    """
    return [basin(row, lr, margin, sign) for row in _best_schedule(means, sign)]


def resampled_widths(
    values: Floats, lr: Floats, margin: float, draw: np.random.Generator, sign: int = 1
) -> Floats:
    """The basin's decades if the seeds were others: of each resample, each rate's best schedule.

    Args:
        values: (S, H, R): seeds, schedules, rates; a cell with NaN has no value in any resample.
        lr: rising, (R,).
        margin: in the metric's unit.
        draw: random numbers.
        sign: 1 where more is better, −1 where less is.

    Returns:
        (RESAMPLES,); zeros where no rate has a mean.
    """
    able = np.where(np.isfinite(values).all(0), values, np.nan)
    best = _best_schedule(resampled(able[:, None], draw)[:, 0], sign)
    if not np.isfinite(best).any():
        return np.zeros(len(best))
    low, high, _, _ = _ends(best, np.log10(lr), margin, sign)
    return high - low


def _best_schedule(means: Floats, sign: int) -> Floats:
    """The best over schedules of means (N, H, R): (N, R), NaN where no schedule has one."""
    best = sign * np.where(np.isnan(means), -np.inf, sign * means).max(1)
    return np.where(np.isfinite(best), best, np.nan)


@dataclass(frozen=True)
class Sensitivity:
    """How much loss a wrong rate costs.

    Args:
        value: the mean over the rates of min(loss, loss at the start) − the best loss.
        decades: how many decades of rates it is taken over; 2 where the grid is wide enough.
    """

    value: float
    decades: float


def sensitivity(
    losses: Floats, lr: Floats, initial: float | None = None, reach: float = 1.0
) -> Sensitivity | None:
    """Learning rate sensitivity: the mean over rates of min(ℓ(η), ℓ₀) − ℓ*.

    Wortsman et al., Small-scale proxies for large-scale Transformer training instabilities (arXiv
    2309.14322, section 2.2), over a decade to either side of the best rate. The mean is that of the
    line through the rates over log lr, so that finer grids give the same; where the grid ends
    earlier, it is over fewer decades.

    Args:
        losses: of each rate, (R,), NaN where trials diverged: these count as ℓ₀.
        lr: rising, (R,).
        initial: ℓ₀, the loss of a constant prediction; without it, the worst finite loss.
        reach: decades to either side.

    Returns:
        None where no rate has a loss, or one rate alone is near.
    """
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return None
    start = float(finite.max()) if initial is None else initial
    capped = np.where(np.isfinite(losses), np.minimum(losses, start), start)
    best = float(capped.min())
    rates = np.log10(lr)
    middle = float(rates[int(capped.argmin())])
    low, high = max(middle - reach, float(rates[0])), min(middle + reach, float(rates[-1]))
    if high - low < SLACK:
        return None
    inner = rates[(rates > low + SLACK) & (rates < high - SLACK)]
    points = np.concatenate([[low], inner, [high]])
    area = float(np.trapezoid(np.interp(points, rates, capped) - best, points))
    return Sensitivity(area / (high - low), high - low)


def expected_best(values: ArrayLike, draws: int, sign: int = 1, missing: float = np.nan) -> float:
    """The mean of the best of k cells drawn at random from a grid, without replacement: exact.

    Σ v₍ᵢ₎·C(i − 1, k − 1)/C(n, k) over values sorted from the worst. The plug-in estimate of Dodge
    et al. (Show your work, EMNLP 2019) draws with replacement and is biased; this one is not (Tang
    et al., Showing your work doesn't always work, ACL 2020).

    Args:
        values: of the cells, (n,); NaN where trials diverged.
        draws: k, from 1 to n.
        sign: 1 where more is better, −1 where less is.
        missing: what NaN counts as, such as the metric of a constant prediction.

    Raises:
        ValueError: there are fewer than k cells.
    """
    found = np.asarray(values, dtype=np.float64).ravel()
    found = np.where(np.isnan(found), missing, found)
    count = len(found)
    if not 1 <= draws <= count:
        raise ValueError(f"{draws} of {count} cells cannot be drawn")
    ranked = found[np.argsort(np.where(np.isnan(found), -np.inf, sign * found))]
    ways = comb(count, draws)
    weights = np.array([comb(i, draws - 1) / ways for i in range(count)])
    used = weights > 0  # a value that cannot be the best of k may be unknown
    return float(weights[used] @ ranked[used])


@dataclass(frozen=True)
class Safe:
    """The rate that is least bad at its worst.

    Args:
        lr: the rate.
        worst: its worst mean over batch sizes and schedules.
        batch: index of the batch size where that is.
        schedule: index of the schedule.
    """

    lr: float
    worst: float
    batch: int
    schedule: int


def safe_rate(means: Floats, lr: Floats, sign: int = 1) -> Safe | None:
    """The rate with the best worst case over all batch sizes and schedules.

    Of rates with equal worst cases, the one with the better mean, then the lowest.

    Args:
        means: (B, H, R); NaN where trials diverged, and then the rate is not safe.
        lr: (R,).
        sign: 1 where more is better, −1 where less is.

    Returns:
        None where every rate has a cell that diverged.
    """
    scores = _scores(means, sign)
    worst = worst_cases(means, sign)
    if not worst:
        return None

    def rank(rate: int) -> tuple[float, float, float]:
        own = scores[..., rate]
        return -float(own[worst[rate]]), -round(float(own.mean()), DIGITS), float(lr[rate])

    rate = min(worst, key=rank)
    return Safe(float(lr[rate]), float(means[(*worst[rate], rate)]), *worst[rate])


def worst_cases(means: Floats, sign: int = 1) -> dict[int, tuple[int, int]]:
    """The batch size and schedule at which each rate is worst, by the rate's index.

    Of equal ones it is the first.

    Args:
        means: (B, H, R); NaN where trials diverged, and then the rate is left out.
        sign: 1 where more is better, −1 where less is.
    """
    scores = _scores(means, sign).reshape(-1, means.shape[2])
    able = np.flatnonzero(np.isfinite(scores).all(0))
    cells = scores[:, able].argmin(0) if len(able) else able
    return {
        int(rate): divmod(int(cell), means.shape[1]) for rate, cell in zip(able, cells, strict=True)
    }


def _scores(means: Floats, sign: int) -> Floats:
    """Means of which more is better, rounded: a sum's last bits choose no rate and no schedule."""
    return np.round(sign * means, DIGITS)


def shares(diverged: NDArray[np.bool_], failed: Floats) -> tuple[float, float | None]:
    """Which share of trials diverged, and which failed: were no better than chance at their end.

    Args:
        diverged: of each trial, any shape, at least one.
        failed: 1, 0, or NaN where it is not known; of the same shape. The share is that of all
            trials; None where it is known of none that did not diverge.
    """
    known = np.isfinite(failed) & ~diverged
    lost = float(diverged.mean())
    return lost, float((failed[known] > 0).sum() / failed.size) if known.any() else None
