"""Steps over batch sizes, the critical batch, and the gradient's noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trainscape import analysis
from trainscape.statistics.critical import Critical, critical, crossing, noise_scale
from trainscape.statistics.draws import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SIZES = [16, 32, 64, 128, 256]
RATES = [10 ** (k / 2) for k in range(-6, 1)]


def times(batch: float, least: float, noise: float = 0.0) -> Floats:
    """Steps (5, 5, 7) with B_crit and S_min, parabolic in log rate, the best rate off the grid."""
    best = least * (1 + batch / np.array(SIZES))
    away = np.log(RATES) - math.log(0.04)
    logs = np.log(best)[:, None] + 0.2 * away**2
    return np.asarray(np.exp(logs + noise * generator("times").normal(size=(5, 5, 7))))


def found(steps: Floats, gap: float = 0.0) -> Critical:
    """The fit."""
    return critical(steps, np.full_like(steps, gap), SIZES, RATES, generator("test"))


def test_a_crossing_by_hand() -> None:
    """From 1 at step 10 to 4 at step 20, 2 is passed a third of the way over log steps."""
    seen = crossing([10, 20, 30], [1.0, 4.0, 9.0], 2.0)
    assert seen.step == pytest.approx(10 * 2 ** (1 / 3))
    assert seen.gap == pytest.approx(math.log(2))


def test_the_first_crossing_counts() -> None:
    """A curve that falls back has reached its target all the same; an evaluation may be it."""
    assert crossing([1, 2, 3, 4], [0.0, 2.0, 0.0, 2.0], 2.0).step == pytest.approx(2.0)


def test_a_target_reached_before_the_first_evaluation_or_never() -> None:
    """The one has no gap to lie in, the other no step."""
    assert crossing([5, 10], [3.0, 4.0], 2.0) == crossing([5], [2.0], 2.0)
    assert crossing([5, 10], [3.0, 4.0], 2.0).gap == math.inf
    never = crossing([5, 10], [0.0, 1.0], 2.0)
    assert never.step == math.inf
    assert math.isnan(never.gap)


def test_steps_without_noise_give_both_numbers_back() -> None:
    """S = 30(1 + 100/B): B_crit is 100, S_min 30, a fifth of it takes 20% more examples."""
    fit = found(times(100, 30))
    assert fit.batch == pytest.approx(100, rel=1e-3)
    assert fit.least == pytest.approx(30, rel=1e-3)
    assert fit.overhead == pytest.approx(20, rel=1e-3)
    assert fit.pays == 128  # half of 256 is more than B_crit
    assert fit.steps == pytest.approx([30 * (1 + 100 / size) for size in SIZES])
    assert fit.bounds[0] < 100 < fit.bounds[1]


def test_a_batch_pays_up_to_twice_the_critical_one() -> None:
    """Up to there it saves a quarter of the steps of half of it, by the model itself."""
    half, whole = (1 + 100 / size for size in (100, 200))
    assert whole / half == pytest.approx(3 / 4)
    assert found(times(130, 30)).pays == 256


def test_noise_and_coarse_evaluations_widen_the_interval() -> None:
    """What seeds disagree on, and what lies between evaluations, is less certain."""
    widths = [
        math.log(high / low)
        for fit in (
            found(times(100, 30)),
            found(times(100, 30, 0.3)),
            found(times(100, 30), gap=math.log(2)),
        )
        for low, high in [fit.bounds]
    ]
    assert widths[1] > 1.3 * widths[0]
    assert widths[2] > 1.1 * widths[0]


def test_a_batch_size_that_misses_the_target_is_left_out() -> None:
    """One seed that never gets there is enough; three batch sizes are needed."""
    steps = times(100, 30)
    steps[3, 4] = math.inf
    fit = found(steps)
    assert fit.sizes == SIZES[:4]
    assert fit.batch == pytest.approx(100, rel=1e-3)
    steps[0, :2] = math.nan
    few = found(steps)
    assert (few.batch, few.least, few.pays, few.why) == (None, None, None, "few")
    assert few.bounds == (0.0, math.inf)


def test_a_batch_size_that_is_past_the_target_at_once_is_left_out() -> None:
    """When its best cell reached the target is not known."""
    steps = times(100, 30)
    gaps = np.zeros_like(steps)
    gaps[:3, 0] = math.inf
    assert critical(steps, gaps, SIZES, RATES, generator("test")).sizes == SIZES[1:]
    gaps[2, 0] = 0.0  # two of five seeds
    assert critical(steps, gaps, SIZES, RATES, generator("test")).sizes == SIZES


def test_curves_that_do_not_bend_have_no_critical_batch() -> None:
    """Steps that do not fall, or fall in proportion, have none within sight, and say which."""
    flat = found(np.full((5, 5, 7), 50.0))
    assert (flat.batch, flat.why) == (None, "flat")
    assert flat.bounds[0] == 0
    falling = found(np.broadcast_to(5000 / np.array(SIZES)[:, None], (5, 5, 7)))
    assert (falling.batch, falling.why) == (None, "proportional")
    assert falling.bounds[1] == math.inf


def test_without_a_neighbour_the_depth_is_that_of_the_other_basins() -> None:
    """Where the next rate never gets there, a third of a half step's dip is taken off."""
    steps = times(100, 30)
    whole = found(steps).steps[4]
    steps[:, 4, 4:] = math.inf
    blind = found(steps).steps[4]
    half = math.log(10) / 4
    assert blind == pytest.approx(steps[0, 4, 3] * math.exp(-0.2 * half**2 / 3))
    assert blind == pytest.approx(whole, rel=0.03)


def test_the_noise_scale_by_hand() -> None:
    """Squares 10 and 2 of 5 examples: |G|² = 0; of 9 examples: |G|² = 1, tr Σ = 9, so 9."""
    by = noise_scale([[10.0]], [[2.0]], 9, generator("noise"))
    assert (by.signal, by.noise, by.batch) == (1.0, 9.0, 9.0)
    none = noise_scale([[10.0]], [[2.0]], 5, generator("noise"))
    assert (none.signal, none.batch) == (0.0, None)
    assert none.bounds[1] == math.inf


def test_the_noise_scale_of_drawn_gradients() -> None:
    """Gradients with a mean of squared length 4 and noise of 200 in all have the scale 50."""
    draw = generator("gradients")
    gradients = draw.normal(0, 1, (20, 30, 64, 200)) + 2 / math.sqrt(200)
    each = (gradients**2).sum(-1).mean(-1)
    mean = (gradients.mean(2) ** 2).sum(-1)
    each[0, :5] = np.nan
    seen = noise_scale(each, np.where(np.isnan(each), np.nan, mean), 64, generator("noise"))
    assert seen.batch == pytest.approx(50, rel=0.03)
    assert seen.bounds[0] < 50 < seen.bounds[1]
    assert seen.signal == pytest.approx(4, rel=0.03)


def test_one_example_has_no_noise_scale() -> None:
    """Its gradient is the mean."""
    with pytest.raises(ValueError, match="two examples"):
        noise_scale([[1.0]], [[1.0]], 1, generator("noise"))


def tables(schedule: str = "constant") -> tuple[list[analysis.Row], list[analysis.Row]]:
    """Trials and curves of accuracies whose log odds rise with log steps; target 90%."""
    trials, curves = [], []
    for size in (16, 64, 256):
        for lr in (0.01, 0.1, 1.0):
            names = dict(zip(analysis.AXES, ("digits-mlp", "sgd", size, lr, schedule), strict=True))
            needed = 40 * (1 + 64 / size) * math.exp(0.2 * math.log(lr / 0.1) ** 2)
            for seed in (0, 1):
                own = {**names, "seed": seed}
                trials.append({**own, "status": "ok", "target": 0.9, "digest": f"{size}-{lr}"})
                for step in range(30, 900, 30):
                    odds = 9 * (step / needed)
                    row = {**own, "step": step, "split": "validation", "metric": odds / (1 + odds)}
                    curves += [row, {**row, "split": "test", "metric": 0.99}]
    return trials, curves


def test_tables_give_the_critical_batch() -> None:
    """Crossings of the validation metric, at the best rate: B_crit 64, S_min 40."""
    trials, curves = (analysis.frame(rows, list(rows[0])) for rows in tables())
    [row] = analysis.records(analysis.critical(trials, curves))
    assert row["critical"] == pytest.approx(64, rel=0.02)
    assert row["least_steps"] == pytest.approx(40, rel=0.02)
    assert row["low"] < 64 < row["high"]
    assert (row["batch_sizes"], row["pays"], row["warning"], row["reason"]) == (3, 64, None, None)
    steps = analysis.records(analysis.best_steps(trials, curves))
    assert [row["batch_size"] for row in steps] == [16, 64, 256]
    assert [row["steps_at_best"] for row in steps] == pytest.approx([200, 80, 50], rel=0.01)


def test_a_decaying_schedule_is_warned_of() -> None:
    """Its steps depend on the budget; which schedules hold their rate, the caller may say."""
    trials, curves = (analysis.frame(rows, list(rows[0])) for rows in tables("cosine"))
    [row] = analysis.records(analysis.critical(trials, curves))
    assert "depend on the budget" in row["warning"]
    [row] = analysis.records(analysis.critical(trials, curves, steady=["cosine"]))
    assert row["warning"] is None


def test_tables_of_a_study_without_a_target_are_empty() -> None:
    """Without a validation split there is nothing to reach."""
    trials, curves = (analysis.frame(rows, list(rows[0])) for rows in tables())
    assert analysis.critical(trials.assign(target=np.nan), curves).empty


def test_noise_scales_of_cells() -> None:
    """A row for every cell that has them, by digest; one whose mean is all noise says so."""
    trials = analysis.frame(tables()[0], list(tables()[0][0]))
    rows = [
        {"digest": digest, "seed": seed, "step": step, "each": 10.0, "mean": mean}
        for digest, mean in (("16-0.1", 2.0), ("64-0.1", 1.0), ("elsewhere", 2.0))
        for seed in (0, 1)
        for step in (30, 60)
    ]
    first, second = analysis.records(
        analysis.noise_scales(analysis.frame(rows, list(rows[0])), trials, examples=9)
    )
    assert (first["batch_size"], first["lr"], first["seeds"]) == (16, 0.1, 2)
    assert (first["noise_scale"], first["low"], first["high"]) == (9.0, 9.0, 9.0)
    assert second["noise_scale"] is None
    assert second["reason"]
