"""What is claimed of a workload: the setting to take, what it rests on, and what was lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kit import synthetic
from kit.asked import FRESH, asked, cells, equal, finalists, study
from trainscape import analysis, answers

if TYPE_CHECKING:
    from trainscape.analysis import Entry

CLAIMS = (
    *("chosen", "tied", "lr_range", "optimizers", "next"),
    *("against", "sensitivity", "untuned", "most_forgiving"),
)


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


@pytest.mark.parametrize("entries", [equal(), study()])
def test_no_choice_hangs_on_digests(entries: list[Entry]) -> None:
    """They change with the source; cells that tie exactly are told apart by what they are."""
    digests = sorted(entry.record.digest for entry in entries)
    other = [
        replace(entry, record=replace(entry.record, digest=digest))
        for entry, digest in zip(entries, digests, strict=True)
    ]
    assert other != entries
    for count in (1, 4, 7):
        there, here = (analysis.finalists_of(cells(of), count) for of in (entries, other))
        assert there == here
    best, same = (analysis.best_of_optimizers(cells(of)) for of in (entries, other))
    assert best == same
