"""A cell as text to paste: into params.yaml, and into a training loop in plain PyTorch."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from trainscape import datasets, optimizers, schedules, source, workloads
from trainscape.cells.budget import Plan
from trainscape.cells.cell import TORCH
from trainscape.cells.imported import Imported
from trainscape.files import recalled, remember
from trainscape.hardware import torch_version
from trainscape.hashing import sha256
from trainscape.schedules import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from trainscape.cells.cell import Cell, Part
    from trainscape.pipeline.layout import Layout
    from trainscape.schedules import Schedule

NEAR = 1e-3  # how far a written factor may be from the schedule's own, as a share of the peak
KNOTS = 160  # most points of a factor that is written as a table
LR = 1.25e-7  # stands for the rate: no optimizer has it as a default
STORE = Path(".snakemake/trainscape/torch.json")  # texts by what decides them; a help, no more
MOST = 1000  # texts
PLACE = "{lr}"  # where the page's script writes a cell's rate


def snippets(layout: Layout) -> dict[str, Any]:
    """What the page's script joins to the text of any cell.

    Returns:
        ``optimizer``: by label, its ``yaml`` and its ``torch`` with ``{lr}`` for the rate;
        ``schedule``: by label its ``yaml``; ``factor``: by workload, label and batch size, the
        schedule in PyTorch, with the steps of that run.
    """
    study, grid = layout.study, layout.grid
    by_label = {cell.optimizer.label: cell.optimizer for cell in grid}
    written = dict(zip(layout.labels.optimizers, study.grid.optimizer, strict=True))
    planned = dict(zip(layout.labels.schedules, study.grid.schedule, strict=True))
    return {
        "optimizer": {
            label: {"yaml": _yaml(written[label]), "torch": text}
            for label, text in _all_in_torch(by_label).items()
        },
        "schedule": {label: {"yaml": _yaml(entry)} for label, entry in planned.items()},
        "factor": {name: _factors(grid, name) for name in study.workloads},
    }


def _yaml(entry: Any) -> str:
    """An entry of an axis as a study writes it, on one line."""
    plain = entry if isinstance(entry, str) else entry.model_dump(mode="json", exclude_none=True)
    text = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("...\n").strip()


def _all_in_torch(parts: Mapping[str, Part]) -> dict[str, str]:
    """What :func:`in_torch` writes of each part. It is kept: to ask anew is to load torch, 2 s."""
    before = recalled(STORE)
    texts = before.items() if isinstance(before, dict) else ()
    kept: dict[str | None, str] = {key: text for key, text in texts if isinstance(text, str)}
    keys = {label: _key(part) for label, part in parts.items()}
    made = {label: kept.get(key) or in_torch(parts[label]) for label, key in keys.items()}
    new = {key: made[label] for label, key in keys.items() if key}
    if not new.items() <= kept.items():
        remember(STORE, {**kept, **new} if len(kept) < MOST else new)
    return made


def _key(part: Part) -> str | None:
    """What decides the text of a part: torch's version, and the source; None of users' own."""
    if part.name == TORCH:
        rule: Any = Imported.of(part.spec())
        files = [Path(__file__)] if rule.path.startswith("torch.") else []
    else:
        known = optimizers.registry
        files = [Path(__file__), known.source(part.name)] if known.ships(part.name) else []
    if not files:
        return None
    return sha256({"part": part.spec(), "torch": torch_version(), "source": source.closure(files)})


def in_torch(part: Part) -> str:
    """The line that makes an optimizer, with the arguments that are not PyTorch's defaults."""
    import torch

    if part.name == TORCH:
        rule: Any = Imported.of(part.spec())
        name = rule.path
    else:
        rule = optimizers.registry.make(part.spec())
        name = ""
    with _without_compiler():
        made = rule.reference([torch.nn.Parameter(torch.zeros(1))], LR)
    if made is None:
        return f"# torch.optim has no {part.name}: its rule is trainscape's own"
    called = name or f"torch.optim.{type(made).__name__}"
    before = "" if called.startswith("torch.") else f"import {called.rpartition('.')[0]}\n"
    arguments = ", ".join(["model.parameters()", f"lr={PLACE}", *_unusual(made)])
    clip = part.params.get("clip_norm")
    after = (
        f"\n# before every step: torch.nn.utils.clip_grad_norm_(model.parameters(), {clip:g})"
        if clip
        else ""
    )
    return f"{before}optimizer = {called}({arguments}){after}"


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Makes optimizers that load no compiler, which takes the first one of a process 2 s."""
    from torch.optim import Optimizer

    usual = Optimizer.add_param_group
    Optimizer.add_param_group = inspect.unwrap(usual)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Optimizer.add_param_group = usual  # type: ignore[method-assign]


def _unusual(made: torch.optim.Optimizer) -> list[str]:
    """An optimizer's arguments that differ from its class's defaults, as code."""
    known = inspect.signature(type(made)).parameters
    return [
        f"{name}={value!r}"
        for name, value in made.defaults.items()
        if name in known and name != "lr" and value != known[name].default
    ]


def _factors(grid: Sequence[Cell], workload: str) -> dict[str, dict[str, str]]:
    """By label and batch size, a schedule in PyTorch."""
    examples = datasets.registry.get(workloads.registry.get(workload).dataset).train
    found: dict[str, dict[str, str]] = {}
    for cell in grid:
        own = found.setdefault(cell.schedule.label, {})
        size = str(cell.batch_size)
        if cell.workload == workload and size not in own:
            plan = Plan.of(cell.spec(), examples)
            rule = schedules.registry.make(cell.schedule.spec())
            clock = Clock(plan.epoch, plan.total)
            own[size] = scheduler(rule, clock, cell.schedule.label)
    return found


def scheduler(rule: Schedule, clock: Clock, label: str) -> str:
    """The lines that make a schedule's rate, with ``scheduler.step()`` after every step."""
    if rule.reacts:
        return f"# {rule.name} follows the validation loss: see torch's ReduceLROnPlateau"
    factors = np.array(rule.table(clock))
    if np.ptp(factors) == 0 and factors[0] == 1:
        return f"# {label}: the rate stays, here for {clock.total} steps"
    at, apart = _knots(factors)
    heights = ", ".join(f"{factors[i]:.4g}" for i in at)
    return (
        "import numpy as np\n"
        f"steps = {clock.total}  # of your run: {label} is stretched over them\n"
        f"at = np.array({at}) * (steps - 1) / {clock.total - 1}\n"
        f"factor = [{heights}]  # on the rate, within {max(apart, NEAR):.1g}\n"
        "scheduler = torch.optim.lr_scheduler.LambdaLR(\n"
        "    optimizer, lambda step: float(np.interp(step, at, factor))\n"
        ")  # call scheduler.step() after every step"
    )


def _knots(factors: NDArray[np.float64]) -> tuple[list[int], float]:
    """The steps between which straight lines stay near a schedule, and how far off they are.

    The ends first, then the worst step; a schedule of many stairs may need more than are written.
    """
    steps, at = np.arange(len(factors)), sorted({0, len(factors) - 1})
    while True:
        apart = np.abs(np.interp(steps, at, factors[at]) - factors)
        worst = int(apart.argmax())
        if apart[worst] <= NEAR or len(at) == KNOTS:
            return at, float(apart[worst])
        at = sorted({*at, worst})
