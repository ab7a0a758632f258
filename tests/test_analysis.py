"""The tables: what a trial and a cell are worth, which is best, and how sure that is."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations, product
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from kit import synthetic
from trainscape import analysis
from trainscape.analysis import Entry, steps_to_target
from trainscape.workloads import Metric

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = {"digits-mlp": 0.95}
HIGH = Metric("accuracy", "max", "fraction", synthetic.untrained)
LOW = Metric("MSE", "min", "", synthetic.untrained)


def one(*histories: list[float], diverged_at: int | None = None, **axes: object) -> Entry:
    """A cell with one seed per history, evaluated at steps 10, 20, 30; the last may diverge."""
    trials = [
        synthetic.trial(seed, values, diverged_at if seed == len(histories) - 1 else None)
        for seed, values in enumerate(histories)
    ]
    of = synthetic.cell(seeds=range(len(histories)), **axes)  # type: ignore[arg-type]
    return synthetic.entry(of, trials, (10, 20, 30))


def summarised(*entries: Entry, targets: dict[str, float] | None = None) -> list[analysis.Row]:
    """The summary's rows."""
    return analysis.records(analysis.summary(analysis.trials(entries, targets or TARGETS)))


@pytest.mark.parametrize(
    ("values", "metric", "target", "expected"),
    [
        ([0.5, 0.95, 0.9], HIGH, 0.95, 20),
        ([0.95, 0.1, 0.1], HIGH, 0.95, 10),
        ([0.5, 0.6, 0.9499], HIGH, 0.95, None),
        ([0.5, 0.25, 0.3], LOW, 0.25, 20),
        ([0.5, 0.3, 0.26], LOW, 0.25, None),
        ([0.96], HIGH, 0.95, 10),
        ([], HIGH, 0.95, None),
    ],
)
def test_steps_to_target_is_the_first_evaluation_that_reaches_it(
    values: list[float], metric: Metric, target: float, expected: int | None
) -> None:
    """Reaching means at least as good, in the metric's direction; never is None."""
    assert steps_to_target([10, 20, 30], values, metric, target) == expected


def test_summary_of_a_whole_cell() -> None:
    """Every column of a cell of three finished seeds has the value worked out by hand."""
    entry = one([0.5, 0.75, 0.875], [0.5, 0.96875, 0.9375], [0.25, 0.5, 0.96875])
    (row,) = summarised(entry)
    assert row == {
        "workload": "digits-mlp",
        "optimizer": "adam",
        "batch_size": 64,
        "lr": 0.01,
        "schedule": "constant",
        "seeds": 3,
        "status": "ok",
        "diverged": 0,
        "failed": 0,
        "val_metric_mean": pytest.approx(0.9270833333333334, abs=1e-15),
        "val_metric_std": pytest.approx((7 / 3072) ** 0.5, abs=1e-15),
        "test_metric_mean": pytest.approx(0.9114583333333334, abs=1e-15),
        "test_metric_std": pytest.approx((7 / 3072) ** 0.5, abs=1e-15),
        "train_loss_mean": pytest.approx(0.290625, abs=1e-15),
        "train_loss_std": pytest.approx(0.9 * (7 / 3072) ** 0.5, abs=1e-15),
        "generalisation_gap": pytest.approx(0.06, abs=1e-15),
        "steps_to_target": 30.0,
        "reached": 2,
        "digest": entry.record.digest[:12],
    }


@pytest.mark.parametrize(
    ("finals", "expected", "reached"),
    [
        ([0.96, 0.96], 10.0, 2),
        ([0.96, 0.5], None, 1),
        ([0.96, 0.96, 0.5], 10.0, 2),
        ([0.96, 0.5, 0.5], None, 1),
        ([0.5], None, 0),
    ],
)
def test_steps_to_target_of_a_cell_is_null_when_half_or_more_seeds_never_reached(
    finals: list[float], expected: float | None, reached: int
) -> None:
    """The median counts a censored seed as later than all others."""
    (row,) = summarised(one(*[[value] for value in finals]))
    assert (row["steps_to_target"], row["reached"]) == (expected, reached)


def test_an_even_number_of_seeds_takes_the_mean_of_the_middle_two() -> None:
    """Seeds at 10, 20, 30 and one that never reached: the middle two are 20 and 30."""
    (row,) = summarised(one([0.96], [0.1, 0.96], [0.1, 0.1, 0.96], [0.1, 0.1, 0.1]))
    assert (row["steps_to_target"], row["reached"]) == (25.0, 3)


def test_a_diverged_seed_takes_the_means_of_its_cell() -> None:
    """The cell is diverged and counts the seed; its means are null, never those of the rest."""
    (row,) = summarised(one([0.5, 0.9, 0.97], [0.5, 0.96], diverged_at=23))
    assert (row["status"], row["diverged"], row["seeds"]) == ("diverged", 1, 2)
    nulls = {key for key, value in row.items() if value is None}
    assert nulls == {
        *(
            f"{name}_{m}"
            for name in ("val_metric", "test_metric", "train_loss")
            for m in ("mean", "std")
        ),
        "generalisation_gap",
        "steps_to_target",
    }
    assert row["reached"] == 1  # the other had, before it diverged: it stopped counting


def test_a_trial_that_did_not_end_has_no_value_but_says_where_it_broke() -> None:
    """The row of a diverged trial holds its step and no metric."""
    table = analysis.trials([one([0.5, 0.9], diverged_at=23)], TARGETS)
    (row,) = analysis.records(table)
    assert (row["status"], row["diverged_at"], row["steps"]) == ("diverged", 23, 30)
    assert row["val_metric"] is None
    assert row["train_loss"] is None


def test_one_seed_has_a_mean_and_no_deviation() -> None:
    """A single seed's spread is unknown, not zero."""
    (row,) = summarised(one([0.5, 0.6, 0.75]))
    assert (row["val_metric_mean"], row["val_metric_std"]) == (0.75, None)


def test_without_validation_nothing_is_selected() -> None:
    """No validation split: no validation metric, no steps to target, no best, and test stays."""
    entries = synthetic.study(validation=0.0, batch_sizes=(64,), lrs=(0.001, 0.01))
    table = analysis.trials(entries, TARGETS)
    summary = analysis.summary(table)
    assert not analysis.validated(table)
    assert summary[["val_metric_mean", "steps_to_target", "reached"]].isna().all(axis=None)
    assert summary["test_metric_mean"].notna().all()
    assert analysis.best(analysis.records(summary)) is None
    chosen = analysis.records(analysis.bests(summary))[-1]
    assert (chosen["lr"], chosen["test_metric_mean"], chosen["cells"]) == (None, None, 4)


def test_a_lone_cell_is_no_choice() -> None:
    """One cell for a batch size: its numbers are the best even without validation."""
    entries = synthetic.study(validation=0.0, batch_sizes=(64,), lrs=(0.01,), schedules=("cosine",))
    summary = analysis.summary(analysis.trials(entries, TARGETS))
    chosen = analysis.records(analysis.bests(summary))[-1]
    assert (chosen["optimizer"], chosen["lr"], chosen["schedule"]) == ("adam", 0.01, "cosine")
    assert chosen["test_metric_mean"] == summary["test_metric_mean"].iloc[-1]


def test_the_best_is_chosen_by_validation_and_never_by_test() -> None:
    """A cell with the better test and the worse validation is not the best."""
    rows: list[analysis.Row] = [
        named(val_metric_mean=0.9, test_metric_mean=0.99),
        named(val_metric_mean=0.91, test_metric_mean=0.5),
        named(val_metric_mean=None, test_metric_mean=None),
    ]
    assert analysis.best(rows) is rows[1]
    assert analysis.best(rows[2:]) is None


def test_equals_are_told_by_what_they_are_and_never_by_their_place() -> None:
    """Of equal means the largest batch is best, then the lowest rate, then the first by name."""
    rows = [
        named(batch_size=64, optimizer="adam"),
        named(lr=0.1),
        named(optimizer="sgd"),
        named(optimizer="rmsprop"),
    ]
    for order in permutations(rows):
        assert analysis.best(order) == rows[3]


def named(**changes: object) -> analysis.Row:
    """A summary row as far as a choice looks at it."""
    cell = {"workload": "digits-mlp", "optimizer": "sgd", "batch_size": 256, "lr": 0.01}
    return {**cell, "schedule": "cosine", "val_metric_mean": 0.9, **changes}


def test_a_metric_of_which_less_is_better_is_minimised() -> None:
    """For a regression the least validation metric is best and the target is reached from above."""
    name = synthetic.regression()
    entries = [
        one([0.5, 0.25], [0.5, 0.125], workload=name, lr=0.01),
        one([0.5, 0.5], [0.5, 0.5], workload=name, lr=0.1),
    ]
    rows = summarised(*entries, targets={name: 0.25})
    chosen = analysis.best(rows)
    assert chosen is rows[0]
    assert (chosen["steps_to_target"], chosen["reached"]) == (20.0, 2)
    assert (rows[1]["steps_to_target"], rows[1]["reached"]) == (None, 0)


@pytest.mark.parametrize(("lr", "expected"), [(0.01, "lowest"), (0.1, None), (1.0, "highest")])
def test_a_best_lr_at_an_end_of_its_own_optimizers_axis_is_flagged(
    lr: float, expected: str | None
) -> None:
    """The axis is that of the optimizer, whatever others tried, diverged values included."""
    rows = summarised(
        *[one([0.5], lr=value) for value in (0.01, 0.1)],
        one([0.5], diverged_at=12, lr=1.0),
        one([0.5], lr=10.0, optimizer="sgd"),
    )
    assert analysis.edge({**rows[0], "lr": lr}, rows) == expected
    assert analysis.edge(rows[-1], rows) is None  # one value has no ends


def test_each_optimizer_and_batch_size_has_its_best() -> None:
    """A row each, in grid order, read off the best cell; diverged seeds of all are counted."""
    summary = analysis.summary(analysis.trials(synthetic.study(), TARGETS))
    rows = analysis.records(analysis.bests(summary))
    names = [(row["optimizer"], row["batch_size"]) for row in rows]
    assert names == list(product(("sgd", "momentum", "adam"), (16, 64, 256, 1024)))
    own = summary[(summary["optimizer"] == "adam") & (summary["batch_size"] == 64)]
    chosen = own.sort_values("val_metric_mean", ascending=False).iloc[0]
    found = rows[names.index(("adam", 64))]
    for name in ("lr", "schedule", "test_metric_mean", "steps_to_target", "digest"):
        assert found[name] == chosen[name]
    assert found["diverged_share"] == own["diverged"].sum() / own["seeds"].sum() > 0


def test_nothing_is_best_where_every_cell_diverged() -> None:
    """All lost: nothing is chosen, and the share says why."""
    summary = analysis.summary(
        analysis.trials([one([0.1], lr=lr, diverged_at=13) for lr in (0.1, 1.0)], TARGETS)
    )
    (found,) = analysis.records(analysis.bests(summary))
    assert (found["optimizer"], found["batch_size"], found["lr"]) == ("adam", 64, None)
    assert (found["test_metric_mean"], found["diverged_share"]) == (None, 1.0)


def test_time_to_target_is_steps_times_the_median_step_alone() -> None:
    """The step-only time counts, not the one with data loading; unreached is null."""
    entries = [one([0.5, 0.96], lr=0.1), one([0.5, 0.5], lr=0.2)]
    trials = analysis.trials(entries, TARGETS)
    record = synthetic.throughput(entries)
    table, tree = analysis.timings([record], analysis.summary(trials), trials)
    step = next(row for row in record["rows"] if row["mode"] == "step")["step_time_s"]
    assert analysis.records(table)[0]["time_to_target_s"] == 20 * step
    assert analysis.records(table)[1]["time_to_target_s"] is None
    assert tree["timings"]["digits-mlp"]["adam"]["64"]["time_to_target_s"] == 20 * step
    assert tree["hardware"] == record["hardware"]


def test_timings_not_measured_here_are_null() -> None:
    """Without a record every time is null, and the rows are those of the summary."""
    trials = analysis.trials(synthetic.study(lrs=(0.01,)), TARGETS)
    summary = analysis.summary(trials)
    table, tree = analysis.timings([], summary, trials)
    assert table["digest"].tolist() == summary["digest"].tolist()
    assert table.filter(like="_s").drop(columns="batch_size", errors="ignore").isna().all(axis=None)
    assert json.dumps(tree, allow_nan=False).startswith('{"fingerprint": null, "hardware": null')


def test_timings_of_two_machines_are_refused() -> None:
    """Seconds of different hardware don't mix."""
    entries = [one([0.5])]
    trials = analysis.trials(entries, TARGETS)
    summary = analysis.summary(trials)
    record = synthetic.throughput(entries)
    with pytest.raises(ValueError, match="different hardware"):
        analysis.timings([record, {**record, "fingerprint": "0" * 12}], summary, trials)


def test_curves_count_epochs_for_every_batch_size() -> None:
    """Epochs are examples seen over those of the split; a diverged trial's curve is shorter."""
    entries = [one([0.5, 0.6, 0.7], [0.5], diverged_at=13)]
    table = analysis.curves(entries)
    seen = [10 * 64, 20 * 64, 1293 + 9 * 64, 10 * 64]  # 21 steps a pass, the last one smaller
    validation = table[table["split"] == "validation"]
    assert validation["epoch"].tolist() == [examples / 1293 for examples in seen]
    assert validation["metric"].tolist() == [0.5, 0.6, 0.7, 0.5]


def test_curves_have_a_row_for_each_split() -> None:
    """Cell, seed, step, split, loss, metric: of training there is a loss, of the others both."""
    trial = synthetic.trial(4, [0.5, 0.6])
    entry = synthetic.entry(synthetic.cell(), [trial], (10, 20))
    rows = analysis.records(analysis.curves([entry]))
    assert [
        (row["seed"], row["step"], row["split"], row["loss"], row["metric"]) for row in rows
    ] == [
        (4, step, split, losses[i], metrics[i])
        for i, step in enumerate((10, 20))
        for split, losses, metrics in (
            ("train", trial.train_loss, (None, None)),
            ("validation", trial.val_loss, trial.val_metric),
            ("test", trial.test_loss, trial.test_metric),
        )
    ]
    unsplit = synthetic.entry(
        replace(synthetic.cell(), validation=0.0),
        [replace(trial, val_loss=[], val_metric=[])],
        (10, 20),
    )
    assert analysis.curves([unsplit])["split"].tolist() == ["train", "test"] * 2


def test_tables_come_back_from_csv_as_they_were(tmp_path: Path) -> None:
    """Every float, null, count and label survives the file, even labels that look like others."""
    odd = synthetic.cell(label="NA", schedule="007", lr=1 / 3)
    entries = [
        synthetic.entry(odd, [synthetic.trial(0, [1 / 3, 0.1 + 0.2])], (10, 20)),
        one([0.1], diverged_at=13),
    ]
    for name, table in {
        "trials": analysis.trials(entries, TARGETS),
        "summary": analysis.summary(analysis.trials(entries, TARGETS)),
        "curves": analysis.curves(entries),
    }.items():
        path = tmp_path / f"{name}.csv"
        analysis.write_csv(table, path)
        pd.testing.assert_frame_equal(analysis.read_csv(path), table, check_exact=True)
        assert b"\r" not in path.read_bytes()
        assert b"nan" not in path.read_bytes().lower()
    again = analysis.summary(analysis.read_csv(tmp_path / "trials.csv"))
    pd.testing.assert_frame_equal(again, analysis.read_csv(tmp_path / "summary.csv"))
