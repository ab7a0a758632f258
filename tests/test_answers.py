"""What is claimed of a workload: the setting to take, what it rests on, and what to run next."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit import synthetic
from trainscape import analysis, answers
from trainscape.answers._laid import laid
from trainscape.answers._next import Next, fresh_seeds_needed
from trainscape.answers._untuned import untuned
from trainscape.statistics.intervals import over_seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.analysis import Entry

AXES = {"optimizer": [], "batch_size": [16, 64], "lr": [], "schedule": []}
SMALL: dict[str, Any] = {
    "optimizers": ("sgd", "adam"),
    "batch_sizes": (16, 64),
    "lrs": (0.003, 0.01, 0.03, 0.1, 0.3),
    "schedules": ("cosine",),
    "seeds": range(5),
}
FRESH = range(1000, 1010)


def study(**changes: Any) -> list[Entry]:
    """A small study, made up."""
    return synthetic.study(**{**SMALL, **changes})


def cells(entries: Sequence[Entry]) -> analysis.Cells:
    """Its cells."""
    targets = {entry.cell.workload: 0.95 for entry in entries}
    return analysis.Cells.of(analysis.trials(entries, targets), validation=287, test=360)


def asked(entries: Sequence[Entry], final: Sequence[Entry] | None = None, **changes: Any) -> Any:
    """The question of a study, with finalists or without."""
    about = answers.Asked(
        grid=cells(entries),
        final=None if final is None else cells(final),
        examples={},
        margin=0.005,
        confirm=None if final is None else {"cells": 4, "seeds": len(FRESH)},
        cells=[entry.cell for entry in entries],
        study=[entry.cell for entry in entries],
        axes=AXES,
        whole=True,
        validated=True,
    )
    return replace(about, **changes)


def finalists(entries: Sequence[Entry], count: int = 4) -> list[Entry]:
    """The most promising cells on fresh seeds."""
    chosen = analysis.finalists_of(cells(entries), count)
    names = [analysis.key(cells(entries).rows[i]) for i in chosen]
    fresh = study(seeds=FRESH)
    return [entry for entry in fresh if analysis.key(analysis.axes(entry.cell)) in names]


def test_all_that_is_said_of_accuracy_rests_on_fresh_seeds() -> None:
    """Other test values under the selection's seeds change nothing that is claimed of accuracy."""
    entries = study()
    final = finalists(entries)
    found = answers.answer(asked(entries, final))
    assert found["confirmed"] and (found["cells"], found["seeds"]) == (len(final), len(FRESH))
    for entry in entries:
        for trial in entry.record.trials:
            trial.test_metric[-1] /= 2
    again = answers.answer(asked(entries, final))
    assert again["chosen"] == found["chosen"]
    assert again["tied"] == found["tied"]
    assert [row["test"] for row in again["optimizers"]] == [
        row["test"] for row in found["optimizers"]
    ]


def test_the_intervals_of_a_finalist_are_nested() -> None:
    """For new seeds alone, and wider for new seeds and new data."""
    entries = study()
    found = answers.answer(asked(entries, finalists(entries)))["chosen"]["test"]
    assert found["new_low"] < found["low"] < found["mean"] < found["high"] < found["new_high"]
    assert found["new_high"] - found["new_low"] > found["examples_high"] - found["examples_low"]


def test_the_setting_to_take_is_the_cheapest_of_those_as_good() -> None:
    """Of equal cells the one with the fewest steps; the rule that told them apart is named."""
    entries = [
        synthetic.entry(
            synthetic.cell(batch_size=batch, lr=lr, seeds=range(5)),
            [synthetic.trial(seed, [0.9 + 0.01 * (seed % 2)]) for seed in range(5)],
            [1280 // batch],
        )
        for batch in (16, 64)
        for lr in (0.01, 0.03, 0.1)
    ]
    found = answers.answer(asked(entries))
    chosen = found["chosen"]
    assert len(found["tied"]) == chosen["equal"] == 6
    assert chosen["cell"]["batch_size"] == 64 and chosen["cell"]["lr"] == 0.03  # the middle one
    assert chosen["left"] == {"steps": 3, "room": 1}
    assert found["lr_range"] == [0.01, 0.03, 0.1]


CLAIMS = (
    *("chosen", "tied", "lr_range", "optimizers", "next"),
    *("against", "sensitivity", "untuned", "most_forgiving"),
)


def equal(**changes: Any) -> list[Entry]:
    """Three optimizers with the same values: at each rate in both batch sizes and schedules."""
    return [
        synthetic.entry(
            synthetic.cell(optimizer=name, batch_size=batch, lr=lr, schedule=s, seeds=range(5)),
            [synthetic.trial(seed, [top + 0.01 * (seed % 2)]) for seed in range(5)],
            [100],
        )
        for name in ("sgd", "momentum", "adam")
        for batch in (16, 64)
        for lr, top in changes.get("tops", {0.01: 0.9, 0.03: 0.95, 0.1: 0.95, 0.3: 0.8}).items()
        for s in ("constant", "cosine")
    ]


@pytest.mark.parametrize("made", ["confirmed", "alone", "equal"])
def test_the_order_of_cells_changes_nothing(made: str) -> None:
    """The grid listed the other way round gives the same claims, to the last digit."""
    entries = equal() if made == "equal" else study(schedules=("constant", "cosine"))
    final = finalists(entries) if made == "confirmed" else None
    there = answers.answer(asked(entries, final))
    back = answers.answer(asked(entries[::-1], final and final[::-1]))
    for name in CLAIMS:
        assert there[name], name
        assert json.dumps(there[name]) == json.dumps(back[name]), name


def test_every_optimizer_is_a_reference() -> None:
    """For the chosen one the numbers are those of the rows; for another they are its own family."""
    entries = study(optimizers=("sgd", "momentum", "adam"))
    found = answers.answer(asked(entries))
    reference, *others = found["optimizers"]
    names = [row["optimizer"] for row in found["optimizers"]]
    assert list(found["against"]) == sorted(names)
    assert found["against"][reference["optimizer"]] == [
        {name: row[name] for name in ("optimizer", "difference", "verdict")} for row in others
    ]
    for name, rows in found["against"].items():
        assert [row["optimizer"] for row in rows] == sorted({*names} - {name})
        for row in rows:
            back = next(r for r in found["against"][row["optimizer"]] if r["optimizer"] == name)
            assert row["difference"]["mean"] == -back["difference"]["mean"]
            assert (
                row["difference"]["low"] <= row["difference"]["mean"] <= row["difference"]["high"]
            )


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


def flat(name: str, tops: dict[float, float]) -> list[Entry]:
    """Cells of an optimizer whose five seeds differ by a thousandth."""
    return [
        synthetic.entry(
            synthetic.cell(optimizer=name, lr=lr, seeds=range(5)),
            [synthetic.trial(seed, [top + 0.001 * (seed % 2)]) for seed in range(5)],
            [100],
        )
        for lr, top in tops.items()
    ]


def test_a_search_tells_no_shape() -> None:
    """What was not trained may be anything: no rates, no safest setting, no range."""
    found = answers.answer(asked(study(), whole=False))
    assert found["chosen"] and found["against"]
    assert (found["sensitivity"], found["untuned"], found["most_forgiving"]) == ([], None, None)


def test_an_axis_is_that_of_all_workloads() -> None:
    """A rate beyond the end costs the cells of every workload that the study has."""
    entries = study(lrs=(0.0003, 0.001, 0.003))
    both = [*entries, *study(lrs=(0.0003, 0.001, 0.003), workload="mnist-mlp")]
    one, two = (
        next(s for s in answers.answer(asked(entries, study=cells_))["next"] if "lr" in s["why"])
        for cells_ in ([e.cell for e in entries], [e.cell for e in both])
    )
    assert two["cells"] == 2 * one["cells"] and two["change"] == one["change"]
    assert two["steps"] > 2 * one["steps"]  # MNIST has more examples


def test_the_best_of_each_optimizer_is_that_of_the_seeds_compared() -> None:
    """An optimizer's cell in the comparison is its best on fresh seeds, as the page says first."""
    entries = study()
    final = finalists(entries)
    found = answers.answer(asked(entries, final))
    for row in found["optimizers"]:
        own = [e for e in final if e.cell.optimizer.label == row["optimizer"]]
        means = [np.mean([t.val_metric[-1] for t in e.record.trials]) for e in own]
        assert row["validation"]["mean"] == pytest.approx(max(means), abs=1e-6)


def test_optimizers_are_compared_with_that_of_the_chosen_setting() -> None:
    """The reference comes first, has no difference to itself, and all others have a verdict."""
    entries = study(optimizers=("sgd", "momentum", "adam"))
    found = answers.answer(asked(entries))
    first, *others = found["optimizers"]
    assert first["optimizer"] == found["chosen"]["cell"]["optimizer"]
    assert (first["verdict"], first["difference"]) == ("reference", None)
    assert len(others) == 2
    for row in others:
        assert row["verdict"] in ("better", "worse", "equal", "undecided")
        assert row["difference"]["low"] <= row["difference"]["mean"] <= row["difference"]["high"]


def test_what_learned_nothing_is_counted_apart_from_what_diverged() -> None:
    """Five trials at chance and five that diverge are five more each, by optimizer, too."""
    entries = study()
    before = answers.answer(asked(entries))["failures"]
    good = [i for i, complete in enumerate(cells(entries).complete) if complete]
    poor, lost = (entries[i] for i in good[:2])
    for trial in poor.record.trials:
        trial.val_metric[-1] = 0.1
    entries[good[1]] = replace(
        lost,
        record=replace(
            lost.record,
            trials=[replace(t, status="diverged", diverged_at=3) for t in lost.record.trials],
        ),
    )
    found = answers.answer(asked(entries))["failures"]
    for name in ("diverged", "failed"):
        assert found[name] == before[name] + 5
        own = [counts["by_optimizer"]["sgd"][name] for counts in (before, found)]
        assert own[0] + 5 == own[1]


def test_without_a_cell_that_ended_well_nothing_is_taken() -> None:
    """All lost: no setting, no ties, no comparison, and the counts say why."""
    entries = [
        synthetic.entry(of, [synthetic.trial(s, [0.5], 3) for s in range(3)], [80])
        for of in (synthetic.cell(lr=0.1), synthetic.cell(lr=1.0))
    ]
    found = answers.answer(asked(entries))
    assert (found["chosen"], found["tied"], found["optimizers"]) == (None, [], [])
    assert found["failures"]["diverged"] == 6
    assert answers.headline(found)["accuracy"] is None


def test_an_end_of_an_axis_asks_for_a_value_beyond() -> None:
    """The next rate goes to the flagged optimizers alone; cells, trials and steps are exact."""
    entries = study(lrs=(0.0003, 0.001, 0.003))
    first = next(
        one
        for one in answers.answer(asked(entries))["next"]
        if one["why"].startswith("the best lr is at an end")
    )
    rates = first["change"]["grid"]["lr"]
    flagged = 2
    if isinstance(rates, dict):  # one of the two alone
        flagged = 1
        assert sorted(map(len, rates.values())) == [3, 4]
        rates = max(rates.values(), key=len)
    assert rates == [0.0003, 0.001, 0.003, 0.009]
    assert first["cells"] == 2 * flagged and first["trials"] == 5 * first["cells"]
    # digits holds 1,437 training examples, a tenth of them held out; ten epochs
    steps = sum(10 * -(-1293 // batch) for batch in (16, 64))
    assert first["steps"] == 5 * flagged * steps
    assert first["share"] == pytest.approx(first["steps"] / (5 * 2 * 3 * steps), abs=1e-4)


def test_an_open_question_asks_for_as_many_seeds_as_settle_it() -> None:
    """Half widths fall with the root of the seeds; beyond 200 a question stays open."""
    assert fresh_seeds_needed(20, half=0.01, away=0.005) == 80
    of = [entry.cell for entry in study()]
    ask = Next(of, AXES)
    confirm = {"cells": 4, "seeds": 20}
    found = ask.seeds(["adam against sgd"], 80, confirm, of[:2])
    assert found is not None
    assert found.change == {"confirm": {"cells": 4, "seeds": 80}}
    assert (found.cells, found.trials) == (2, 120)
    assert ask.seeds(["adam against sgd"], 201, confirm, of[:2]) is None
    assert ask.seeds([], 80, confirm, of[:2]) is None


def test_a_study_without_fresh_seeds_is_advised_to_take_some() -> None:
    """Unless it has one seed: then more of these come first."""
    why = [one["why"] for one in answers.answer(asked(study()))["next"]]
    assert any("fresh seeds" in text for text in why)
    first, *others = answers.answer(asked(study(seeds=(0,))))["next"]
    assert (first["change"], first["trials"]) == ({"seeds": 5}, 4 * len(study()))
    assert not any("fresh seeds" in one["why"] for one in others)


def test_one_examples_outcomes_narrow_what_the_test_set_leaves_open() -> None:
    """Examples that all seeds agree on are known: the interval is that of those in doubt."""
    entries = study()
    final = finalists(entries)
    plain = answers.answer(asked(entries, final))["chosen"]
    outcomes = np.ones(360)
    outcomes[:12] = 1 - plain["test"]["mean"]
    known = {plain["digest"]: outcomes}
    found = answers.answer(asked(entries, final, examples=known))["chosen"]["test"]
    wide = plain["test"]["examples_high"] - plain["test"]["examples_low"]
    assert found["examples_high"] - found["examples_low"] != pytest.approx(wide)


def test_headlines_have_the_same_keys_whatever_is_best() -> None:
    """About ten numbers of a workload, flat, strict JSON, no cell's identity among them."""
    entries = study()
    full = answers.headline(answers.answer(asked(entries, finalists(entries))))
    none = answers.headline(answers.answer(asked(study(validation=0.0), validated=False)))
    assert full.keys() == none.keys() and len(full) <= 12
    assert next(iter(full)) == "accuracy"
    assert all(value is None or isinstance(value, int | float) for value in full.values())
    json.dumps([full, none], allow_nan=False)
    assert none["accuracy"] is None and none["diverged_share"] is not None
