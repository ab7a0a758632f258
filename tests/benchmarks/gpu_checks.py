"""What is to hold on a GPU: the CPU's curves, equal bits from run to run, independence of the pack.

Every check returns rows of plain data and prints none. What does not hold bit for bit is reported
with the largest difference.
"""

from __future__ import annotations

import io
import math
import tempfile
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import gpu_rows
from benchmarks.gpu_trials import RULES, Bench, Shape, crowd, trial
from trainscape.engine.checkpoint import Keeper
from trainscape.engine.graph import EAGER
from trainscape.engine.leaving import Leaving
from trainscape.engine.pack import Pack
from trainscape.engine.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.engine.trial import Trial
    from trainscape.engine.unfused import Single


def curves(shape: Shape, on: torch.device) -> list[dict[str, Any]]:
    """Each rule's loss curves on the CPU and on the device, and how far they part."""
    trials = [trial(rule, seed) for rule in RULES for seed in (0, 1)]
    here, _, _ = Bench(shape, torch.device("cpu")).train(trials)
    there, _, _ = Bench(shape, on).train(trials)
    rows = []
    for rule in RULES:
        both = [
            (x, y)
            for one, x, y in zip(trials, here, there, strict=True)
            if one.optimizer.name == rule
        ]
        rows.append(gpu_rows.curves(f"{shape.workload}, {rule}", both))
    return rows


def repeats(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """Two packs of the same trials, from nothing."""
    bench, trials = Bench(shape, on), crowd(width)
    (a, wa, _), (b, wb, _) = bench.train(trials), bench.train(trials)
    equal = a == b and torch.equal(wa, wb)
    return [
        gpu_rows.row("two runs give equal bits", shape, width, equal, wa, wb, "records and weights")
    ]


def reloads(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """A pack that is loaded again, after others, gives what a new one does."""
    bench, trials = Bench(shape, on), crowd(width)
    first, weights, pack = bench.train(trials)
    pack.load(trials[::-1])
    pack.train()
    pack.load(trials)
    again = pack.train()
    flat = pack.stack.flat.cpu()
    equal = first == again and torch.equal(weights, flat)
    said = "records and weights"
    return [
        gpu_rows.row("a pack used again gives equal bits", shape, width, equal, weights, flat, said)
    ]


def resumes(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """A pack that is left early, amid and late in its training, and goes on in a new one."""
    bench, trials = Bench(shape, on), crowd(width)
    first, weights, _ = bench.train(trials)
    total, said = bench.task.plan.total, list[str]()
    stops = sorted({min(2, total - 1), total // 2, total - 1})
    with tempfile.TemporaryDirectory() as folder:
        for at in (*stops, None):
            pack = Pack(bench.task, width)
            pack.load(trials)
            keeper = Keeper(Path(folder), math.inf, lambda i, _: str(i), on, said.append)
            keeper.begin([{"seeds": [one.seed]} for one in trials])
            keeper.expect(list(enumerate(trials)))
            keeper.parts(trials)
            with suppress(Leaving):
                again = pack.train(watch=LeavesAt(keeper, trials, at))
    flat = pack.stack.flat.cpu()
    went_on = [line for line in said if line.startswith("resumed")]
    equal = first == again and torch.equal(weights, flat) and len(went_on) == len(stops)
    detail = f"records and weights; {', '.join(went_on)}"
    check = "a pack that was left goes on with equal bits"
    return [gpu_rows.row(check, shape, width, equal, weights, flat, detail)]


class LeavesAt(Watch):
    """Leaves a pack after so many steps; never, where that is None."""

    def __init__(self, keeper: Keeper, trials: Sequence[Trial], step: int | None) -> None:
        keys = [(i, one.seed) for i, one in enumerate(trials)]
        super().__init__(keeper, keys, "one", whole=True)
        self.step = step

    def look(self, of: Pack | Single) -> None:
        if of.done == self.step:
            raise Leaving(15)


def company(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """At one width: every trial at another place, and beside others."""
    bench, trials = Bench(shape, on), crowd(width)
    _, weights, _ = bench.train(trials)
    _, turned, _ = bench.train(trials[::-1])
    half = width // 2
    others = [trial("sgd", 7 + i, 0.5) for i in range(width - half)]
    _, mixed, _ = bench.train([*trials[:half], *others])
    place, beside = "another place in the pack", "other trials in half of the pack"
    return [
        gpu_rows.alike("independent of " + place, shape, width, weights, turned.flip(0)),
        gpu_rows.alike("independent of " + beside, shape, width, weights[:half], mixed[:half]),
    ]


def halves(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """The same trials in packs of half and of a quarter of the width, as when memory runs out."""
    bench, trials = Bench(shape, on), crowd(width)
    _, weights, _ = bench.train(trials)
    rows = []
    for parts in (2, 4):
        size = width // parts
        if size < 2:
            continue
        found = [bench.train(trials[i : i + size])[1] for i in range(0, width, size)]
        said = f"independent of the width, {size} against {width}"
        rows.append(gpu_rows.alike(said, shape, width, weights, torch.cat(found)))
    return rows


def captured(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """Whether steps and evaluations ran as CUDA graphs, or why not."""
    said = io.StringIO()
    with redirect_stderr(said):
        _, _, pack = Bench(shape, on).train(crowd(width))
    rows = []
    for key, work in pack.captured.items():
        what = f"steps of {key} examples" if isinstance(key, int) else f"evaluations of {key}"
        few = work.graph is None and (work.calls <= EAGER or on.type != "cuda")
        detail = f"captured at call {work.calls}"
        if work.graph is None:
            reason = said.getvalue().strip().replace("\n", " / ") or "nothing was said"
            detail = f"{work.calls} calls on {on.type}" if few else reason
        rows.append(
            {
                "check": "runs as a CUDA graph",
                "what": f"{shape.workload}, width {width}, {what}",
                "holds": None if few else work.graph is not None,
                "largest": None,
                "detail": detail,
            }
        )
    text = said.getvalue().strip().replace("\n", " / ")
    if text:
        rows.append(
            {"check": "said on stderr", "what": shape.workload, "holds": False, "detail": text}
        )
    return rows
