"""What to run next: values beyond an axis, more seeds, fresh ones."""

from __future__ import annotations

import pytest

from kit.asked import AXES, asked, study
from trainscape import answers
from trainscape.answers._next import Next, fresh_seeds_needed


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
