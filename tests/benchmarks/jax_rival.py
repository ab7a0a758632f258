"""The rival on any device: a case as JAX trains it, its work compared with ours, its rate beside.

Both are given the same weights and batches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from benchmarks import clock
from benchmarks.jax_peer import Peer, PeerError, last_core, layout, named
from benchmarks.output import Table
from benchmarks.steps import LR, Case, data, pack_on
from trainscape import optimizers, schedules, workloads
from trainscape.cells.budget import Plan
from trainscape.engine.task import Task
from trainscape.engine.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from benchmarks.ceilings import Ceilings
    from benchmarks.clock import Times
    from benchmarks.floors import Work
    from benchmarks.jax_peer import Array
    from trainscape.engine.pack import Pack

SEEDS = 3  # as in packs that are timed
PACE = {"cpu": 2e10, "cuda": 5e12}  # operations a second, to choose how many steps a call takes
FEWEST, MOST = 4, 200  # steps of a call
FEW = 16  # models that a cache holds
RACES = 3  # calls of each way before the fastest is chosen
# Rates that move weights, where rounding stays small: by Adam at 0.001 one model of 16 in a run
# parts by 0.3% in 200 steps, where others part by 0.001%.
CHECKED = {"sgd": 0.01, "momentum": 0.01, "adam": 0.0002}
# of the way that a model's weights went, and of its losses
TOLERANCE = {"fp32": 1e-3, "tf32": 3e-2, "bf16": 1e-1}
COLUMNS = {
    "workload": "workload",
    "optimizer": "optimizer",
    "batch_size": "batch",
    "rate": "ours, model-steps/s",
    "trials": "trials a pack",
    "jax_rate": "JAX, model-steps/s",
    "way": "JAX's fastest way",
    "ratio": "× JAX",
    "ratio_best": "× JAX, best rounds",
    "percent": "ours, % of the large product's rate",
    "jax_percent": "JAX, % of it",
    "compile_s": "JAX compiles, s",
    "difference": "largest difference",
    "agrees": "equal work",
}
GPU_COLUMNS = {"precision": "precision", **COLUMNS}
EQUAL = (
    "Equal work: JAX is given our initial weights and each seed's batches, at rates that move the "
    "weights, dropout left out in both. The largest difference is that of a model's weights over "
    "the way that they went, or of a loss in relation; equal are up to "
    f"{', '.join(f'{most:g} in {name}' for name, most in TOLERANCE.items())}."
)
NOTES = (
    "JAX (tests/benchmarks/jax_program.py) runs in a process on one core, with one thread, and "
    "takes turns with ours: jit(vmap(scan over steps)) over few and over many models, and lax.map "
    "over them, the fastest of a race of these. On a CPU its convolutions are products of patches, "
    "which take a fraction of the time of XLA's own. It is compiled beforehand, in the seconds of "
    "one column. × JAX: of the medians, a width's or, beside JAX, that of our fastest width.",
    EQUAL,
)
GPU_NOTES = (
    "JAX (tests/benchmarks/jax_program.py) runs in a process of its own on the same GPU and takes "
    "turns with ours: jit(vmap(scan over steps)), compiled beforehand, the fastest of the widths "
    "that were tried, beside our fastest of the same.",
    EQUAL,
)


@dataclass(frozen=True)
class Way:
    """How the rival trains a case.

    Args:
        name: for people.
        at_once: models that ``vmap`` holds.
        width: models in all.
    """

    name: str
    at_once: int
    width: int


def ways(widest: int) -> list[Way]:
    """``lax.map``, and ``vmap`` over few and over many."""
    few = min(FEW, widest)
    found = [Way("lax.map", 1, few), Way(f"vmap {few}", few, few)]
    return found if few == widest else [*found, Way(f"vmap {widest}", widest, widest)]


class Rival:
    """A case as the rival trains it: every way compiled and checked, the fastest chosen.

    Args:
        case: what to train.
        folder: for files.
        on: where our packs train.
        needs: what a model-step takes.
        block: seconds that a call should take, about.
        precision: of the arithmetic.
        among: the ways; by default those of one thread.
    """

    def __init__(
        self,
        case: Case,
        folder: Path,
        on: torch.device,
        needs: Work,
        block: float,
        precision: str = "fp32",
        among: Sequence[Way] | None = None,
    ) -> None:
        self.case, self.on, self.precision = case, on, precision
        self.among = list(among or ways(case.widest))
        widest = max(way.width for way in self.among)
        self.steps = round(min(max(block * PACE[on.type] / (widest * needs.flops), FEWEST), MOST))
        folder.mkdir(parents=True, exist_ok=True)
        self.file, self.out = folder / "given.npz", folder / "answer.npz"
        self.checked = self._ours(min(FEW, widest), widest)
        self.found: dict[str, dict[str, Any]] = {}
        self.programs: dict[str, int] = {}
        self.peer = self._begin()
        for way in self.among:
            self._try(way)
        raced = {name: row["raced_rate"] for name, row in self.found.items() if "error" not in row}
        if not raced:
            self.peer.__exit__()
            raise PeerError("; ".join(f"{name}: {r['error']}" for name, r in self.found.items()))
        best = max(raced, key=lambda name: raced[name])
        self.way = next(way for way in self.among if way.name == best)

    def __enter__(self) -> Rival:
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.__exit__()

    def __call__(self, count: int) -> float:
        """The seconds of that many calls, of :attr:`steps` steps each."""
        return self.of(self.way)(count)

    def of(self, way: Way) -> Callable[[int], float]:
        """The seconds of calls of one way."""
        return partial(self._calls, self.programs[way.name])

    def per_step(self, times: Times) -> Times:
        """The seconds of a step of one model, from those of calls."""
        each = self.steps * self.way.width
        return clock.Times(tuple(seconds / each for seconds in times.rounds))

    def said(self, step: Times) -> dict[str, Any]:
        """What there is to say of the fastest way, whose step of one model took so long.

        ``ways`` has all of them; its rates are those of the best of a few calls beforehand.
        """
        return {
            "way": self.way.name,
            "width": self.way.width,
            "steps_a_call": self.steps,
            "step": step.plain(),
            "jax_rate": 1 / step.median,
            "jax_rate_best": 1 / step.min,
            **self.found[self.way.name],
            "ways": self.found,
        }

    def _calls(self, program: int, count: int) -> float:
        taken = [self.peer.ask("call", program=program, lr=LR)["seconds"] for _ in range(count)]
        return float(sum(taken))

    def _begin(self) -> Peer:
        peer = Peer(None if self.on.type == "cuda" else last_core())
        try:
            found = peer.ask("hello")
            if self.on.type == "cuda" and found["platform"] != "gpu":
                raise PeerError(f"jax sees no GPU, but {found['platform']}")
        except PeerError:
            peer.__exit__()
            raise
        return peer

    def _try(self, way: Way) -> None:
        """Compile a way, compare what it computes and race it."""
        try:
            made = self.peer.ask(
                "steps",
                file=str(self.file),
                model=self.case.workload,
                optimizer=self.case.optimizer,
                at_once=way.at_once,
                width=way.width,
                precision=self.precision,
            )
            program = made["program"]
            apart = self._apart(program, way.width)
            raced = min(self._calls(program, 1) for _ in range(RACES))
        except PeerError as error:
            self.found[way.name] = {"error": str(error)}
            if self.peer.process.poll() is not None:
                self._again()
            return
        self.programs[way.name] = program
        self.found[way.name] = {
            "compile_s": made["seconds"],
            "raced_rate": way.width * self.steps / raced,
            "difference": apart if math.isfinite(apart) else None,
            "agrees": apart <= TOLERANCE[self.precision],
        }

    def _again(self) -> None:
        """A new process in place of one that was stopped, with the ways that it had."""
        self.peer.__exit__()
        self.peer = self._begin()
        had, self.programs = list(self.programs), {}
        for way in self.among:
            if way.name in had:
                self._try(way)

    def _ours(self, few: int, widest: int) -> tuple[list[Array], list[Array], Array, list[float]]:
        """Write what both are given, and train a pack of ours on it.

        Returns:
            Weights before and after, losses (steps, T), and the rates (T,).
        """
        case = self.case
        workload = without_dropout(workloads.registry.get(case.workload))
        splits = data(case, self.on)
        plan = Plan(len(splits.train.y), case.batch_size, {"steps": self.steps}, 1.0)
        task = Task(workload, splits, plan, self.precision, trace=1)
        constant = schedules.registry.get("constant")()
        rule = optimizers.registry.get(case.optimizer)()
        rates = [CHECKED[case.optimizer] * (1 + i / few) for i in range(few)]
        pack = pack_on(self.on, self.precision)(task, few)
        pack.load([Trial(rule, rate, constant, i % SEEDS) for i, rate in enumerate(rates)])
        before = weights_of(pack)
        epochs = range(-(-self.steps // plan.epoch))
        orders = [
            np.concatenate([task.order(seed, epoch).numpy() for epoch in epochs])
            for seed in range(SEEDS)
        ]
        size = self.steps * case.batch_size
        seeds = np.arange(widest) % SEEDS
        given: dict[str, Any] = {
            "x": splits.train.x.cpu().numpy(),
            "y": splits.train.y.cpu().numpy().astype(np.int32),
            "orders": np.stack(orders)[:, :size].astype(np.int32),
            "seed": seeds.astype(np.int32),
            **named("start", [part[_firsts(seeds, few)] for part in before]),
        }
        given["orders"].shape = (SEEDS, self.steps, case.batch_size)
        np.savez(self.file, **given)
        records = pack.train()
        losses = np.array([record.trace for record in records])
        return before, weights_of(pack), losses, rates

    def _apart(self, program: int, width: int) -> float:
        """The largest difference between the rival's models and ours, in relation."""
        before, after, losses, rates = self.checked
        given = [rates[i % len(rates)] for i in range(width)]
        self.peer.ask("answer", program=program, out=str(self.out), lr=given, dropout=0)
        with np.load(self.out) as held:
            *theirs, their_losses = (held[f"of_{i}"][: len(rates)] for i in range(len(before) + 1))
        count = len(their_losses)
        before, after = ([part[:count] for part in of] for of in (before, after))
        losses = losses[:count]
        return max(
            moved_apart(before, after, theirs),
            float(np.max(np.abs(their_losses - losses) / np.maximum(np.abs(losses), 1e-2))),
        )


def beside(
    rows: Sequence[dict[str, Any]], said: Mapping[str, Any], needs: Work, limits: Ceilings
) -> dict[str, Any]:
    """A case's rival beside our fastest width.

    Args:
        rows: ours, one for each width.
        said: of the rival (:meth:`Rival.said`), or why there is none.
        needs: what a model-step takes.
        limits: the machine's ceilings.
    """
    best = max(rows, key=lambda row: row["rate"])
    kept = ("workload", "optimizer", "batch_size", "precision", "rate", "rate_best")
    found = {**{key: best[key] for key in kept}, "trials": best["width"], **said}
    share = 100 * needs.flops / limits.flops[best["precision"]]
    found["percent"] = share * best["rate"]
    if "jax_rate" in found:
        found["ratio"] = best["rate"] / found["jax_rate"]
        found["ratio_best"] = best["rate_best"] / found["jax_rate_best"]
        found["jax_percent"] = share * found["jax_rate"]
    return found


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str] | None = None) -> Table:
    """The rival, for people."""
    return Table(columns or COLUMNS, rows, "Beside JAX")


def _firsts(seeds: Array, few: int) -> list[int]:
    """For every model the first one of its seed, among a few that are there."""
    return [int(np.argmax(seeds[:few] == seed)) for seed in seeds]


def moved_apart(before: Sequence[Array], ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """How far models (T, …) ended from ours, over the way that ours went: the largest of all."""

    def lengths(a: Sequence[Array], b: Sequence[Array]) -> NDArray[np.float64]:
        squares = [
            ((x - y).astype(np.float64) ** 2).reshape(len(x), -1).sum(1)
            for x, y in zip(a, b, strict=True)
        ]
        found: NDArray[np.float64] = np.sqrt(np.sum(squares, axis=0))
        return found

    with np.errstate(all="ignore"):
        apart = lengths(theirs, ours) / lengths(ours, before)
    return float(np.max(np.where(np.isfinite(apart), apart, np.inf)))


def without_dropout(workload: workloads.Workload) -> workloads.Workload:
    """The workload with dropout that drops nothing: no two libraries draw the same masks."""

    def build() -> nn.Module:
        model = workload.build()
        for layer in model.modules():
            if isinstance(layer, nn.Dropout | nn.Dropout2d):
                layer.p = 0.0
        return model

    return replace(workload, build=build)


def weights_of(pack: Pack) -> list[Array]:
    """A pack's weights, as the program has them."""
    found = [param.detach().cpu().numpy().copy() for param in pack.stack.params.values()]
    return layout(pack.stack.template, found)
