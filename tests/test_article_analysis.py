"""Tables behind the article figures: traces, paths, decays, exponents, batch sizes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kit import synthetic
from trainscape import analysis
from trainscape.cells.cell import Part

SEEDS = 4
RATES = [2.0**k for k in range(-8, 3)]


def trials(exponent: float, noise: float = 0.0, **changes: Any) -> Any:
    """Trials whose training loss is least at lr = batch^exponent / 64, parabolic in log lr."""
    draw = np.random.default_rng(0)
    rows = []
    for size in (4, 8, 16, 32, 64):
        for lr in RATES:
            best = math.log2(size**exponent / 64)
            for seed in range(SEEDS):
                loss = 1 + (math.log2(lr) - best) ** 2 + noise * draw.normal()
                rows.append(row(size, lr, seed, loss) | changes)
    return analysis.frame(rows, list(rows[0]))


def row(size: int, lr: float, seed: int, loss: float | None) -> analysis.Row:
    """A trial of a study without a validation split."""
    axes = ("digits-mlp", "sgd", size, lr, "constant")
    named = dict(zip(analysis.AXES, axes, strict=True))
    return {**named, "seed": seed, "train_loss": loss, "target": None, "val_metric": None}


@pytest.mark.parametrize(
    ("exponent", "rule"), [(1.0, "linear"), (0.0, "none"), (0.5, "square-root")]
)
def test_an_exponent_is_found_with_its_rule(exponent: float, rule: str) -> None:
    """Rates that follow a rule of thumb give its exponent, and no other rule lies within."""
    [found] = analysis.records(analysis.scaling(trials(exponent)))
    assert found["exponent"] == pytest.approx(exponent, abs=0.11)  # half a step over four doublings
    assert analysis.rules(found["low"], found["high"]) == [rule]
    assert found["low"] < exponent < found["high"]
    assert (found["batch_sizes"], found["edges"]) == (5, 0)


def test_two_batch_sizes_only_join_two_points() -> None:
    """α is given with a warning; three sizes, or none of α, have no such warning."""
    table = trials(0.5)
    for sizes in ((4, 64), (4, 16, 64)):
        [found] = analysis.records(analysis.scaling(table[table["batch_size"].isin(sizes)]))
        assert found["exponent"] is not None and found["reason"] is None
        warned = found["warning"] is not None and "two points" in found["warning"]
        assert warned == (len(sizes) == 2)
    [none] = analysis.records(analysis.scaling(table[table["batch_size"] == 4]))
    assert none["reason"] is not None and none["warning"] is None


def test_noise_widens_the_interval() -> None:
    """What seeds disagree on is less certain."""
    quiet, loud = (
        analysis.records(analysis.scaling(trials(0.5, noise)))[0] for noise in (0.0, 8.0)
    )
    assert loud["high"] - loud["low"] > 1.5 * (quiet["high"] - quiet["low"])


def test_best_rates_at_an_end_are_counted() -> None:
    """An exponent that the axis cuts off says so."""
    [found] = analysis.records(analysis.scaling(trials(2.0)))
    assert found["edges"] == 3  # 16² / 64 is 4, the highest rate; 32 and 64 want more
    assert found["exponent"] < 2


def test_a_batch_size_that_always_diverges_is_left_out() -> None:
    """It has no best rate; with fewer than two sizes there is no exponent."""
    table = trials(0.5)
    lost = table.assign(train_loss=table["train_loss"].mask(table["batch_size"] == 64))
    [found] = analysis.records(analysis.scaling(lost))
    assert found["batch_sizes"] == 4
    assert found["exponent"] == pytest.approx(0.5, abs=0.2)
    one = table.assign(train_loss=table["train_loss"].mask(table["batch_size"] > 4))
    [none] = analysis.records(analysis.scaling(one))
    assert none["exponent"] is None


def test_one_lost_seed_keeps_a_cell_from_being_best() -> None:
    """The best rate is then another, however good the other seeds were."""
    table = trials(0.0)
    at = (table["lr"] == 1 / 64) & (table["seed"] == 2) & (table["batch_size"] >= 32)
    [found] = analysis.records(
        analysis.scaling(table.assign(train_loss=table["train_loss"].mask(at)))
    )
    [whole] = analysis.records(analysis.scaling(table))
    assert whole["exponent"] == 0
    assert abs(found["exponent"]) > 0.1


def test_several_schedules_have_a_mean() -> None:
    """The optimizer's own row is the mean of its schedules', and surer than each."""
    import pandas as pd

    both = pd.concat([trials(0.0), trials(1.0, schedule="cosine")])
    first, second, mean = analysis.records(analysis.scaling(both))
    assert mean["schedule"] == analysis.ALL
    assert mean["exponent"] == pytest.approx((first["exponent"] + second["exponent"]) / 2, abs=1e-3)
    assert mean["high"] - mean["low"] < first["high"] - first["low"]


def test_twice_the_batch_has_its_factor() -> None:
    """It is 2^α, and so are its bounds; a straight line has no bend."""
    [found] = analysis.records(analysis.scaling(trials(0.5)))
    assert found["factor"] == pytest.approx(2**0.5, abs=1e-3)
    assert found["factor_low"] == pytest.approx(2 ** found["low"], abs=1e-3)
    assert found["factor_high"] == pytest.approx(2 ** found["high"], abs=1e-3)
    assert found["bend_low"] < 0 < found["bend_high"]


def test_a_missing_bound_is_null() -> None:
    """Three of five best rates that end the axis leave α without an upper bound."""
    [found] = analysis.records(analysis.scaling(trials(2.0)))
    assert found["low"] < found["exponent"]
    assert (found["high"], found["factor_high"]) == (None, None)
    assert analysis.rules(found["low"], found["high"])[-1] == "linear"


def test_exponents_rest_on_the_validation_loss_where_there_is_one() -> None:
    """The training loss decides only where nothing is held out."""
    table = trials(0.5)
    held = table.assign(val_loss=table["train_loss"], train_loss=1.0, target=0.95)
    assert analysis.scaling(held).equals(analysis.scaling(table))


def test_best_rates_are_a_table_of_their_own() -> None:
    """One row for a batch size, with the end of the axis that it lies at."""
    rows = analysis.records(analysis.best_rates(trials(2.0)))
    assert [row["batch_size"] for row in rows] == [4, 8, 16, 32, 64]
    assert [row["side"] for row in rows] == [None, None, "highest", "highest", "highest"]
    assert [row["lr"] for row in rows] == pytest.approx([0.25, 1, 4, 4, 4], rel=1e-3)


def test_scaling_is_the_same_every_time() -> None:
    """The bootstrap draws the same seeds again."""
    one, two = (analysis.scaling(trials(0.5, 0.5)) for _ in range(2))
    assert one.equals(two)


def descent(schedule: Part, trace_every: int = 0) -> analysis.Entry:
    """Three steps of one parameter, recorded at each."""
    cell = replace(
        synthetic.cell("quadratic", "sgd", 1, 0.1, seeds=(0,), validation=0.0),
        schedule=schedule,
        budget={"steps": 3},
        trace_every=trace_every,
    )
    trial = replace(
        synthetic.trial(0, [0.0, 0.0, 0.0], validation=False),
        test_loss=[9.0, 4.0, 1.0],
        path=[[4.0], [3.0], [2.0], [1.0]],
        trace=[16.0, 4.0],
    )
    return synthetic.entry(cell, [trial], (1, 2, 3))


HALVING = Part("exponential", {"rate": 0.5, "every": "1 step", "staircase": True}, "half")


def test_a_decay_is_what_holds_after_each_step() -> None:
    """The rate of the step to come, the loss and the parameter that the step led to."""
    rows = analysis.records(analysis.decay(analysis.paths([descent(HALVING)])))
    assert [(r["step"], r["rate"], r["loss"], r["w0"]) for r in rows] == [
        (0, 0.05, 9.0, 3.0),
        (1, 0.025, 4.0, 2.0),
        (2, 0.0125, 1.0, 1.0),
    ]


def test_a_path_begins_before_the_first_step() -> None:
    """One row more than evaluations; parameters by number."""
    rows = analysis.records(analysis.paths([descent(HALVING)]))
    assert [(r["step"], r["w0"]) for r in rows] == [(0, 4.0), (1, 3.0), (2, 2.0), (3, 1.0)]


def test_a_trace_begins_with_the_first_step() -> None:
    """Every so many steps from step 1 on."""
    rows = analysis.records(analysis.traces([descent(HALVING, trace_every=2)]))
    assert [(r["step"], r["train_loss"]) for r in rows] == [(1, 16.0), (3, 4.0)]


def test_a_batch_size_has_its_time_and_memory() -> None:
    """Time is steps × step time of its own optimizer and batch size; null where not measured."""
    entries = synthetic.study(optimizers=("adam",), batch_sizes=(16, 64), lrs=(0.01,))
    trials = analysis.trials(entries, {"digits-mlp": 0.95})
    summary = analysis.summary(trials)
    measured = [synthetic.throughput(entries)]
    rows = analysis.records(
        analysis.batches(trials, summary, analysis.timings(measured, summary, trials)[0])
    )
    assert [row["batch_size"] for row in rows] == [16, 16, 64, 64]
    for row in rows:
        step = (150e-6 + 1.5e-6 * row["batch_size"]) * 1.4
        assert row["steps"] == 10 * 1280 // row["batch_size"]
        assert row["train_time_s"] == pytest.approx(row["steps"] * step)
        assert row["peak_memory_bytes"] == 40_000_000 + 4096 * row["batch_size"]
        assert row["samples_per_s"] == pytest.approx(row["batch_size"] / step)
    unknown = analysis.records(
        analysis.batches(trials, summary, analysis.timings([], summary, trials)[0])
    )
    assert {row["train_time_s"] for row in unknown} == {None}
