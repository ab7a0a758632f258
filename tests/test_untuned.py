"""What is claimed of rates: their ranges, the safest setting, and who forgives most."""

from __future__ import annotations

import numpy as np
import pytest

from kit.asked import SMALL, asked, cells, equal, flat, study
from trainscape import answers
from trainscape.answers._laid import laid
from trainscape.answers._untuned import untuned
from trainscape.statistics.intervals import over_seeds


def test_every_batch_size_has_its_rates() -> None:
    """A row an optimizer and batch size; that of an optimizer's best is where its width is from."""
    found = answers.answer(asked(study()))
    rows = {(row["optimizer"], row["batch_size"]): row for row in found["sensitivity"]}
    assert list(rows) == [(name, size) for name in ("adam", "sgd") for size in (16, 64)]
    for row in rows.values():
        assert [rate["lr"] for rate in row["rates"]] == list(SMALL["lrs"])
        known = {rate["lr"]: rate["mean"] for rate in row["rates"] if rate["mean"] is not None}
        assert row["best"] == max(known, key=lambda lr: known[lr])
        assert row["width"]["low"] <= row["best"] <= row["width"]["high"]
    for one in found["optimizers"]:
        width = rows[one["optimizer"], one["cell"]["batch_size"]]["width"]
        decades = np.log10(width["high"] / width["low"])
        assert one["forgiving"]["width"] == pytest.approx(decades, abs=1e-3)


def test_the_safest_setting_has_the_best_worst_case() -> None:
    """Of all optimizers and rates; its interval reaches further than that of a cell named before.

    One that loses a trial at every rate comes last, without a rate.
    """
    entries = study(schedules=("constant", "cosine"))
    lost = study(optimizers=("momentum",), lrs=(30.0, 100.0), schedules=("constant", "cosine"))
    found, *others = answers.answer(asked([*entries, *lost]))["untuned"]
    means: dict[tuple[str, float], list[float]] = {}
    for entry in entries:
        trials = entry.record.trials
        values = [t.val_metric[-1] if t.status == "ok" else np.nan for t in trials]
        place = entry.cell.optimizer.label, entry.cell.lr
        means.setdefault(place, []).append(float(np.mean(values)))
    worst = {place: min(own) for place, own in means.items() if np.isfinite(own).all()}
    best = max(worst, key=lambda place: worst[place])
    assert (found["optimizer"], found["lr"]) == best
    assert found["worst"]["mean"] == pytest.approx(worst[best], abs=1e-6)
    assert found["mean_over"] == {"mean": pytest.approx(np.mean(means[best]), abs=1e-6), "cells": 4}
    assert {found["worst_cell"][name] for name in ("optimizer", "lr")} == {*best}
    assert found["worst"]["low"] < found["worst"]["mean"] < found["worst"]["high"]
    assert found["tied"]
    assert (others[-1]["optimizer"], others[-1]["lr"], others[-1]["tied"]) == (
        "momentum",
        None,
        False,
    )


def test_luck_widens_the_interval_of_a_worst_case() -> None:
    """Of equal cells the worst is too low and the best too high: both ends allow for it."""
    made = cells(equal(tops=dict.fromkeys((0.01, 0.03, 0.1), 0.9)))
    found = untuned(made, laid(made))
    low, high = over_seeds(made.values("val_metric"), made.scale())
    for row in found:
        assert row["tied"]
        assert row["worst"]["low"] < low.min() - 1e-4
        assert row["worst"]["high"] > high.max() + 1e-4
    alone = made.among([0])  # no luck of several
    [low], [high] = over_seeds(alone.values("val_metric"), alone.scale())
    [one] = untuned(alone, laid(alone))
    assert (one["worst"]["low"], one["worst"]["high"]) == pytest.approx((low, high), abs=1e-6)


def test_luck_lifts_the_best_of_all_optimizers_that_tie() -> None:
    """Of four at a rate each the low ends allow for all; one that is behind is not tied, nor moved.

    Each has one cell, so the high ends are those of a cell that was named before.
    """
    tops = {**dict.fromkeys(("adam", "sgd", "lion", "nesterov"), 0.9), "momentum": 0.6}
    made = cells([entry for name, top in tops.items() for entry in flat(name, {0.1: top})])
    found = {row["optimizer"]: row for row in untuned(made, laid(made))}
    assert {name for name, row in found.items() if not row["tied"]} == {"momentum"}
    ends = over_seeds(made.values("val_metric"), made.scale())
    for row, low, high in zip(made.rows, *ends, strict=True):
        worst = found[row["optimizer"]]["worst"]
        assert worst["high"] == pytest.approx(high, abs=1e-6)
        if row["optimizer"] == "momentum":
            assert worst["low"] == pytest.approx(low, abs=1e-6)
        else:
            assert worst["low"] < low - 1e-5  # seeds differ by a thousandth


def test_the_mean_over_all_cells_ranks_equal_worst_cases() -> None:
    """Before the name does."""
    entries = [
        entry
        for name, top in (("adam", 0.9), ("sgd", 0.95))
        for batch, own in ((16, 0.8), (64, top))
        for entry in flat(name, {0.1: own}, batch)
    ]
    found = untuned(cells(entries), laid(cells(entries)))
    assert found[0]["worst"]["mean"] == found[1]["worst"]["mean"]
    assert [row["optimizer"] for row in found] == ["sgd", "adam"]


def test_last_bits_of_a_mean_choose_no_schedule() -> None:
    """At each rate the first of equal schedules is shown, whichever is ahead by its last bits."""
    for ahead in ("constant", "cosine"):
        entries = [
            entry
            for name in ("constant", "cosine")
            for entry in flat("sgd", {0.1: 0.9 + 1e-13 * (name == ahead)}, schedule=name)
        ]
        [row] = answers.answer(asked(entries))["sensitivity"]
        assert [rate["schedule"] for rate in row["rates"]] == ["constant"]


def test_the_widest_range_is_the_most_forgiving() -> None:
    """Wider by the rates of its best batch size; optimizers that are worse are left out."""
    tops = {
        "adam": {0.01: 0.9, 0.03: 0.95, 0.1: 0.95, 0.3: 0.95},
        "sgd": {0.01: 0.5, 0.03: 0.8, 0.1: 0.95, 0.3: 0.8},
        "momentum": dict.fromkeys((0.01, 0.03, 0.1, 0.3), 0.7),  # flat, and far behind
    }
    entries = [e for name, own in tops.items() for e in flat(name, own)]
    found = answers.answer(asked(entries))
    claim = found["most_forgiving"]
    widths = {row["optimizer"]: row["forgiving"]["width"] for row in found["optimizers"]}
    assert max(widths, key=lambda name: widths[name]) == "momentum"
    assert claim["optimizer"] == "adam"
    assert claim["decades"] == widths["adam"] > widths["sgd"]
    assert (claim["open_low"], claim["open_high"]) == (False, True)
    assert claim["clear"]
    assert widths["sgd"] < claim["decades_low"] <= claim["decades"] <= claim["decades_high"]


def test_a_range_that_seeds_do_not_tell_from_another_is_not_clear() -> None:
    """Equal ranges, ranges that go on beyond the grid, and one seed."""
    found = answers.answer(asked(equal()))["most_forgiving"]
    assert (found["optimizer"], found["clear"]) == ("adam", False)  # by name
    wide = {0.01: 0.95, 0.03: 0.95, 0.1: 0.95, 0.3: 0.8}
    ended = {0.01: 0.95, 0.03: 0.5, 0.1: 0.5, 0.3: 0.5}
    found = answers.answer(asked([*flat("adam", wide), *flat("sgd", ended)]))
    [open_low] = [
        row["width"]["open_low"] for row in found["sensitivity"] if row["optimizer"] == "sgd"
    ]
    assert open_low and found["most_forgiving"]["optimizer"] == "adam"
    assert not found["most_forgiving"]["clear"]
    alone = answers.answer(asked(study(seeds=(0,))))["most_forgiving"]
    assert (alone["clear"], alone["decades_low"]) == (False, None)
    assert answers.answer(asked(study(optimizers=("sgd",))))["most_forgiving"] is None


def test_a_search_tells_no_shape() -> None:
    """What was not trained may be anything: no rates, no safest setting, no range."""
    found = answers.answer(asked(study(), whole=False))
    assert found["chosen"] and found["against"]
    assert (found["sensitivity"], found["untuned"], found["most_forgiving"]) == ([], [], None)
