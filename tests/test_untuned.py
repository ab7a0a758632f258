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
        over = one["forgiving"]["over"]
        assert over == {"batch_size": one["cell"]["batch_size"]}
        width = rows[one["optimizer"], over["batch_size"]]["width"]
        decades = np.log10(width["high"] / width["low"])
        assert one["forgiving"]["width"] == pytest.approx(decades, abs=1e-3)


def test_the_safest_setting_has_the_best_worst_case() -> None:
    """Of all optimizers and rates; its interval reaches further than that of a cell named before.

    One that loses a trial at every rate comes last, without a rate.
    """
    entries = study(schedules=("constant", "cosine"))
    lost = study(optimizers=("momentum",), lrs=(30.0, 100.0), schedules=("constant", "cosine"))
    found = answers.answer(asked([*entries, *lost]))["untuned"]
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
    assert [row["optimizer"] for row in found["ranking"]][-1] == "momentum"
    assert found["ranking"][-1]["lr"] is None and found["ranking"][0]["tied"]
    assert found["ranking"][0] == {**{k: found[k] for k in found if k != "ranking"}, "tied": True}


def test_luck_widens_the_interval_of_a_worst_case() -> None:
    """Of equal cells the worst is too low and the best too high: both ends allow for it."""
    made = cells(equal(tops=dict.fromkeys((0.01, 0.03, 0.1), 0.9)))
    found = untuned(made, laid(made))
    assert found
    low, high = over_seeds(made.values("val_metric"), made.scale())
    assert found["worst"]["low"] < low.min() < found["worst"]["mean"]
    assert found["worst"]["mean"] < high.max() < found["worst"]["high"]
    alone = made.among([0])  # no luck of several
    [low], [high] = over_seeds(alone.values("val_metric"), alone.scale())
    one = untuned(alone, laid(alone))
    assert one
    assert (one["worst"]["low"], one["worst"]["high"]) == pytest.approx((low, high), abs=1e-6)


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
    assert (claim["optimizer"], claim["second"]["optimizer"]) == ("adam", "sgd")
    assert claim["among"] == ["adam", "sgd"]
    assert claim["decades"] == widths["adam"] > claim["second"]["decades"] == widths["sgd"]
    assert (claim["open_low"], claim["open_high"]) == (False, True)
    assert claim["clear"] and claim["share"] == 1
    for one in (claim, claim["second"]):
        assert one["decades_low"] <= one["decades"] <= one["decades_high"]


def test_a_range_that_seeds_do_not_tell_from_another_is_not_clear() -> None:
    """Equal ranges, ranges that go on beyond the grid, and one seed."""
    found = answers.answer(asked(equal()))["most_forgiving"]
    assert (found["optimizer"], found["second"]["optimizer"]) == ("adam", "momentum")  # by name
    assert (found["clear"], found["share"]) == (False, 0)
    wide = {0.01: 0.95, 0.03: 0.95, 0.1: 0.95, 0.3: 0.8}
    ended = {0.01: 0.95, 0.03: 0.5, 0.1: 0.5, 0.3: 0.5}
    found = answers.answer(asked([*flat("adam", wide), *flat("sgd", ended)]))["most_forgiving"]
    assert found["share"] == 1 and found["second"]["open_low"] and not found["clear"]
    alone = answers.answer(asked(study(seeds=(0,))))["most_forgiving"]
    assert (alone["clear"], alone["share"]) == (False, None)
    assert answers.answer(asked(study(optimizers=("sgd",))))["most_forgiving"] is None


def test_a_search_tells_no_shape() -> None:
    """What was not trained may be anything: no rates, no safest setting, no range."""
    found = answers.answer(asked(study(), whole=False))
    assert found["chosen"] and found["against"]
    assert (found["sensitivity"], found["untuned"], found["most_forgiving"]) == ([], None, None)
