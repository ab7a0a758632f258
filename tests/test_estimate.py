"""``trainscape estimate``: exact counts, and a time that says what it rests on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from torch import Tensor, nn

from kit import examples
from kit.estimated import STUDY, layout, record, seconds
from kit.registries import kept
from kit.unfusable import MODELS, of_model
from trainscape import hardware, workloads
from trainscape.engine import run
from trainscape.engine.apart import obstacle
from trainscape.engine.blame import apart_because
from trainscape.errors import UserError
from trainscape.numerals import roughly
from trainscape.pipeline import speeds
from trainscape.pipeline.calibrate import calibrate
from trainscape.pipeline.estimate import estimate
from trainscape.pipeline.speeds import Speed, fit
from trainscape.workloads import Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.pipeline.layout import Layout

STEPS = 2 * (23 + 3)  # two optimizers; 1,150 examples in batches of 50 and 400, for one epoch


@pytest.fixture(autouse=True)
def _idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project without results on an idle machine."""
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("results/.study").write_text("default\n")
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))


def test_counts_cells_trials_and_steps_exactly() -> None:
    """The counts are those of the grid, and trials and steps those that are still to be trained."""
    record(1e-3)
    lines = estimate(layout()).splitlines()
    assert lines[0] == "study default: 4 cells × 3 seeds = 12 trials"
    assert lines[1].split("  ")[0] == "workload"
    assert lines[2].split() == ["digits-mlp", "4", "0", "0", "4", "12", str(2 * 3 * STEPS)]


def test_counts_range_tests_apart() -> None:
    """They are trained beside the cells of the grid, and are none of them."""
    record(1e-3)
    head = estimate(layout(range_test={"enabled": True})).splitlines()[0]
    assert head == "study default: 4 cells and 4 range tests × 3 seeds = 24 trials"


def test_tells_cells_that_are_there_and_in_the_attic_apart() -> None:
    """A cell that is there or waits in the attic is not counted as one to train."""
    record(1e-3)
    there, waiting, *_ = map(Path, layout().cells)
    kept = Path("results/.attic") / f"{waiting.stem.split('-')[-1]}.json"
    for path in (there, kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    row = estimate(layout()).splitlines()[2].split()
    assert row[:6] == ["digits-mlp", "4", "1", "1", "2", "6"]


def test_a_study_that_is_done_has_nothing_to_train_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is timed when no cell is missing or all that are come back from the attic."""
    monkeypatch.setattr(speeds, "calibrate", pytest.fail)
    paths = [Path(path) for path in layout().cells]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert estimate(layout()).endswith("nothing to train: every cell is there")
    attic = Path("results/.attic")
    attic.mkdir()
    for path in paths:
        path.rename(attic / f"{path.stem.split('-')[-1]}.json")
    assert "every missing cell is kept" in estimate(layout())


def test_sums_workloads_in_a_table_of_even_columns() -> None:
    """Several workloads have a row each and one of their sum, in columns of equal width."""
    for name in ("digits-mlp", "digits-cnn"):
        record(1e-3, name).rename(f"results/throughput/{hardware.fingerprint('auto')}-{name}.json")
    table = estimate(layout(workloads=["digits-mlp", "digits-cnn"])).splitlines()[1:5]
    assert len({len(line) for line in table}) == 1
    mlp, cnn, both = ([int(n.replace(",", "")) for n in row.split()[1:]] for row in table[1:])
    assert both == [a + b for a, b in zip(mlp, cnn, strict=True)]


def test_rests_on_step_times_of_this_machine_without_importing_torch() -> None:
    """A throughput record of this machine is enough: the answer comes at once and names it."""
    record(1e-3)
    Path("study.yaml").write_text(json.dumps(STUDY))
    code = (
        "import sys; from trainscape.cli import main; main(['estimate', '--study', 'study.yaml']);"
        "print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "rests on step times measured earlier on this machine" in out.stdout
    assert out.stdout.endswith("False\n")


def test_takes_longer_for_slower_steps_more_epochs_and_a_busy_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time grows with the step time, the budget and the load, which is mentioned."""
    record(1.0)
    once = seconds(estimate(layout()))
    assert seconds(estimate(layout(budget={"epochs": 20}))) > 5 * once
    record(10.0)
    assert seconds(estimate(layout())) > 5 * once
    record(1.0)
    load = float(len(hardware.usable_cores()))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    text = estimate(layout())
    assert seconds(text) == pytest.approx(2 * once, rel=0.2)
    assert f"the machine is busy; without that, {roughly(once)}" in text


def test_counts_the_measurement_of_step_times_until_it_is_made() -> None:
    """A study that measures step times takes longer while their record is not there."""
    plan = layout(throughput={"enabled": True, "block": 10})
    assert plan.throughput
    record(1e-3)
    before = seconds(estimate(plan))
    Path(plan.throughput).write_text("{}")
    assert before - seconds(estimate(plan)) == pytest.approx(2 * 4 * 20 * 10, rel=0.1)


def test_ignores_records_of_other_machines_and_broken_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Times of another machine do not count, and a damaged record is no error: it is measured."""
    record(1e-3, machine="0" * 12)
    record(1e-3).write_text("{")
    called: list[int] = []

    def calibrated(
        _: Layout, train: list[object], apart: object
    ) -> tuple[float, dict[str, Any], set[str]]:
        called.append(len(train))
        assert not apart
        return 2.0, {"digits-mlp": ({50: 0.001, 400: 0.002}, 0.003)}, set()

    monkeypatch.setattr(speeds, "calibrate", calibrated)
    text = estimate(layout())
    assert called == [4]
    assert "digits-mlp 1 ms a step at batch 50, digits-mlp 2 ms a step at batch 400" in text
    assert text.endswith("and 2.8 s to start a process")


def test_measures_on_the_spot_with_the_engine_in_a_few_seconds() -> None:
    """Without records the engine is timed: positive times, larger batches no faster, no files."""
    began = time.process_time()
    plan = layout()
    start, measured, _ = calibrate(plan, list(plan.cells.values()))
    assert time.process_time() - began < 8
    points, chunk = measured["digits-mlp"]
    assert sorted(points) == [50, 400]
    assert 0 < points[50] <= points[400] < 1
    assert 0 <= chunk < 1
    assert 0 < start < 30
    assert [path.name for path in Path().rglob("*")] == ["results", ".study"]


def test_measures_no_more_cells_together_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack as full as none of the study's may not fit the memory: large batches are few."""
    trained = run.train_cells
    widths = set()

    def watched(specs: list[Any], *args: Any, **words: Any) -> Any:
        widths.add((specs[0]["batch_size"], len(specs)))
        return trained(specs, *args, **words)

    monkeypatch.setattr(run, "train_cells", watched)
    plan = layout(grid={"optimizer": ["sgd", "adam"], "batch_size": [400, "full"], "lr": [0.1]})
    calibrate(plan, list(plan.cells.values()))
    assert widths == {(400, 2), (1150, 2)}


def test_measures_cells_that_would_diverge() -> None:
    """A rate at which every trial breaks off at once is measured as any other."""
    plan = layout(grid={"optimizer": ["sgd"], "batch_size": [50], "lr": [1e30]})
    _, measured, _ = calibrate(plan, list(plan.cells.values()))
    assert 0 < measured["digits-mlp"][0][50] < 1


def plugin(name: str, build: Callable[[], nn.Module]) -> None:
    """Register a workload as a plugin does."""
    workloads.registry.add(name, replace(examples.named(build), name=name), __file__)


def test_a_workload_whose_trials_train_one_by_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that the log has comes once, and the time is that of a plain loop for each trial."""
    with kept(workloads.registry):
        plugin("gated", MODELS["GRU"])
        plan = layout(workloads=["gated", "digits-mlp"])
        text = estimate(plan)
        line = apart_because("gated", found) if (found := obstacle(of_model("GRU"))) else ""
        assert text.splitlines().count(line) == 1
        assert "gated 0." not in text.split("measurement just now")[1], "not as fast as a pack"
        record(1.0, "digits-mlp")
        record(1.0, "gated").rename(f"results/throughput/{hardware.fingerprint('auto')}-gated.json")
        record(1.0, "digits-mlp")
        monkeypatch.setattr(speeds, "calibrate", pytest.fail)
        both = seconds(estimate(plan))
        assert both > 5 * seconds(estimate(layout()))


class Sorted(nn.Module):
    """A layer with an operation that has no entry in the tables."""

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x.sort(dim=1).values
        return found


def test_what_no_compiled_step_trains_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the cells' logs comes before a job starts, once for each rule that is tried."""
    with kept(workloads.registry):
        plugin("sorted", lambda: nn.Sequential(nn.Flatten(), Sorted(), nn.Linear(64, 10)))
        text = estimate(layout(workloads=["sorted", "digits-mlp"]))
    slow = [line for line in text.splitlines() if "by torch's kernels" in line]
    assert len(slow) == 1
    assert slow[0].startswith("workload 'sorted': its trials with ")
    assert "aten.sort.default has no entry" in slow[0]
    monkeypatch.setenv("TRAINSCAPE_CC", "none")
    text = estimate(layout(workloads=["digits-mlp"]))
    assert "trials train by torch's kernels and more slowly: TRAINSCAPE_CC is none" in text


def test_a_batch_of_one_example_is_found_where_batch_norm_meets_it() -> None:
    """1,150 examples in batches of 383 leave one: the line names sizes and cures, before a job."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))

    def axes(optimizer: object, size: int) -> dict[str, Any]:
        return {"optimizer": [optimizer], "batch_size": [50, size], "lr": [0.1]}

    with kept(workloads.registry):
        plugin("normed", build)
        for optimizer in ("sgd", {"torch": "torch.optim.SGD"}):
            with pytest.raises(UserError) as refused:
                estimate(layout(workloads=["normed"], grid=axes(optimizer, 383)))
            assert str(refused.value) == (
                "workload 'normed', batch_size 383: BatchNorm cannot train on a batch of one "
                "example, which 1150 examples leave; choose batch_size 382, or last_batch: drop"
            )
        with pytest.raises(UserError, match=r"batches of one example; choose batch_size 2 for the"):
            estimate(layout(workloads=["normed"], grid=axes("sgd", 1)))
        few = layout(workloads=["normed"], grid=axes("sgd", 383), budget={"steps": 3})
        assert "about" in estimate(few), "the last batch of an epoch is never met"


def test_a_metric_that_is_not_finite_is_not_taken_for_a_lack_of_memory() -> None:
    """Its trials diverge at once, and the line says so."""
    with kept(workloads.registry):
        entry = workloads.registry.get("digits-mlp")
        metric = Metric("m", "max", "", lambda output, _: output.mean() * float("nan"))
        workloads.registry.add("nan", replace(entry, name="nan", metric=metric), __file__)
        text = estimate(layout(workloads=["nan"]))
    assert "memory" not in text
    assert "nan: time unknown, as its trials diverge at once: a loss or metric is not" in text


def test_labels_beyond_the_outputs_are_found_before_a_model_meets_them() -> None:
    """The line is that of the labels, not torch's own."""
    with kept(workloads.registry):
        plugin("few", lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 2)))
        with pytest.raises(UserError, match="labels from 0 to 9; expected whole numbers from 0 to"):
            estimate(layout(workloads=["few"]))


def test_a_workload_without_data_is_named_and_not_downloaded() -> None:
    """A dataset that is not here is not fetched for an estimate: its time is called unknown."""
    text = estimate(layout(workloads=["mnist-mlp"]))
    assert text.endswith("mnist-mlp: time unknown before its data is there (trainscape data mnist)")
    assert "about" not in text


def test_fits_a_line_that_neither_falls_nor_starts_below_zero() -> None:
    """Step times are a fixed part and one per example, both never negative."""
    assert fit({10: 2.0, 20: 3.0}).step(30) == pytest.approx(4.0)
    assert fit({10: 3.0, 20: 2.0}).example == 0
    assert fit({10: 1.0, 20: 5.0}).fixed == 0
    assert fit({10: 2.0}, chunk=3.0) == Speed(1.0, 0.1, 3.0)
    assert fit({10: 2.0}).chunk == pytest.approx((1 + 25.6) / 3)


def test_optimizers_that_train_one_by_one_have_a_pace_of_their_own() -> None:
    """A class by its import path is timed apart, from records too: its seeds train in turn."""
    slow = {"torch": "torch.optim.LBFGS", "label": "slow"}
    plan = layout(grid={"optimizer": ["sgd", slow], "batch_size": [50], "lr": [0.1]})
    _, measured, _ = calibrate(plan, list(plan.cells.values()))
    assert set(measured) == {"digits-mlp", "digits-mlp with torch.optim.LBFGS"}
    fused, alone = (points[50] for points, _ in measured.values())
    assert alone > 2 * fused > 0

    def recorded(step_time: float) -> float:
        """The estimate from a record in which a step of that class takes so long."""
        path = record(1e-3)
        tree = json.loads(path.read_text())
        slow = [{**row, "optimizer": "slow", "step_time_s": step_time} for row in tree["rows"]]
        path.write_text(json.dumps({**tree, "rows": tree["rows"] + slow}))
        return seconds(estimate(plan))

    assert recorded(100.0) == pytest.approx(10 * recorded(10.0), rel=0.1)
