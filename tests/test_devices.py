"""``trainscape estimate --device``, and what an estimate knows without measuring."""

from __future__ import annotations

import json
import os
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest

from kit.estimated import layout, record, seconds
from trainscape import workloads
from trainscape.cells.identity import identity
from trainscape.cli import main
from trainscape.engine import run
from trainscape.errors import UserError
from trainscape.pipeline import speeds
from trainscape.pipeline.calibrate import calibrate
from trainscape.pipeline.devices import DEVICES, device
from trainscape.pipeline.estimate import estimate, foretold
from trainscape.pipeline.foresee import Foreseen
from trainscape.pipeline.speeds import Speed
from trainscape.pipeline.work import NUMBER, WEIGHTS, Todo, training

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout

PAGES = Path(__file__).resolve().parent.parent / "docs/benchmarks"
LONG = {"budget": {"epochs": 20_000}}  # so that the training is what takes the time
CONFIRM = {"confirm": {"cells": 2, "seeds": 3}}


@pytest.fixture(autouse=True)
def _idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project without results on an idle machine."""
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/.study").write_text("default\n")
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))


MEASURED = {
    "xeon": "engine",
    "h200": "gpu-nvidia-h200",
    "h100": "gpu-nvidia-h100-80gb-hbm3",
}


@pytest.mark.parametrize(("name", "page"), MEASURED.items())
def test_measured_rates_are_those_of_the_pages(name: str, page: str) -> None:
    """To two digits: a page that is measured anew gives the table its numbers."""
    rows = json.loads((PAGES / f"{page}.json").read_text(encoding="utf-8"))["rows"]
    best: dict[tuple[str, str, int], dict[str, float]] = {}  # of the widest packs, by optimizer
    for row in rows:
        key = row["precision"], row["workload"], row["batch_size"]
        widest = best.setdefault(key, {})
        widest[row["optimizer"]] = max(row["rate"], widest.get(row["optimizer"], 0.0))
    for precision, of in DEVICES[name].rates.items():
        for workload, rates in of.items():
            for batch, rate in rates.items():
                found = fmean(best[precision, workload, batch].values())
                assert rate == pytest.approx(found, rel=0.02), (precision, workload, batch)
    assert f"measured, docs/benchmarks/{page}.json" == DEVICES[name].source


def test_every_row_has_a_source() -> None:
    """Measured here, or stated by whom; all that was measured is told as that."""
    assert {"engine", *(path.stem for path in PAGES.glob("gpu-*.json"))} == set(MEASURED.values())
    for name, entry in DEVICES.items():
        said = "measured, docs/" if name in MEASURED else "stated: the H200's measured rates × "
        assert entry.source.startswith(said), name
        assert entry.known("fp32"), name


def test_an_unknown_device_is_refused_with_those_that_are_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one line, with the nearest."""
    Path("params.yaml").write_text("name: default\n")
    assert main(["estimate", "--device", "h201"]) == 2
    assert capsys.readouterr().err == (
        "trainscape: --device: unknown 'h201'; known are xeon, h200, h100, a100, l4, rtx-4090; "
        "did you mean 'h200'?\n"
    )
    with pytest.raises(UserError, match=r"unknown 'abacus'; known are xeon, [^?]+4090$"):
        device("abacus")


def test_a_device_s_time_is_of_its_rates_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A GPU is faster than two cores, a stated one slower than a measured one."""
    monkeypatch.setattr(speeds, "calibrate", pytest.fail)
    said = {name: estimate(layout(**LONG), name) for name in ("xeon", "h200", "a100")}
    times = {name: seconds(text) for name, text in said.items()}
    assert times["h200"] < times["a100"] < times["xeon"]
    for name, text in said.items():
        assert DEVICES[name].source in text
    monkeypatch.setattr(os, "getloadavg", lambda: (100.0, 0.0, 0.0))
    assert seconds(estimate(layout(**LONG), "xeon")) == times["xeon"], "it is another machine"


def test_what_was_not_measured_on_a_device_is_called_unknown() -> None:
    """A workload, a precision and an optimizer of torch's: there are counts, and no time."""
    text = estimate(layout(workloads=["digits-cnn"]), "h200")
    assert "digits-cnn: time unknown on an NVIDIA H200 in fp32; known there are digits-mlp" in text
    assert "about" not in text
    assert "in bf16; known there are none" in estimate(layout(precision="bf16"), "xeon")
    fashion = {"workloads": ["fashion-mlp"]}
    assert "about" in estimate(layout(**fashion), "h200"), "its model is that of mnist-mlp"
    grid = {"optimizer": [{"torch": "torch.optim.ASGD"}], "batch_size": [50], "lr": [0.1]}
    assert "time unknown on an NVIDIA H200" in estimate(layout(grid=grid), "h200")


def test_knows_how_many_numbers_our_models_have() -> None:
    """Those of which the noise of gradients is measured."""
    for name in workloads.registry.names():
        if workloads.registry.ships(name) and WEIGHTS[name]:
            model = workloads.registry.get(name).build()
            assert WEIGHTS[name] == sum(param.numel() for param in model.parameters()), name


def test_the_noise_of_finalists_takes_time_and_is_told() -> None:
    """The more numbers a gradient has, the longer; a model with batch normalisation has none."""
    record(1e-3)
    assert "for the noise" not in estimate(layout(validation=0.2))
    text = estimate(layout(validation=0.2, **CONFIRM))
    assert text.endswith("for the noise of the finalists' gradients")

    def noise(name: str) -> float:
        plan = layout(workloads=[name], validation=0.2, **CONFIRM)
        todo = Todo.of(plan, plan.expected)
        alike = {name: Speed(1e-3, 0.0, 0.0)}
        return training(plan, todo, alike, Foreseen(), NUMBER)[1]

    small, large = noise("digits-mlp"), noise("mnist-mlp")
    evaluations = 2 * 3 * 2  # finalists, fresh seeds, epochs
    each = 64 * 4_810 * 4.3e-9
    assert small == pytest.approx(evaluations * (1e-3 / 3 + each))
    assert large > 10 * small
    assert noise("cifar10-resnet") == 0.0


def test_seeds_that_hold_out_their_own_are_measured_in_a_full_pack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They train seed after seed: a measurement of one seed would count for all of them."""
    trained, asked = run.train_cells, []

    def watched(specs: list[Any], *args: Any, **words: Any) -> Any:
        asked.append(specs[0].get("split", "fixed"))
        return trained(specs, *args, **words)

    monkeypatch.setattr(run, "train_cells", watched)
    plan = layout(split="per-seed", validation=0.2)
    calibrate(plan, list(plan.cells.values()))
    assert set(asked) == {"fixed"}


def jobs(plan: Layout, **more: int) -> dict[str, int]:
    """The jobs of a run that trains all cells."""
    return {"train": len(plan.cells), "draw_figures": 1, "write_report": 1, **more}


def test_a_dry_run_s_time_is_measured_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """By this machine's records, else by the table, else it is said who measures."""
    monkeypatch.setattr(speeds, "calibrate", pytest.fail)
    plan = layout(**LONG)
    table = foretold(plan, jobs(plan), plan.cells)
    assert "by the step times of 2 cores of an Intel Xeon" in table
    assert "'trainscape estimate' measures them here" in table
    record(1.0)
    known = foretold(plan, jobs(plan), plan.cells)
    assert known.endswith(("core, give or take half", "cores, give or take half"))
    few = foretold(plan, jobs(plan), list(plan.cells)[:1])
    assert seconds(few.replace("A", "a", 1)) < seconds(known.replace("A", "a", 1))
    other = layout(workloads=["digits-mlp", "cifar10-resnet"])
    assert foretold(other, jobs(other), other.cells).startswith("How long: 'trainscape estimate'")


def test_a_dry_run_s_time_counts_what_runs_alone() -> None:
    """Finalists that are yet to be chosen count; a run of the report alone takes seconds."""
    record(1.0)
    plan = layout(validation=0.2, **CONFIRM)
    once = foretold(plan, jobs(plan), plan.cells)
    again = foretold(plan, jobs(plan, choose_finalists=1), plan.cells)
    assert seconds(again.replace("A", "a", 1)) > seconds(once.replace("A", "a", 1))
    assert foretold(plan, {"write_report": 1}, []).startswith("About 10 s on ")


def test_step_times_of_another_study_here_count(tmp_path: Path) -> None:
    """A step takes as long in another output folder."""
    path = record(1.0)
    plan = layout(output="results-try")
    other = tmp_path / "results/throughput" / path.name
    assert other.exists()
    assert "Xeon" not in foretold(plan, jobs(plan), plan.cells)


def test_cells_of_the_attic_take_no_time_in_a_dry_run() -> None:
    """They come back, and are not trained."""
    record(1.0)
    plan = layout(**LONG)
    for path, cell in plan.cells.items():
        kept = Path("results/.attic") / f"{cell.digest(identity(cell))[:12]}.json"
        kept.parent.mkdir(exist_ok=True)
        kept.touch()
        assert path.endswith(kept.name)
    assert "h on" not in foretold(plan, jobs(plan), plan.cells)
