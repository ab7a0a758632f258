"""The page's data: curves that each keep their seed and steps, and nothing that no script reads."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape import report
from trainscape.report import _data, _write
from trainscape.report._claims import claims
from trainscape.report._data import FINE, data

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.analysis import Entry
    from trainscape.report._claim import Claim

FEW: dict[str, Any] = {"optimizers": ("sgd", "adam"), "batch_sizes": (16,), "lrs": (0.01, 0.1)}
STEPS = [80 * k for k in range(1, 11)]


def held(made: MadeUp, folder: Path) -> dict[str, Any]:
    """What the page's script knows of the first workload."""
    found: dict[str, Any] = json.loads(data(made.page(folder), {}))["workloads"][0]
    return found


def lost(entry: Entry, seed: int, evaluations: int) -> Entry:
    """The cell where one seed diverged after so many evaluations."""
    values = [0.5 + k / 100 for k in range(evaluations)]
    record = entry.record
    record.trials[seed] = synthetic.trial(seed, values, STEPS[evaluations] - 3)
    return replace(entry, record=record)


def curves_of(own: dict[str, Any], entry: Entry) -> list[list[float]]:
    """A cell's curves, seed by seed."""
    index = own["cells"]["digest"].index(entry.record.digest[:12])
    found: list[list[float]] = own["curves"]["values"][index]
    return found


def test_a_seed_without_evaluations_keeps_its_place(tmp_path: Path) -> None:
    """Its curve is empty; the others are those of their seeds."""
    entries = synthetic.study(**FEW)
    entries[0] = lost(entries[0], 1, 0)
    own = held(MadeUp(entries), tmp_path)
    assert own["seeds"] == [0, 1, 2]
    first, second, third = curves_of(own, entries[0])
    assert second == []
    for found, seed in ((first, 0), (third, 2)):
        values = entries[0].record.trials[seed].val_metric
        assert [FINE * one for one in found] == pytest.approx(values, abs=FINE)


def test_thinned_curves_have_their_values_at_their_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a trial that diverged, too: it is thinned from the end of whole runs, not of its own."""
    entries = synthetic.study(**FEW)
    entries[0] = lost(entries[0], 1, 5)
    monkeypatch.setattr(_data, "POINTS", 3 * len(entries) * 5)  # every other one
    own = held(MadeUp(entries), tmp_path)
    steps = own["curves"]["steps"]["16"]
    assert steps == STEPS[1::2]
    for seed, found in enumerate(curves_of(own, entries[0])):
        values = entries[0].record.trials[seed].val_metric
        assert [FINE * one for one in found] == pytest.approx(values[1::2], abs=FINE)
    assert len(curves_of(own, entries[0])[1]) == 2


def test_points_are_counted_by_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two small workloads are not thinned because both together are many."""
    both = [*synthetic.study(**FEW), *synthetic.study(synthetic.regression(), **FEW)]
    monkeypatch.setattr(_data, "POINTS", 3 * len(both) * 10 // 2)
    assert held(MadeUp(both, measured=None), tmp_path)["curves"]["steps"]["16"] == STEPS


def test_no_number_is_none(tmp_path: Path) -> None:
    """What JSON has no word for would be read by no browser."""
    made = MadeUp(synthetic.study(**FEW))
    made.found["digits-mlp"]["margin"] = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        data(made.page(tmp_path), {})


def test_claims_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each part of the page."""
    made = MadeUp(synthetic.study(**FEW))
    asked = []

    def counted(found: Any) -> list[Claim]:
        asked.append(found)
        return claims(found)

    monkeypatch.setattr(_write, "claims", counted)
    made.figures = []
    report.write(made.page(tmp_path), tmp_path / "report.html")
    assert len(asked) == 1


def test_it_holds_what_the_script_reads(tmp_path: Path) -> None:
    """Of fresh seeds what the cell's panel shows, and no other column."""
    made = MadeUp(synthetic.study(**FEW))
    page = replace(made.page(tmp_path), confirmed=made.trials)
    own = json.loads(data(page, {}))["workloads"][0]
    kept = {name for cell in own["confirmed"].values() for name in cell}
    assert kept == {"digest", "seeds", "val", "test"}
    assert own["margin"] == "0.5 points"
