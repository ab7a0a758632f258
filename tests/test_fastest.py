"""Times to target with intervals, the soonest setting, and the front of accuracy and time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit import synthetic
from trainscape import analysis, answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.analysis import Row

NAME = "digits-mlp"
TARGETS = {NAME: 0.95}
EVALUATIONS = [10 * (k + 1) for k in range(10)]


def reaching(at: Sequence[int | None], **axes: Any) -> analysis.Entry:
    """A cell whose seeds reach the target at these evaluations, counted from 1; None for never."""
    cell = synthetic.cell(seeds=range(len(at)), **axes)
    values = [[0.96 if n and k + 1 >= n else 0.5 for k in range(10)] for n in at]
    trials = [synthetic.trial(seed, own) for seed, own in enumerate(values)]
    return synthetic.entry(cell, trials, EVALUATIONS)


def made(
    *entries: analysis.Entry, record: dict[str, Any] | None = None
) -> tuple[list[Row], dict[str, Any]]:
    """The cells with their times, and the JSON."""
    trials = analysis.trials(entries, TARGETS)
    summary = analysis.summary(trials)
    records = [record or synthetic.throughput(entries)]
    table, tree = analysis.timings(records, summary, trials)
    json.dumps(tree, allow_nan=False)
    return analysis.timed(summary, table), tree


# Intervals


def test_time_of_five_seeds() -> None:
    """From the least to the most over seeds, with the step's own interval; its level is said."""
    (row,), tree = made(reaching([2, 3, 4, 5, 6]))
    assert (row["steps_low"], row["steps_high"]) == (20, 60)
    below = np.hypot(np.log(40 / 20), np.log(1 / 0.97))
    above = np.hypot(np.log(60 / 40), np.log(1.04))
    middle = row["time_to_target_s"]
    assert row["time_low_s"] == pytest.approx(middle * np.exp(-below))
    assert row["time_high_s"] == pytest.approx(middle * np.exp(above))
    assert tree["level"] == 0.9375


def test_time_of_many_and_of_few_seeds() -> None:
    """Twenty seeds have 95% between the sixth and the fifteenth; three have no interval."""
    (row,), tree = made(reaching([*range(1, 11)] * 2))
    assert (row["steps_low"], row["steps_high"]) == (30, 80)
    assert tree["level"] == 0.95
    (row,), tree = made(reaching([2, 3, 4]))
    assert [row[name] for name in ("steps_low", "steps_high", "time_low_s")] == [None] * 3
    assert row["time_to_target_s"] is not None
    assert tree["level"] is None


def test_the_level_is_the_least_of_all_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of workloads with different seeds; those with too few for an interval say nothing of it."""
    few, some, many = (
        reaching([5] * seeds, workload=name)
        for seeds, name in ((3, NAME), (5, "digits-cnn"), (20, "mnist-mlp"))
    )
    for name in ("digits-cnn", "mnist-mlp"):
        monkeypatch.setitem(TARGETS, name, 0.95)
    levels = [made(*own)[1]["level"] for own in ([many, some], [some, many], [few, many])]
    assert levels == [0.9375, 0.9375, 0.95]


def test_a_seed_that_never_reaches_leaves_the_interval_open() -> None:
    """It counts as later than all: there is a low end and no high one."""
    (row,), _ = made(reaching([2, 3, 4, None, None]))
    assert (row["steps_low"], row["steps_high"]) == (20, None)
    assert row["time_low_s"] is not None and row["time_high_s"] is None


def test_unreached_or_too_few_blocks() -> None:
    """No median has no interval; nor has a step time of few blocks."""
    (row,), _ = made(reaching([2, 3, None, None, None]))
    assert row["steps_low"] is None and row["time_low_s"] is None
    entry = reaching([2] * 5)
    record = synthetic.throughput([entry])
    for one in record["rows"]:
        one.update(step_low_s=None, step_high_s=None)
    (row,), _ = made(entry, record=record)
    assert (row["steps_low"], row["time_low_s"], row["time_high_s"]) == (20, None, None)


@pytest.mark.parametrize(
    ("noisy", "too_high", "quiet"),
    [(0, False, True), (1, False, True), (2, False, False), (0, True, False)],
)
def test_whether_the_machine_was_quiet(noisy: int, too_high: bool, quiet: bool) -> None:
    """It was not if others used it, or if more than 1 of 20 measurements stayed noisy."""
    entries = [reaching([2] * 5, batch_size=size) for size in range(16, 26)]
    record = synthetic.throughput(entries, too_high=too_high)
    for one in record["rows"][:noisy]:
        one.update(noisy=1, noisy_because="spread")
    rows, tree = made(*entries, record=record)
    assert [tree[name] for name in ("quiet", "measurements", "noisy")] == [quiet, 20, noisy]
    assert tree["load"] == record["load"]
    assert rows[0]["noisy_because"] == ("spread" if noisy else None)


def test_nothing_measured_says_so() -> None:
    """Without a record nobody knows whether the machine was quiet."""
    trials = analysis.trials([reaching([2] * 5)], TARGETS)
    _, tree = analysis.timings([], analysis.summary(trials), trials)
    assert (tree["quiet"], tree["measurements"]) == (None, 0)


# The soonest setting


def test_fastest_parts() -> None:
    """Its interval lies below those of all others."""
    rows, _ = made(reaching([2] * 5, lr=0.1), reaching([4] * 5, batch_size=16, lr=0.1))
    found = answers.fastest(rows)
    assert found
    assert found["cell"] == {
        "optimizer": "adam",
        "batch_size": 64,
        "lr": 0.1,
        "schedule": "constant",
    }
    assert found["digest"] == rows[0]["digest"]
    assert found["seconds"] == {
        "median": rows[0]["time_to_target_s"],
        "low": rows[0]["time_low_s"],
        "high": rows[0]["time_high_s"],
    }
    assert found["steps"] == {"median": 20, "low": 20, "high": 20}
    assert (found["parts"], found["count"], found["others"]) == (True, 0, 1)


def test_settings_that_cannot_be_told_apart() -> None:
    """They are counted, among all that reach the target; those that part are not."""
    rows, _ = made(
        reaching([6, 7, 8, 9, 10], lr=0.3),
        reaching([2, 3, 4, 5, 7], lr=0.2),
        reaching([1, 2, 3, 4, 5], batch_size=16, lr=0.1),
        reaching([None, None, None, 1, 1], lr=0.4),
    )
    found = answers.fastest(rows)
    assert found
    assert (found["cell"]["lr"], found["parts"]) == (0.1, False)
    assert (found["count"], found["others"]) == (1, 2)
    assert answers.fastest(rows[::-1]) == found


def test_a_setting_with_no_other_parts_from_none() -> None:
    """Its interval says nothing of others."""
    rows, _ = made(reaching([1] * 5), reaching([None] * 5, lr=0.2))
    found = answers.fastest(rows)
    assert found and found["seconds"]["high"] is not None
    assert (found["parts"], found["count"], found["others"]) == (False, 0, 0)


def test_settings_of_one_step_time_are_compared_by_steps() -> None:
    """An error of the step time moves both; intervals of seconds would overlap here."""
    entries = [reaching([5] * 5, lr=0.1), reaching([6] * 5, lr=0.2)]
    record = synthetic.throughput(entries)
    for one in record["rows"]:
        one.update(step_low_s=0.8 * one["step_time_s"], step_high_s=1.25 * one["step_time_s"])
    rows, _ = made(*entries, record=record)
    assert rows[1]["time_low_s"] < rows[0]["time_high_s"]
    found = answers.fastest(rows)
    assert found and found["parts"]


def test_without_intervals_nothing_is_told_apart() -> None:
    """Three seeds say too little, and an interval that is open above parts from none."""
    rows, _ = made(reaching([1] * 3, lr=0.1), reaching([9] * 3, lr=0.2))
    found = answers.fastest(rows)
    assert found and (found["parts"], found["count"]) == (False, 1)
    rows, _ = made(reaching([1, 1, 1, None, None], lr=0.1), reaching([9] * 5, lr=0.2))
    found = answers.fastest(rows)
    assert found and (found["parts"], found["count"]) == (False, 1)


def test_two_optimizers_at_one_batch_size_have_step_times_of_their_own() -> None:
    """More steps of one that takes less time for each may be as soon: seconds are compared."""
    entries = [reaching([5] * 5, optimizer="sgd"), reaching([6] * 5, optimizer="adam")]
    record = synthetic.throughput(entries)
    for one in record["rows"]:
        step = 0.9e-3 if one["optimizer"] == "adam" else 1e-3
        one.update(step_time_s=step, step_low_s=0.9 * step, step_high_s=1.1 * step)
    rows, _ = made(*entries, record=record)
    found = answers.fastest(rows)
    assert found and found["cell"]["optimizer"] == "sgd"
    assert (found["parts"], found["count"]) == (False, 1)


def test_nothing_reached_or_measured() -> None:
    """Then nothing is the fastest."""
    rows, _ = made(reaching([None] * 5))
    assert answers.fastest(rows) is None
    assert answers.fastest([]) is None


def test_equal_settings_are_seldom_called_fastest() -> None:
    """Of two or ten equal settings one is called fastest in less than 5% of studies."""
    draws = np.random.default_rng(0)
    for settings in (2, 10):
        claimed = 0
        for _ in range(1000):
            steps = np.sort(np.exp(draws.normal(4, 0.3, (settings, 5))), 1)
            rows = [_row(k, *steps[k, [2, 0, 4]].tolist()) for k in range(settings)]
            found = answers.fastest(rows)
            assert found
            claimed += found["parts"]
        assert claimed < 50


def _row(number: int, middle: float, low: float, high: float) -> Row:
    """A setting with a step time of its own, known exactly."""
    axes = {"workload": NAME, "optimizer": f"o{number}", "batch_size": 16, "lr": 0.1}
    times = {"time_to_target_s": middle, "time_low_s": low, "time_high_s": high}
    steps = {"steps_to_target": middle, "steps_low": low, "steps_high": high}
    return {**axes, "schedule": "constant", "digest": str(number), **times, **steps}


# Accuracy and time


def point(name: str, seconds: float | None, metric: float | None, **more: Any) -> Row:
    """A cell with a time and a test metric; its label is its digest."""
    axes = {"workload": NAME, "optimizer": name, "batch_size": 16, "lr": 0.1}
    steps = more.pop("steps", 10)
    return {
        **axes,
        "schedule": "constant",
        "digest": name,
        "time_to_target_s": seconds,
        "steps_to_target": steps,
        "test_metric_mean": metric,
        **more,
    }


def test_pareto() -> None:
    """On the front is what nothing else beats in both; equals stay, the unknown does not count."""
    rows = [
        point("slow and best", 9.0, 0.99),
        point("beaten", 5.0, 0.95),
        point("quick", 1.0, 0.90),
        point("between", 4.0, 0.96),
        point("its equal", 4.0, 0.96),
        point("as quick and worse", 1.0, 0.89),
        point("later and equal", 4.5, 0.96),
        point("unknown", 0.5, None),
        point("never", None, 0.999, steps=None),
        point("does not fit", None, 0.999),
    ]
    front = ["quick", "between", "its equal", "slow and best"]
    assert answers.pareto(rows, {}) == (front, "seconds")
    assert answers.pareto(rows[::-1], {}) == (front, "seconds")


def test_pareto_of_confirmed_cells() -> None:
    """Where fresh seeds have judged a cell, their mean counts."""
    rows = [point("quick", 1.0, 0.95), point("lucky", 2.0, 0.99)]
    assert answers.pareto(rows, {analysis.key(rows[1]): 0.94}) == (["quick"], "seconds")


def test_pareto_by_steps() -> None:
    """Without times steps count; without cells there is no front."""
    rows = [point("a", None, 0.9, steps=30), point("b", None, 0.95, steps=20)]
    assert answers.pareto(rows, {}) == (["b"], "steps")
    assert answers.pareto([point("a", None, 0.9, steps=None)], {}) == ([], None)


def test_pareto_of_a_loss() -> None:
    """Where less is better the front falls."""
    name = synthetic.regression()
    rows = [{**point(o, t, m), "workload": name} for o, t, m in (("a", 1, 0.3), ("b", 2, 0.4))]
    assert answers.pareto(rows, {}) == (["a"], "seconds")
