"""From a study to its cells: names are resolved and every combination is checked beforehand."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

from trainscape import datasets, hardware, schedules, workloads
from trainscape.cells import alike, confirm, labels, plugins, tryout
from trainscape.cells.budget import Plan, validation_size
from trainscape.cells.cell import Cell
from trainscape.cells.parts import optimizer_parts, schedule_parts
from trainscape.cells.rules import try_rules
from trainscape.errors import UserError, shown, unknown
from trainscape.hashing import is_sha256
from trainscape.numeric import finite
from trainscape.schedules import Clock
from trainscape.study.axes import Log
from trainscape.user_lines import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from trainscape.cells.cell import Part
    from trainscape.study import Study
    from trainscape.workloads import Metric


MOST_CELLS = 1_000_000
MOST_EVALUATIONS = 100_000  # of a trial, as their numbers are kept until it is trained
MOST_TRACED = 10_000_000  # losses of a trial, likewise
LONGEST = 40  # letters of a metric's name or unit: what fits beside an axis


def cells(study: Study) -> list[Cell]:
    """Every cell of the study, workload by workload, in the order of its axes.

    Raises:
        UserError: a name, hyperparameter or combination is not valid.
    """
    _check_precision(study)
    _check_split(study)
    plugins.load(study.plugins)
    opts = optimizer_parts(study)
    shapes = schedule_parts(study)
    rates = _rates_by_label(study, opts)
    _check_targets(study)
    confirm.check(study)
    _check_data(study)
    _check_size(study, sum(len(rates[part.label]) for part in opts) * len(shapes))
    grid = [
        Cell(
            workload=workload,
            optimizer=optimizer,
            batch_size=_batch_size(batch_size, workload, study),
            lr=lr,
            schedule=schedule,
            seeds=study.seed_list(),
            budget=study.budget.spec(),
            validation=study.validation,
            evaluate_every=study.evaluate_every,
            precision=study.precision,
            trace_every=study.trace_every,
            last_batch=study.last_batch,
            order=study.order,
            split=study.split,
        )
        for workload, optimizer, batch_size in product(study.workloads, opts, study.grid.batch_size)
        for lr, schedule in product(rates[optimizer.label], shapes)
    ]
    _check_plans(grid)
    _check_trace(grid)
    alike.refuse_twins(grid)
    try_rules(opts)
    tryout.step(study, opts)
    _check_searches(study, len(grid) // len(study.workloads))
    return grid


def plan(cell: Cell) -> Plan:
    """The steps of each of the cell's trials.

    Raises:
        UserError: the validation share leaves a split without examples, or a batch is too large.
    """
    size = datasets.registry.get(workloads.registry.get(cell.workload).dataset).train
    held = validation_size(size, cell.validation)
    if cell.validation and not 0 < held < size:
        least = float(f"{1 / size:.1g}")
        share = f", or a share from {least} to {1 - least}" if size > 1 else ""
        raise UserError(
            f"validation: {cell.validation} of the examples of {cell.workload!r} ({size}) leaves a "
            f"split without any; choose 0{share}"
        )
    if cell.batch_size > size - held:
        raise UserError(
            f"grid.batch_size: {cell.batch_size} is more than {cell.workload!r} has training "
            f"examples; choose at most {size - held}"
        )
    return Plan.of(cell.spec(), size)


def targets(study: Study) -> dict[str, float]:
    """The validation metric that each workload is to reach."""
    own = {name: workloads.registry.get(name, "workloads").target for name in study.workloads}
    return {**own, **study.target}


def _check_size(study: Study, settings: int) -> None:
    """Refuse more cells than fit into the memory.

    Args:
        study: the study.
        settings: optimizers, each with its rates, times schedules.
    """
    count = len(study.workloads) * len(study.grid.batch_size) * settings
    if count > MOST_CELLS:
        raise UserError(
            f"grid: its axes multiply to {count} cells; choose at most {MOST_CELLS}, or split it "
            "into studies"
        )


def _check_precision(study: Study) -> None:
    """Refuse tf32 where no GPU can be meant; ``device: cuda`` may be found by a launcher."""
    if study.precision != "tf32" or study.device == "cuda":
        return
    if study.device == "cpu" or hardware.gpus() is None:
        without = "device is 'cpu'" if study.device == "cpu" else "no GPU is seen here"
        raise UserError(f"precision: 'tf32' needs CUDA, and {without}; choose 'fp32' or 'bf16'")


def _check_split(study: Study) -> None:
    """Refuse to draw for each seed what is not held out at all."""
    if study.split == "per-seed" and not study.validation:
        raise UserError(
            "split: 'per-seed' needs a validation split; set validation above 0, or split: fixed"
        )


def _batch_size(batch_size: int | str, workload: str, study: Study) -> int:
    """Examples a step; ``full`` is the whole training split, and refused beside its number."""
    if batch_size != "full":
        return int(batch_size)
    size = datasets.registry.get(workloads.registry.get(workload).dataset).train
    full = size - validation_size(size, study.validation)
    if full in study.grid.batch_size:
        raise UserError(f"grid.batch_size: 'full' is {full} for {workload!r}; remove one of them")
    return full


def _rates_by_label(study: Study, opts: list[Part]) -> dict[str, list[float]]:
    """The peak rates of every optimizer, by label."""
    lr = study.grid.lr
    labels = [part.label for part in opts]
    if not isinstance(lr, dict):
        return dict.fromkeys(labels, _listed(lr))
    for label in lr:
        if label not in labels:
            raise unknown("grid.lr", label, [*labels, "log"])
    for label in labels:
        if label not in lr:
            raise UserError(f"grid.lr: has no rates for optimizer {label!r}; add '{label}: [...]'")
    return {label: _listed(lr[label]) for label in labels}


def _listed(rates: list[float] | Log) -> list[float]:
    return rates.values() if isinstance(rates, Log) else list(rates)


def _check_targets(study: Study) -> None:
    for name in study.workloads:
        entry = workloads.registry.get(name, "workloads")
        if not isinstance(entry.dataset, str):
            raise UserError(f"workload {name!r}, dataset: {shown(entry.dataset)} is no name of one")
        for key, word in (("name", entry.metric.name), ("unit", entry.metric.unit)):
            if not isinstance(word, str) or len(word) > LONGEST or not word.isprintable():
                raise UserError(
                    f"workload {name!r}, metric {key}: {shown(word)} is no word for tables and "
                    f"axes; choose at most {LONGEST} letters"
                )
        _check_target(f"workload {name!r}, target", entry.target, entry.metric)
        if entry.chance is not None:
            _check_target(f"workload {name!r}, chance", entry.chance, entry.metric)
    for name, value in study.target.items():
        if name not in study.workloads:
            raise unknown("target", name, study.workloads)
        _check_target(f"target.{name}", value, workloads.registry.get(name).metric)
    if study.target and not study.validation:
        raise UserError(
            f"target: {study.target} needs a validation split; "
            "set validation above 0 or remove target"
        )


def _check_target(key: str, value: float, metric: Metric) -> None:
    """Refuse a share in percent; ``key`` is what the message begins with."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not finite(value):
        raise UserError(f"{key}: {shown(value)} is no finite number")
    if metric.unit == "fraction" and not 0 <= value <= 1:
        near = f"did you mean {value / 100}?" if 1 < value <= 100 else "choose one from 0 to 1"
        raise UserError(f"{key}: {value} is no {metric.name}; {near}")


def _check_data(study: Study) -> None:
    """Refuse a pin that is none, and labels of data that is at hand; others when it is made."""
    for name in study.workloads:
        workload = workloads.registry.get(name)
        dataset = datasets.registry.get(workload.dataset)
        if not is_sha256(dataset.sha256):
            plugin = short(str(datasets.registry.source(dataset.name)))
            raise dataset.refusal(
                f"sha256 {shown(dataset.sha256)} is none; give the 64 hex digits that "
                f"`trainscape data --hash {plugin} {dataset.name}` prints, or leave it out"
            )
        labels.check(workload, dataset, dataset.values)


def _check_searches(study: Study, cells: int) -> None:
    """Refuse a search, or a replay of searches, without validation or larger than the grid."""
    searched = study.design != "grid"
    for key, used in (("design", searched), ("replay.enabled", study.replay.enabled)):
        if used and not study.validation:
            raise UserError(f"{key}: a search needs a validation split; set validation above 0")
    if searched and study.replay.enabled:
        raise UserError("replay.enabled: needs every cell of the grid; set design: grid")
    if searched and study.figures:
        named = ", ".join(study.figures)
        raise UserError(f"figures: {named} need every cell of the grid; set design: grid")
    if study.design != "grid" and study.design.trials > cells:
        raise UserError(
            f"design.trials: {study.design.trials} is more than the {cells} cells of the grid; "
            f"choose at most {cells}, or design: grid"
        )


def _check_plans(grid: list[Cell]) -> None:
    """Refuse a batch size that is larger than its data and a schedule that does not fit its run."""
    for cell in _distinct_runs(grid):
        steps = plan(cell)
        _check_evaluations(cell, steps)
        schedule = schedules.registry.make(cell.schedule.spec())
        if schedule.reacts and not cell.validation:
            raise UserError(
                f"validation: {cell.validation:g} leaves schedule {cell.schedule.label!r} no loss "
                "to follow; choose a share such as 0.2, or remove it from grid.schedule"
            )
        at = f"batch_size {cell.batch_size} of {cell.workload!r} and budget {_told(cell.budget)}"
        try:
            schedule.check(Clock(steps.epoch, steps.total))
        except UserError as error:
            raise UserError(f"grid.schedule: {error} (with {at})") from None
        if schedule.reacts and schedule.reacts_after >= len(steps.evaluations):
            raise UserError(
                f"evaluate_every: {cell.evaluate_every:g} evaluates {len(steps.evaluations)} "
                f"times, and schedule {cell.schedule.label!r} changes no rate before evaluation "
                f"{schedule.reacts_after}; evaluate more often, or choose a longer budget "
                f"(with {at})"
            )


def _check_evaluations(cell: Cell, steps: Plan) -> None:
    """Refuse more evaluations than can be listed, before they are."""
    passes = steps.seen(steps.total) / steps.examples
    count = min(steps.total, passes / cell.evaluate_every)
    if count > MOST_EVALUATIONS:
        least = 1.001 * passes / MOST_EVALUATIONS
        unit = 10.0 ** math.floor(math.log10(least))
        raise UserError(
            f"evaluate_every: {cell.evaluate_every:g} evaluates {count:g} times; choose "
            f"{math.ceil(least / unit) * unit:g} or more, or a shorter budget (with batch_size "
            f"{cell.batch_size} of {cell.workload!r} and budget {_told(cell.budget)})"
        )


def _check_trace(grid: list[Cell]) -> None:
    """Refuse an interval between recorded losses that no run is long enough for."""
    every, longest = grid[0].trace_every, max(plan(cell).total for cell in _distinct_runs(grid))
    if every >= longest and every > 1:
        raise UserError(
            f"trace_every: {every} records no step but the first of a run of {longest}; choose "
            f"fewer than {longest} steps, or 0 (with budget {_told(grid[0].budget)})"
        )
    if every and longest > every * MOST_TRACED:
        raise UserError(
            f"trace_every: {every} records {longest // every} losses of a run of {longest} steps; "
            f"choose {-(-longest // MOST_TRACED)} or more, or 0"
        )


def _told(budget: Mapping[str, int]) -> str:
    """A budget as a study states it."""
    return "{" + ", ".join(f"{unit}: {number}" for unit, number in budget.items()) + "}"


def _distinct_runs(grid: list[Cell]) -> Iterator[Cell]:
    seen = set()
    for cell in grid:
        key = (cell.workload, cell.batch_size, cell.schedule.label)
        if key not in seen:
            seen.add(key)
            yield cell
