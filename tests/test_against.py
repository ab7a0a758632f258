"""How optimizers are compared: each with the chosen setting's, and with every other."""

from __future__ import annotations

import numpy as np
import pytest

from kit.asked import asked, finalists, study
from trainscape import answers


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
