"""A whole grid by JAX: a compiled program for each optimizer and batch size, a process per core."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks import eager
from benchmarks.jax_peer import Peer, layout, named
from trainscape import datasets, hardware, optimizers, schedules, workloads
from trainscape.engine import streams
from trainscape.engine.data import prepare
from trainscape.schedules import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.workers import Job
    from trainscape.engine.data import Splits

# what benchmarks.jax_models has
WORKLOADS = ("digits-mlp", "mnist-mlp", "digits-cnn", "mnist-cnn")
RULES = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")
FEW = 16  # models that a cache holds
LIMIT = 1800.0  # seconds of a group of trials


@dataclass(frozen=True)
class Group:
    """Trials that train as one program.

    Args:
        optimizer: their rule.
        size: examples a step.
        jobs: their places among all.
        file: their rates and seeds.
    """

    optimizer: str
    size: int
    jobs: Sequence[int]
    file: Path


@dataclass(frozen=True)
class Trained:
    """What JAX made of a grid.

    Args:
        start: seconds until every process was there.
        compile: seconds until all was compiled.
        run: seconds of training, evaluations and the writing of results.
        losses: every trial's last validation loss; None if it is not finite.
        at_once: by batch size, how many models ``vmap`` held; 1 for ``lax.map`` alone.
    """

    start: float
    compile: float
    run: float
    losses: Sequence[float | None]
    at_once: Mapping[int, int]


def refused(jobs: Sequence[Job]) -> str | None:
    """Why the program cannot train these trials, in a line; None if it can."""
    for spec, _ in jobs:
        rule = spec["optimizer"]
        if spec["workload"] not in WORKLOADS:
            return f"the JAX program has no model {spec['workload']}"
        if rule["name"] not in RULES:
            return f"the JAX program has no rule {rule['name']}"
        if eager.made(optimizers.registry, rule) != optimizers.registry.get(rule["name"])():
            return f"the JAX program has {rule['name']} at its defaults alone"
        if "epochs" not in spec["budget"] or spec["evaluate_every"] != 1:
            return "the JAX program trains epochs, and evaluates after each"
        if eager.made(schedules.registry, spec["schedule"]).reacts:
            return f"the JAX program has no schedule {spec['schedule']['name']}"
    return None


def train(jobs: Sequence[Job], data: Path, folder: Path) -> Trained:
    """Train all trials, of one workload, after a race that says how many ``vmap`` shall hold.

    Args:
        jobs: the trials.
        data: the folder of datasets.
        folder: for files, not there yet.
    """
    folder.mkdir(parents=True)
    spec = jobs[0][0]
    workload, epochs = spec["workload"], spec["budget"]["epochs"]
    entry = workloads.registry.get(workload)
    arrays = datasets.load(entry.dataset, data)
    splits = prepare(arrays, entry, spec["validation"], torch.device("cpu"))
    given, groups = _written(jobs, splits, folder)
    with ExitStack() as stack:
        peers, _ = _peers(stack)
        raced = _raced(peers, given, workload, groups)
    at_once = {size: min(found, key=lambda n: found[n]) for size, found in raced.items()}
    with ExitStack() as stack:
        peers, start = _peers(stack)
        shares = _shares(groups, {size: min(found.values()) for size, found in raced.items()})
        made: dict[Path, int] = {}

        def compiled(peer: Peer, group: Group) -> None:
            words = _words(given, workload, group, at_once[group.size], epochs)
            made[group.file] = peer.ask("trials", LIMIT, **words)["program"]

        def trained(peer: Peer, group: Group) -> None:
            out = str(group.file.with_suffix(".out.npz"))
            peer.ask("answer", LIMIT, program=made[group.file], out=out)

        compiling = _together(peers, shares, compiled)
        running = _together(peers, shares, trained)
    losses: list[float | None] = [None] * len(jobs)
    for group in groups:
        with np.load(group.file.with_suffix(".out.npz")) as held:
            last = held["of_1"][:, -1].tolist()  # the validation loss of every epoch
        for place, loss in zip(group.jobs, last, strict=True):
            losses[place] = loss if math.isfinite(loss) else None
    return Trained(start, compiling, running, losses, at_once)


def _peers(stack: ExitStack) -> tuple[list[Peer], float]:
    """A process on every core, and the seconds until all are there."""
    begin = time.perf_counter()
    cores = sorted(hardware.usable_cores())
    peers = [stack.enter_context(Peer(core)) for core in cores]
    for peer in peers:
        peer.ask("hello")
    return peers, time.perf_counter() - begin


def _together(
    peers: Sequence[Peer],
    shares: Sequence[Sequence[Group]],
    work: Callable[[Peer, Group], None],
) -> float:
    """The seconds until every process has done its share."""

    def all_of(peer: Peer, share: Sequence[Group]) -> None:
        for group in share:
            work(peer, group)

    begin = time.perf_counter()
    with ThreadPoolExecutor(len(peers)) as pool:
        list(pool.map(all_of, peers, shares))
    return time.perf_counter() - begin


def _shares(groups: Sequence[Group], seconds: Mapping[int, float]) -> list[list[Group]]:
    """The groups by process, the longest first, each to where the least has been given so far."""
    count = len(hardware.usable_cores())
    shares: list[list[Group]] = [[] for _ in range(count)]
    given = [0.0] * count
    for group in sorted(groups, key=lambda g: seconds[g.size] * len(g.jobs), reverse=True):
        least = given.index(min(given))
        shares[least].append(group)
        given[least] += seconds[group.size] * len(group.jobs)
    return shares


def _raced(
    peers: Sequence[Peer], given: Path, workload: str, groups: Sequence[Group]
) -> dict[int, dict[int, float]]:
    """By batch size and by what ``vmap`` holds, the seconds that a trial takes in an epoch."""
    one_of = {group.size: group for group in groups}  # of the rule that comes last
    found: dict[int, dict[int, float]] = {size: {} for size in one_of}

    def race(peer: Peer, group: Group) -> None:
        width = len(group.jobs)
        for at_once in sorted({1, min(FEW, width), width}):
            words = _words(given, workload, group, at_once, 1)
            program = peer.ask("trials", LIMIT, **words)["program"]
            call = partial(peer.ask, "call", LIMIT, program=program)
            found[group.size][at_once] = min(call()["seconds"] for _ in range(2)) / width

    count = len(peers)
    _together(peers, [list(one_of.values())[i::count] for i in range(count)], race)
    return found


def _words(
    given: Path, workload: str, group: Group, at_once: int, epochs: int
) -> dict[str, str | int]:
    return {
        "file": str(given),
        "group": str(group.file),
        "model": workload,
        "optimizer": group.optimizer,
        "size": group.size,
        "at_once": at_once,
        "epochs": epochs,
    }


def _written(jobs: Sequence[Job], splits: Splits, folder: Path) -> tuple[Path, list[Group]]:
    """A file of what all trials share, and their groups with a file each."""
    first = jobs[0][0]
    workload = workloads.registry.get(first["workload"])
    seeds = sorted({seed for _, seed in jobs})
    models = [eager.drawn(workload, seed) for seed in seeds]
    weights = [
        np.stack([part.detach().numpy() for part in same])
        for same in zip(*(model.parameters() for model in models), strict=True)
    ]
    size, epochs = len(splits.train.y), first["budget"]["epochs"]
    orders = [
        [streams.permutation(size, seed, "order", epoch).numpy() for epoch in range(epochs)]
        for seed in seeds
    ]
    arrays: dict[str, Any] = {
        "orders": np.array(orders, np.int32),
        **named("start", layout(models[0], weights)),
    }
    for name in ("train", "fit", "val", "test"):
        split = getattr(splits, name)
        arrays |= {f"{name}_x": split.x.numpy(), f"{name}_y": split.y.numpy().astype(np.int32)}
    given = folder / "given.npz"
    np.savez(given, **arrays)
    places: dict[tuple[int, str], list[int]] = {}
    for place, (spec, _) in enumerate(jobs):
        places.setdefault((spec["batch_size"], spec["optimizer"]["name"]), []).append(place)
    groups = []
    for (batch, name), members in places.items():
        group = Group(name, batch, members, folder / f"{name}-{batch}.npz")
        rates = [_rates(jobs[place][0], splits) for place in members]
        own: dict[str, Any] = {
            "rates": np.array(rates, np.float32),
            "seed": np.array([seeds.index(jobs[place][1]) for place in members], np.int32),
        }
        np.savez(group.file, **own)
        groups.append(group)
    return given, groups


def _rates(spec: Mapping[str, Any], splits: Splits) -> list[list[float]]:
    """The learning rate of every step, by epochs."""
    plan = eager.plan_of(spec, splits)
    factors = eager.made(schedules.registry, spec["schedule"]).table(Clock(plan.epoch, plan.total))
    rates = [spec["lr"] * factor for factor in factors]
    return [rates[i : i + plan.epoch] for i in range(0, plan.total, plan.epoch)]
