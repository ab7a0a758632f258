"""How large a batch still pays: steps to a target over batch sizes, and the gradient's noise.

McCandlish et al. (An empirical model of large-batch training, 1812.06162, section 2.3):
S(B) = S_min(1 + B_crit/B) steps reach a target with a batch of B, so E = S·B = E_min + S_min·B
examples with E_min = S_min·B_crit. At B_crit both are twice the least.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from trainscape.statistics.draws import interval, resampled
from trainscape.statistics.peaks import peaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

ENOUGH = 3  # batch sizes for a curve of two parameters
BEYOND = 100.0  # how far off the batch sizes B_crit is looked for, as a factor
VERTEX = 1.7  # of its dip: how far the depth of a vertex may be off, basins being no parabolas
INTERPOLATED = 0.3  # of the squared gap between evaluations: how far log S may be off
GRID = 401  # values of B_crit that are tried
OVERHEAD = 0.2  # of examples, beyond E_min: Zhang et al., 2410.21676

UNKNOWN_GAP = 1.0  # stands for the gap before a first evaluation, in log steps

Why = Literal["few", "flat", "proportional"]


@dataclass(frozen=True)
class Crossing:
    """When a trial reached its target.

    Args:
        step: interpolated between evaluations; infinite for a trial that never did.
        gap: the logarithm of the step of the evaluation after over that of the one before; infinite
            where the first evaluation was past the target, NaN for a trial that never got there.
    """

    step: float
    gap: float


def crossing(steps: Sequence[float], heights: Sequence[float], target: float) -> Crossing:
    """The step at which heights first come to a target: between two evaluations by a line.

    The line goes over log steps: learning curves are nearer to straight there than over steps.

    Args:
        steps: of the evaluations, rising.
        heights: at each, more being better; on a scale where they rise evenly. May be shorter.
        target: on the same scale.
    """
    last: tuple[float, float] | None = None
    for step, height in zip(steps, heights, strict=False):
        if height >= target:
            if last is None:
                return Crossing(float(step), math.inf)
            before, low = last
            gap = math.log(step / before)
            part = (target - low) / (height - low)
            return Crossing(before * math.exp(part * gap), gap)
        last = step, height
    return Crossing(math.inf, math.nan)


@dataclass(frozen=True)
class Critical:
    """The fit of S(B); None for what is not known.

    Args:
        sizes: batch sizes whose best cell reaches the target with every seed, most of them after
            the first evaluation.
        steps: to the target at each, at the best rate.
        sides: −1 or 1 where that rate ends its axis, else 0.
        batch: B_crit.
        bounds: its 95% interval, 0 or infinite where the study does not bound it.
        least: S_min.
        why: where ``batch`` is None: ``few`` batch sizes (under 3); ``flat``, steps do not fall
            with the batch; ``proportional``, they fall as one over it, without an end in sight.
    """

    sizes: list[float]
    steps: list[float]
    sides: list[int]
    batch: float | None
    bounds: tuple[float, float]
    least: float | None
    why: Why | None

    @property
    def overhead(self) -> float | None:
        """The batch that takes 20% more examples than the fewest that do: 0.2·B_crit."""
        return None if self.batch is None else OVERHEAD * self.batch

    @property
    def pays(self) -> float | None:
        """The largest batch of the study that pays.

        A batch pays if it saves at least a quarter of the steps of half that batch, which is half
        of what perfect scaling saves. By the fit that is so up to 2·B_crit.
        """
        if self.batch is None:
            return None
        return max((size for size in self.sizes if size <= 2 * self.batch), default=None)


def critical(
    steps: ArrayLike,
    gaps: ArrayLike,
    sizes: Sequence[float],
    rates: Sequence[float],
    draw: np.random.Generator,
) -> Critical:
    """B_crit and S_min with what resampling the seeds says of them.

    Steps at the best rate are where a parabola through the best cell and its two neighbours is
    least, in log steps over log rate. log S is fitted by least squares. A resample draws the seeds
    of each batch size again, takes the best rate again, and moves log S at random by what the
    parabola and the interpolation may be off.

    Args:
        steps: to the target, (S, B, R); infinite or NaN for a trial that never got there, whose
            cell is then not used.
        gaps: of the crossings, (S, B, R). A batch size is left out where more than half of its
            best cell's are infinite.
        sizes: rising batch sizes, (B,).
        rates: rising rates, (R,).
        draw: random numbers.
    """
    logs = np.log(np.asarray(steps, dtype=np.float64))
    logs = np.where(np.isfinite(logs).all(0), logs, np.inf)
    gap = np.asarray(gaps, dtype=np.float64)
    first = np.isinf(gap).mean(0) > 1 / 2
    first = np.take_along_axis(first, logs.mean(0).argmin(-1)[:, None], -1)[:, 0]
    kept = np.isfinite(logs[0]).any(-1) & ~first
    logs, batch = logs[:, kept], np.asarray(sizes, dtype=np.float64)[kept]
    gap = np.where(np.isfinite(gap), gap, UNKNOWN_GAP)[:, kept]
    axis = np.log(np.asarray(rates, dtype=np.float64))
    depth, side = (part[0] for part in _depths(logs.mean(0)[None], axis))
    about = batch.tolist(), np.exp(depth).tolist(), side.tolist()
    if len(batch) < ENOUGH:
        return Critical(*about, None, (0.0, np.inf), None, "few")
    again = _again(logs, gap, axis, draw)
    bounds = interval(_fit(again, batch))
    [value] = _fit(depth[None], batch)
    if not 0 < value < np.inf:
        why: Why = "flat" if value == 0 else "proportional"
        return Critical(*about, None, bounds, None, why)
    least = float(np.exp(np.mean(depth - np.log1p(value / batch))))
    return Critical(*about, float(value), bounds, least, None)


def _again(logs: Floats, gaps: Floats, axis: Floats, draw: np.random.Generator) -> Floats:
    """Resamples of log S at the best rate, (N, B)."""
    means = resampled(logs, draw)
    best = means.argmin(-1)
    gap = gaps.mean(0)[np.arange(best.shape[-1]), best]
    off, blur = draw.uniform(-1, 1, (2, *best.shape))
    low, _ = _depths(means, axis, off)
    return np.asarray(low + INTERPOLATED * gap**2 * blur)


def _depths(means: Floats, axis: Floats, off: Floats | None = None) -> tuple[Floats, Whole]:
    """Log S (N, B) at the best rate of means (N, B, R), and the side of each.

    Where a neighbour never got to the target there is no parabola. The best rate may then be
    anywhere within half a step, in a basin as steep as the median of the others.

    Args:
        means: log S, infinite for a cell that is not used.
        axis: log rates.
        off: from −1 to 1, where in its range of error each depth is put; None for the middle.
    """
    if len(axis) < 2:
        return means.min(-1), np.zeros(means.shape[:-1], dtype=np.int64)
    found = peaks(means, axis)
    known = found.turned.any(-1)
    steep = np.zeros(len(means))
    steep[known] = np.nanmedian(found.curve[known], axis=-1)
    dip = means.min(-1) - found.depth
    blind = steep[:, None] * found.half**2 * (1 / 3 if off is None else off**2)
    seen = 0.0 if off is None else VERTEX * dip * off
    return np.where(found.turned, found.depth + seen, means.min(-1) - blind), found.side


def _fit(depths: Floats, batch: Floats) -> Floats:
    """B_crit of log steps (N, B) by least squares; 0 or infinite where there is no minimum.

    For a given B_crit the best log S_min is the mean of what is left, so that one number is sought:
    on a grid, then at the vertex of a parabola through the best point and its neighbours.
    """
    tried = np.linspace(np.log(batch.min() / BEYOND), np.log(batch.max() * BEYOND), GRID)
    shape = np.log1p(np.exp(tried)[:, None] / batch)
    shape -= shape.mean(1, keepdims=True)
    apart = depths - depths.mean(1, keepdims=True)
    # The sum of squares less what no B_crit changes.
    misfit = (shape**2).sum(1) - 2 * apart @ shape.T
    found = peaks(misfit, tried)
    ended = np.where(found.side < 0, 0.0, np.inf)
    return np.asarray(np.where(found.side == 0, np.exp(found.place), ended))


@dataclass(frozen=True)
class Noise:
    """The gradient noise scale; None where it is not known.

    Args:
        signal: |G|², the squared length of the true gradient.
        noise: tr Σ, the variance of the gradient of one example, summed over all parameters.
        batch: B_simple = tr Σ/|G|²; None where the signal is not above zero.
        bounds: its 95% interval; infinite above where resamples have no signal.
    """

    signal: float
    noise: float
    batch: float | None
    bounds: tuple[float, float]


def noise_scale(
    each: ArrayLike, mean: ArrayLike, examples: int, draw: np.random.Generator
) -> Noise:
    """B_simple from gradients of single examples and of their mean.

    With m = mean ‖gᵢ‖² and M = ‖mean gᵢ‖² over b examples, |G|² = (bM − m)/(b − 1) and
    tr Σ = (m − M)/(1 − 1/b) have no bias (McCandlish et al., appendix A.1, with batches of 1 and b;
    Gray et al., Normalization layer per-example gradients, 2411.00999, on why single examples). The
    ratio of two means is not the mean of ratios, so each is averaged over seeds and evaluations
    before they are divided. It stands for the critical batch only if the Hessian is like the
    identity.

    Args:
        each: m, (S, T): seeds, evaluations; NaN for what is missing.
        mean: M, (S, T).
        examples: b, at least 2.
        draw: random numbers.

    Raises:
        ValueError: fewer than two examples.
    """
    if examples < 2:
        raise ValueError("the noise scale needs gradients of two examples")
    one, all_ = np.asarray(each, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    signals = np.nanmean((examples * all_ - one) / (examples - 1), axis=1)
    noises = np.nanmean((one - all_) / (1 - 1 / examples), axis=1)
    both = np.stack([noises, signals], axis=-1)
    again = resampled(both[:, None], draw)[:, 0]
    noise, signal = both.mean(0)
    return Noise(
        float(signal),
        float(noise),
        float(noise / signal) if signal > 0 else None,
        interval(_ratio(again)),
    )


def _ratio(pairs: Floats) -> Floats:
    """Noise over signal of (N, 2); infinite without a signal."""
    noise, signal = pairs.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(signal > 0, noise / signal, np.inf))
