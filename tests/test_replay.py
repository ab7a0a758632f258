"""How far simulated searches are from the grid's best, checked by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.reports import build
from trainscape import analysis
from trainscape.analysis import Replayed, goal, needed, replay
from trainscape.analysis import _replay as replays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

LRS = (0.001, 0.003, 0.01, 0.1)
# by cell: the validation metrics of two seeds, of which the second cell's are the best
SEEDS = [(0.90, 0.92), (0.96, 0.98), (0.955, 0.965), None]


def summary(workload: str = "digits-mlp") -> pd.DataFrame:
    """Four cells: regrets 0.06, 0 and 0.01; the last diverged. The best's error is 0.01."""
    entries = []
    for lr, seeds in zip(LRS, SEEDS, strict=True):
        of = synthetic.cell(workload, lr=lr, seeds=(0, 1))
        if seeds is None:
            trials = [synthetic.trial(seed, [0.5], 7) for seed in (0, 1)]
        else:
            trials = [synthetic.trial(seed, [value]) for seed, value in enumerate(seeds)]
        entries.append(synthetic.entry(of, trials, [10]))
    return analysis.summary(analysis.trials(entries, {workload: 0.9}))


def test_the_goal_is_the_best_by_validation() -> None:
    """Its standard error is std/√seeds, and the cells within are counted, the best included."""
    aim = goal(analysis.records(summary()), margin=0.06)
    assert aim is not None
    assert (aim.best["lr"], aim.cells) == (0.003, 4)
    assert aim.error == pytest.approx(0.01)
    assert aim.within == {"error": 2, "margin": 3}


def test_regret_is_that_of_the_best_so_far() -> None:
    """By hand: three runs over four cells; a run that has ended keeps what it found."""
    orders = {("digits-mlp", "random"): [[3, 0, 2, 1], [0, 2, 3, 1], [1]]}
    rows = analysis.records(replay(summary(), orders, margin=0.02))
    near: Any = pytest.approx
    assert [row["cells"] for row in rows] == [1, 2, 3, 4]
    assert [row["runs"] for row in rows] == [3, 3, 3, 3]
    # after one cell: none, 0.06 and 0; then 0.06, 0.01, 0; then 0.01, 0.01, 0; then zeros
    assert [row["regret_median"] for row in rows] == near([0.06, 0.01, 0.01, 0.0], abs=1e-12)
    assert [row["regret_low"] for row in rows] == near([0, 0, 0, 0], abs=1e-12)
    assert rows[0]["regret_high"] is None
    assert [row["regret_high"] for row in rows[1:]] == near([0.06, 0.01, 0.0], abs=1e-12)
    assert [row["within_error"] for row in rows] == [1, 2, 3, 3]
    assert [row["within_margin"] for row in rows] == [1, 2, 3, 3]
    assert rows[0]["test_regret_median"] == near(0.06, abs=1e-12)


def test_less_is_better_where_it_is() -> None:
    """Of a loss the best is the least, and regret is what is above it."""
    name = synthetic.regression()
    rows = analysis.records(replay(summary(name), {(name, "tpe"): [[1, 0]]}, margin=0.02))
    assert [row["regret_median"] for row in rows] == pytest.approx([0.06, 0.0], abs=1e-12)


def test_a_grid_in_which_all_diverged_has_no_goal() -> None:
    """Then there is nothing to search for, and the table is empty."""
    of = synthetic.cell(seeds=(0,))
    entries = [synthetic.entry(of, [synthetic.trial(0, [0.5], 7)], [10])]
    table = analysis.summary(analysis.trials(entries, {"digits-mlp": 0.9}))
    assert goal(analysis.records(table), 0.1) is None
    assert replay(table, {("digits-mlp", "random"): [[0]]}, 0.1).empty


def arrived(counts: Iterable[int], runs: int) -> pd.DataFrame:
    """A replay of which so many runs are within the margin after 1, 2, … cells."""
    same = {"workload": "w", "method": "tpe", "runs": runs}
    rows = [{**same, "cells": n, "within_margin": k} for n, k in enumerate(counts, start=1)]
    return analysis.frame(rows, replays.COLUMNS)


def test_cells_needed_are_counted_over_the_runs() -> None:
    """Of ten runs, the k-th is there after k cells, the last one never: median 5, nine by 9."""
    found = needed(arrived([*range(1, 10), 9, 9], runs=10))["w"]["tpe"]
    assert (found["runs"], found["budget"]) == (10, 11)
    assert "error" not in found  # one seed has none
    expected = {"median": 5, "low": 2, "high": 9, "most": 9, "never": pytest.approx(0.1)}
    assert found["margin"] == expected


@pytest.mark.parametrize(("runs", "rank"), [(5, 0), (6, 1), (10, 2), (20, 6), (200, 86)])
def test_the_interval_of_a_median_is_the_textbooks(runs: int, rank: int) -> None:
    """Ranks as tabulated for the sign test's 95% interval; five runs are too few for one."""
    found = needed(arrived(range(1, runs + 1), runs))["w"]["tpe"]["margin"]
    assert (found["low"], found["high"]) == ((rank, runs + 1 - rank) if rank else (None, None))


def test_the_report_says_how_many_cells(tmp_path: Path) -> None:
    """Figure and table have a section of their own, and a budget that was too small says so."""
    entries = synthetic.study(optimizers=("sgd",), batch_sizes=(16, 64))
    table = analysis.summary(analysis.trials(entries, {"digits-mlp": 0.95}))
    rows = analysis.records(table)
    place = rows.index(analysis.best(rows) or {})
    other = [number for number in range(8) if number != place]
    orders = {("digits-mlp", "qmc"): 7 * [[*other[:4], place]], ("digits-mlp", "gp"): [other[:4]]}
    found = Replayed(replay(table, orders, 1e-9), 1e-9)
    html = build(entries, tmp_path, measured=None, replayed=found)
    assert html == build(entries, tmp_path / "again", measured=None, replayed=found)
    assert "How many cells would a search have needed?" in html
    assert '<td>qmc<td class="n">7' in html
    assert "5 (5–5)" in html  # the margin excludes all but the best, which comes fifth
    assert "&gt; 4" in html or "&gt; 5" in html
