"""Two versions of the same cells: what is called better or worse, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import ttest_ind, ttest_rel

from trainscape.statistics import changes
from trainscape.statistics.scores import Scale

Floats = NDArray[np.float64]
PLAIN = Scale("identity")
SHARES = Scale("logit", 1, 360)


def draw(name: str) -> np.random.Generator:
    """Random numbers by name."""
    return np.random.Generator(np.random.PCG64(list(name.encode())))


def accuracies(name: str, cells: int = 300, shift: float = 0.0, seeds: int = 5) -> Floats:
    """Accuracies of cells from 60% to 98% right, with noise of their own and of the seeds."""
    noise = draw(name)
    level = np.linspace(0.4, 4.0, cells)[:, None] + shift
    own = noise.normal(0, 0.2, (cells, seeds)) + noise.normal(0, 0.05, seeds)
    return np.round(SHARES.down(level + own) * 360) / 360


@pytest.mark.parametrize("paired", [True, False])
def test_one_cell_is_compared_as_student_and_welch_do(paired: bool) -> None:
    """Of a lone cell there is no pool: its p-value is that of the textbook's test."""
    before, after = draw("one").normal(0, 1, (2, 1, 6))
    after = before + 0.1 * after + 0.05 if paired else after
    found = changes.sample(before, after, PLAIN, paired=paired)
    pairs, welch = ttest_rel(after[0], before[0]), ttest_ind(after[0], before[0], equal_var=False)
    assert found.p[0] == pytest.approx((pairs if paired else welch).pvalue)


def test_pairs_are_taken_where_the_versions_vary_together() -> None:
    """What differs in its last bits alone is the same, however much the seeds vary."""
    before = accuracies("pairs")
    after = before.copy()
    after[::7, 2] = np.minimum(after[::7, 2] + 1 / 360, 1)
    found = changes.cells(before, after, SHARES, 0.005, paired=True)
    assert set(found.verdict) == {"same"}
    apart = changes.cells(before, after, SHARES, 0.005, paired=False)
    assert "undecided" in apart.verdict


def test_other_noise_under_the_same_seeds_is_taken_as_two_samples() -> None:
    """Where pairing gains nothing, both versions' degrees of freedom count."""
    before, after = accuracies("some noise"), accuracies("other noise")
    assert changes.alike(SHARES.up(before), SHARES.up(after)) < changes.PAIRS
    paired = changes.sample(before, after, SHARES, paired=True)
    assert (paired.freedom > 8).all()


def test_noise_is_called_neither_better_nor_worse() -> None:
    """Of 200 diffs of pure noise at most ten say more; by the same and by other seeds."""
    wrong = 0
    for number in range(200):
        before, after = accuracies(f"before {number}", 100), accuracies(f"after {number}", 100)
        found = changes.cells(before, after, SHARES, 0.005, paired=number % 2 == 0)
        pools = changes.pools(before, after, SHARES, 0.005, [], paired=number % 2 == 0)
        wrong += bool({"better", "worse"} & {*found.verdict, *pools.verdict})
    assert wrong <= 10


def test_what_changed_is_found() -> None:
    """Cells far better are better, cells far worse are worse, and the rest is not."""
    before, after = accuracies("found before"), accuracies("found after")
    up, down = np.arange(10), np.arange(20, 30)
    after[up] = accuracies("up", shift=1.5)[up]
    after[down] = accuracies("down", shift=-1.5)[down]
    found = changes.cells(before, after, SHARES, 0.005, paired=False)
    assert {found.verdict[i] for i in up} == {"better"}
    assert {found.verdict[i] for i in down} == {"worse"}
    others = [v for i, v in enumerate(found.verdict) if i not in {*up, *down}]
    assert sum(v in ("better", "worse") for v in others) <= 1
    assert (found.low < found.change).all() and (found.change < found.high).all()


def test_less_is_better_where_the_metric_says_so() -> None:
    """A loss that falls is better, and its change is below zero."""
    loss = np.exp(draw("loss").normal(0, 0.05, (50, 5)))
    found = changes.cells(loss, 0.5 * loss, Scale("log", -1), 0.001, paired=True)
    assert set(found.verdict) == {"better"}
    assert (found.high < 0).all()


def test_within_the_margin_is_the_same_even_where_it_is_certain() -> None:
    """A change smaller than the margin is none in practice; with no margin it is one."""
    before = 0.5 + draw("margin").normal(0, 1e-5, (50, 5))
    after = before + 1e-3
    for margin, verdict in ((0.005, "same"), (0.0, "better")):
        found = changes.cells(before, after, PLAIN, margin, paired=True)
        assert set(found.verdict) == {verdict}


def test_a_seed_that_moves_all_cells_counts_once() -> None:
    """The mean's interval is that of five seeds, however many cells they move together."""
    noise = draw("seeds")
    before, after = noise.normal(0, 1, (2, 1, 5)) + noise.normal(0, 0.01, (2, 1000, 1))
    found = changes.pools(before, after, PLAIN, 0.0, [], paired=False)
    alone = ttest_ind(after.mean(0), before.mean(0), equal_var=False).confidence_interval(0.99)
    assert found.low[0] == pytest.approx(alone.low, rel=0.05)
    assert found.high[0] == pytest.approx(alone.high, rel=0.05)
    assert set(changes.cells(before, after, PLAIN, 0.0, paired=False).verdict) == {"undecided"}


def test_one_value_of_an_axis_is_found_among_many() -> None:
    """A shift of the cells of one optimizer is told by its own mean."""
    before, after = accuracies("axis before"), accuracies("axis after")
    own = np.arange(300) % 6 == 2
    after[own] = accuracies("axis worse", shift=-0.8)[own]
    members = [np.arange(300) % 6 == k for k in range(6)]
    found = changes.pools(before, after, SHARES, 0.005, members, paired=False)
    assert found.verdict[1:] == ["worse" if k == 2 else found.verdict[k + 1] for k in range(6)]
    assert all(found.verdict[k + 1] in ("same", "undecided") for k in range(6) if k != 2)


def test_a_mean_shift_and_its_interval_say_the_same() -> None:
    """Better or worse leave zero out, undecided holds it, same lies within the margin.

    An interval of 95% would leave zero out for values that Holm's steps at 1% leave undecided.
    """
    before, after = accuracies("agree before"), accuracies("agree after")
    members = [np.arange(300) % 6 == k for k in range(6)]
    moves = np.array([0.0, 0.02, 0.05, 0.15, 0.6, 1.2])[np.arange(300) % 6, None]
    after = SHARES.down(SHARES.up(after) + moves)
    first, second = (SHARES.up(side) for side in (before, after))
    usual = changes.pooled(first, second, members, paired=False).interval(0.95)
    for margin in (0.0, 0.005):
        found = changes.pools(before, after, SHARES, margin, members, paired=False)
        for low, high, verdict in zip(found.low, found.high, found.verdict, strict=True):
            if verdict == "same":
                assert -margin <= low <= high <= margin
            else:
                assert (low > 0 or high < 0) == (verdict in ("better", "worse"))
        if margin == 0.0:
            undecided = np.array(found.verdict[1:]) == "undecided"
            assert (undecided & (usual[0] > 0)).any() and not undecided.all()
            assert found.level[0] == 0.99
    assert found.level.min() == changes.EQUAL and "same" in found.verdict


def test_levels_are_those_of_holms_steps() -> None:
    """The least of four p-values is compared with a quarter; the first that fails ends it."""
    found = changes._step_of(np.array([0.002, 0.5, 0.0001, 0.004]), 0.01)
    assert found == pytest.approx([0.01 / 3, 0.01, 0.01 / 4, 0.01 / 2])
    found = changes._step_of(np.array([0.006, 0.5, 0.0001, 0.004]), 0.01)
    assert found == pytest.approx([0.01 / 3, 0.01 / 3, 0.01 / 4, 0.01 / 3])
    assert changes._step_of(np.array([]), 0.01).size == 0


def test_diverged_trials_count_as_the_worst_value() -> None:
    """A cell that diverges under every seed is worse than one that trains."""
    before = accuracies("diverged before")
    after = accuracies("diverged after")
    after[100] = np.nan
    found = changes.cells(*changes.filled(before, after, 1), SHARES, 0.005, paired=False)
    assert found.verdict[100] == "worse"
    low, high = changes.filled(np.array([[2.0, np.nan]]), np.array([[5.0, 1.0]]), -1)
    assert low.tolist() == [[2.0, 5.0]] and high.tolist() == [[5.0, 1.0]]


def test_one_seed_tells_nothing() -> None:
    """With one seed a version varies nobody knows how much: all is undecided."""
    before, after = accuracies("one seed", seeds=1), accuracies("another", shift=2.0, seeds=1)
    for paired in (True, False):
        found = changes.cells(before, after, SHARES, 0.005, paired=paired)
        pool = changes.pools(before, after, SHARES, 0.005, [], paired=paired)
        assert {*found.verdict, *pool.verdict} == {"undecided"}
        assert np.isinf(pool.high[0]) or pool.high[0] <= 1


def test_five_equal_counts_are_no_certainty() -> None:
    """Cells whose accuracy happens to be one count of examples in each version may still vary."""
    before = np.full((40, 5), 342 / 360)
    after = np.full((40, 5), 343 / 360)
    found = changes.cells(before, after, SHARES, 0.0, paired=False)
    assert set(found.verdict) == {"undecided"}
