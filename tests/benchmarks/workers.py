"""Plain loops in processes of their own, as many as cores, each with one thread."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import psutil
import torch

from benchmarks import articles, eager
from benchmarks.eager import Outcome
from trainscape import datasets, hardware, optimizers, workloads
from trainscape.engine.data import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from trainscape.engine.data import Splits

Job = tuple[dict[str, Any], int]  # a cell's spec and a seed
CLEARED = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "MKL_CBWR", "CUBLAS_WORKSPACE_CONFIG")


@contextmanager
def processes(count: int | None = None, threads: int | None = 1) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes start anew, with none of this process's settings of torch.

    Args:
        count: how many; by default as many as cores.
        threads: torch's, in each; None for its own choice.
    """
    kept = {name: os.environ.pop(name) for name in CLEARED if name in os.environ}
    try:
        with ProcessPoolExecutor(
            count or len(hardware.usable_cores()),
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(threads,),
        ) as pool:
            yield pool
    finally:
        os.environ.update(kept)


def eager_trials(
    pool: ProcessPoolExecutor, jobs: Sequence[Job], data: Path
) -> tuple[list[Outcome], dict[str, str]]:
    """Train trials by the eager loop; what came of them, and the variant of each optimizer."""
    specs = {spec["optimizer"]["name"]: spec for spec, _ in jobs}
    variants = {name: pool.submit(_fastest, spec, data) for name, spec in specs.items()}
    chosen = {name: future.result() for name, future in variants.items()}
    futures = [
        pool.submit(_eager, spec, seed, data, chosen[spec["optimizer"]["name"]])
        for spec, seed in jobs
    ]
    return [future.result() for future in futures], chosen


def script_trials(pool: ProcessPoolExecutor, jobs: Sequence[Job], data: Path) -> list[Outcome]:
    """Train trials as the articles do."""
    futures = [pool.submit(_script, spec, seed, data) for spec, seed in jobs]
    return [future.result() for future in futures]


def optuna_trials(
    pool: ProcessPoolExecutor, jobs: Sequence[Job], data: Path, variants: dict[str, str]
) -> tuple[list[Outcome], float]:
    """Train trials by one Optuna study a process, each over its share of them.

    Returns:
        What came of them, and the seconds Optuna itself took, a trial.
    """
    count = min(len(hardware.usable_cores()), len(jobs))
    parts = [list(jobs[i::count]) for i in range(count)]
    futures = [pool.submit(_optuna, part, data, variants) for part in parts]
    outcomes: list[Outcome] = [Outcome(0, 0.0, None)] * len(jobs)
    beside = 0.0
    for i, future in enumerate(futures):
        made, seconds = future.result()
        outcomes[i::count] = made
        beside += seconds - sum(outcome.seconds for outcome in made)
    return outcomes, max(beside, 0.0) / len(jobs)


def _begin(threads: int | None) -> None:
    if threads:
        torch.set_num_threads(threads)


@cache
def _splits(workload: str, validation: float, data: Path) -> tuple[Splits, float]:
    """A cell's data, and the seconds from the start of the process to where it is ready."""
    entry = workloads.registry.get(workload)
    made = prepare(datasets.load(entry.dataset, data), entry, validation, torch.device("cpu"))
    return made, time.time() - psutil.Process().create_time()


def _fastest(spec: dict[str, Any], data: Path) -> str:
    splits, _ = _splits(spec["workload"], spec["validation"], data)
    workload = workloads.registry.get(spec["workload"])
    batch = slice(spec["batch_size"])
    rule = eager.made(optimizers.registry, spec["optimizer"])
    return eager.fastest(workload, rule, splits.train.x[batch], splits.train.y[batch])


def _eager(spec: dict[str, Any], seed: int, data: Path, variant: str) -> Outcome:
    splits, startup = _splits(spec["workload"], spec["validation"], data)
    return replace(eager.train(spec, seed, splits, variant), startup=startup)


def _script(spec: dict[str, Any], seed: int, data: Path) -> Outcome:
    workload = workloads.registry.get(spec["workload"])
    return articles.train(spec, seed, datasets.load(workload.dataset, data))


def _optuna(jobs: list[Job], data: Path, variants: dict[str, str]) -> tuple[list[Outcome], float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made: dict[int, Outcome] = {}

    def objective(trial: optuna.Trial) -> float:
        place = trial.suggest_int("trial", 0, len(jobs) - 1)
        spec, seed = jobs[place]
        made[place] = _eager(spec, seed, data, variants[spec["optimizer"]["name"]])
        loss = made[place].val_loss
        return 1e9 if loss is None else loss

    _splits(jobs[0][0]["workload"], jobs[0][0]["validation"], data)
    start = time.perf_counter()
    sampler = optuna.samplers.GridSampler({"trial": list(range(len(jobs)))})
    optuna.create_study(sampler=sampler).optimize(objective, n_trials=len(jobs))
    return [made[place] for place in sorted(made)], time.perf_counter() - start
