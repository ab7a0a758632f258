"""Which axes matter: shares by hand, without the seeds' noise, and from tables."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trainscape import analysis
from trainscape.statistics.draws import generator
from trainscape.statistics.importance import HIGHER, Importance, importance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def found(values: object, axes: str, best_over: str | None = None) -> Importance:
    """The shares, which must be there."""
    seen = importance(np.asarray(values), list(axes), generator("test"), best_over, 400)
    assert seen is not None
    return seen


def parts(seen: Importance) -> dict[str, float]:
    """Shares by the names of their axes, run together."""
    return {"".join(share.axes): share.share for share in seen.shares}


def test_two_axes_by_hand() -> None:
    """Of 0 2 / 4 10 the rows' variance is 9, the columns' 4, and 1 is left for both together."""
    seen = found([[[0.0], [2.0]], [[4.0], [10.0]]], "ab")
    assert parts(seen) == pytest.approx({"a": 9 / 14, "b": 4 / 14, "ab": 1 / 14})
    assert [share.axes for share in seen.shares] == [("a",), ("b",), ("a", "b")]
    assert seen.noise is None
    assert all(map(math.isnan, seen.shares[0].bounds))


def test_what_three_axes_do_together_is_the_rest() -> None:
    """A product of three signs has no share in any axis or pair."""
    signs = np.array([-1.0, 1.0])
    values = np.einsum("i,j,k->ijk", signs, signs, signs)[..., None]
    seen = found(values + 2 * signs[:, None, None, None], "abc")
    assert parts(seen)["a"] == pytest.approx(0.8)
    assert parts(seen)[HIGHER[0]] == pytest.approx(0.2)


def test_an_axis_of_one_point_is_passed_over() -> None:
    """It can make no difference."""
    assert parts(found([[[0.0]], [[1.0]]], "ab")) == {"a": 1.0}


def test_an_axis_at_its_best() -> None:
    """With b at its best point, 2 and 10 differ by a alone, wherever the best points are."""
    assert parts(found([[[2.0], [0.0]], [[4.0], [10.0]]], "ab", "b")) == {"a": 1.0}


def test_cells_that_do_not_differ_have_no_shares() -> None:
    """Nor does a rounding error make any."""
    assert importance(np.full((2, 3, 4), 0.1), ["a", "b"], generator("test")) is None
    assert importance(np.full((2, 3, 1), np.nan), ["a", "b"], generator("test")) is None


def test_a_cell_without_a_value_counts_as_the_worst() -> None:
    """One lost seed is enough."""
    values = np.array([[[3.0, 3.0], [1.0, 1.0]], [[0.0, 2.0], [5.0, np.nan]]])
    filled = values.copy()
    filled[1, 1] = 1.0
    assert parts(found(values, "ab")) == parts(found(filled, "ab"))


def test_seed_noise_is_taken_off() -> None:
    """Where noise is as wide as the effect, shares are those without noise, over many grids."""
    draw = generator("noise")
    truth = np.zeros((6, 5, 4, 1)) + np.array([0.0, 0.3, 0.6, 0.9, 1.2])[:, None, None]
    sums: dict[str, list[float]] = {}
    noises, noise, cells = [], 1.0 / 5, 120
    for _ in range(100):
        common = draw.normal(0, 3.0, 5)  # effects of seeds shift all cells alike
        seen = importance(
            truth + common + draw.normal(0, 1.0, (6, 5, 4, 5)), ["a", "b", "c"], draw, None, 10
        )
        assert seen is not None
        noises.append(seen.noise)
        for name, share in parts(seen).items():
            sums.setdefault(name, []).append(share)
    expected = noise * (cells - 1) / cells / (truth.var() + noise * (cells - 1) / cells)
    assert np.mean([n for n in noises if n is not None]) == pytest.approx(expected, rel=0.05)
    # the others, clipped at zero, keep a little; with its noise b would have 0.48
    assert np.mean(sums["b"]) == pytest.approx(0.9, abs=0.03)


def test_bounds_hold_the_share_and_narrow_with_noise() -> None:
    """An interval lies around its estimate and is as wide as the noise makes it."""
    truth = np.array([[0.0, 2.0], [4.0, 10.0]])[..., None]
    normal = generator("bounds").normal(size=(2, 2, 8))
    wide, narrow = (found(truth + sd * normal, "ab").shares[0] for sd in (1.0, 0.1))
    assert wide.bounds[0] < wide.share < wide.bounds[1]
    assert narrow.bounds[0] < 9 / 14 < narrow.bounds[1]
    assert wide.bounds[1] - wide.bounds[0] > 5 * (narrow.bounds[1] - narrow.bounds[0])


RATES: dict[str, tuple[float, ...]] = {"sgd": (0.1, 1.0, 10.0), "adam": (0.001, 0.01, 0.1)}


def trials(
    rates: dict[str, tuple[float, ...]], lost: int = 0, kept: int | None = None
) -> list[analysis.Row]:
    """Trials of accuracies by rank of the rate; some of the first rates have diverged."""
    rows: list[analysis.Row] = []
    for optimizer, size, schedule in product(rates, (16, 64, 256), ("constant", "linear")):
        for rank, lr in enumerate(rates[optimizer]):
            for seed in (0, 1, 2):
                odds = [2.0, 3.0, 1.0, 0.5][rank] - size / 200 + 0.01 * seed * (-1) ** rank
                value = 1 / (1 + math.exp(-odds))
                names = ("digits-mlp", optimizer, size, lr, schedule)
                axes = dict(zip(analysis.AXES, names, strict=True))
                gone = rank == 0 and len(rows) // 3 < lost
                rows.append({**axes, "seed": seed, "target": 0.95})
                rows[-1]["val_metric"] = None if gone else value
    return rows[:kept]


def table(rows: list[analysis.Row]) -> list[analysis.Row]:
    """The table of shares."""
    return analysis.records(analysis.importance(analysis.frame(rows, list(rows[0]))))


def test_a_grid_has_its_table() -> None:
    """Rates and batch sizes alone make the difference; at the best lr, batch sizes do."""
    same = dict.fromkeys(RATES, RATES["sgd"])
    rows = table(trials(same))
    grid = {row["component"]: row for row in rows if row["region"] == "grid"}
    assert list(grid)[:2] == ["lr", "batch size"]
    assert grid["lr"]["share"] + grid["batch size"]["share"] == pytest.approx(1, abs=1e-3)
    assert "optimizer × lr" in grid
    assert grid["lr"]["low"] <= grid["lr"]["share"] <= grid["lr"]["high"]
    [first, *_] = [row for row in rows if row["region"] == "best lr"]
    assert (first["component"], first["share"]) == ("batch size", pytest.approx(1, abs=1e-3))
    assert {(row["imputed"], row["note"]) for row in rows} == {(0, None)}


def test_rates_of_their_own_count_by_rank() -> None:
    """Shares are those of equal lists, and a note says so."""
    same = dict.fromkeys(RATES, RATES["sgd"])
    own, equal = table(trials(RATES)), table(trials(same))
    assert [row["share"] for row in own] == [row["share"] for row in equal]
    assert "by rank" in own[0]["note"]


def test_different_numbers_of_rates_have_no_grid() -> None:
    """At each combination's best lr there are shares all the same."""
    first, *rest = table(trials({**RATES, "adam": (0.001, 0.01)}))
    assert (first["region"], first["share"]) == ("grid", None)
    assert "different numbers" in first["note"]
    assert {row["region"] for row in rest} == {"best lr"}
    assert {row["imputed"] for row in rest} == {0}


def test_diverged_cells_are_counted() -> None:
    """They count as the worst cell, and the table says how many they were."""
    assert {row["imputed"] for row in table(trials(RATES, lost=4))} == {2}


def test_a_search_has_shares_of_its_own() -> None:
    """PED-ANOVA over the trained cells finds the rates first; too few cells say so."""
    rows = table(trials(RATES, kept=3 * 29))
    assert {row["region"] for row in rows} == {"search"}
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=1e-3)
    assert rows[0]["component"] == "lr"
    [few] = table(trials(RATES, kept=3 * 7))
    assert (few["share"], few["note"]) == (None, "fewer than 10 cells were trained")


def test_a_study_without_validation_is_told_by_its_loss() -> None:
    """The final training loss, the less the better."""
    rows = [
        {**row, "target": None, "train_loss": 1 - row["val_metric"], "val_metric": None}
        for row in trials(RATES)
    ]
    assert table(rows)[0]["component"] == "lr"
