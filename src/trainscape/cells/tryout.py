"""Tries imported optimizers before any job starts: makes each, and takes one step on the CPU.

A class may be valid and still not fit: ``torch.optim.Muon`` takes matrices alone, and not biases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.cells.imported import Imported, needs_closure, switch
from trainscape.errors import UserError
from trainscape.memory import is_lack

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from trainscape.cells.cell import Part
    from trainscape.study import Study

RATE = 1e-3


def construct(key: str, optimizer: Imported) -> None:
    """Refuse hyperparameters that the class refuses, by name where one alone is at fault.

    Args:
        key: where the optimizer stands in the study.
        optimizer: what to try.

    Raises:
        UserError: the class raised.
    """
    try:
        _make(optimizer)
    except Exception as error:
        at = next(
            (f".{name}" for name in optimizer.arguments if _takes_the_others(optimizer, name)), ""
        )
        raise UserError(f"{key}{at}: {optimizer}: {_in_one_line(error)}") from None


def step(study: Study, optimizers: Sequence[Part]) -> None:
    """Take a step of each imported optimizer with the parameters of each workload.

    Where training is to run on a GPU nothing is tried: a step on the CPU would tell little of it.

    Raises:
        UserError: an optimizer cannot update a workload's parameters.
    """
    imported = [(i, part) for i, part in enumerate(optimizers) if "torch" in part.params]
    if not imported or not _trains_on_cpu(study.device):
        return
    for name in study.workloads:
        for i, part in imported:
            optimizer = Imported.of(part.spec())
            params = _parameters(name)
            if not params:
                continue
            try:
                _step(optimizer.reference(params, RATE), params)
            except Exception as error:
                if is_lack(error):
                    continue  # of memory: training tells, cell by cell
                why = f"{optimizer}: cannot train {name!r}: {_in_one_line(error)}"
                raise UserError(f"grid.optimizer[{i}]: {why}") from None


def _make(optimizer: Imported) -> None:
    import torch

    optimizer.reference([torch.nn.Parameter(torch.zeros(2, 2))], RATE)


def _takes_the_others(optimizer: Imported, without: str) -> bool:
    """Whether the class takes all hyperparameters but the one called ``without``."""
    left = {name: value for name, value in optimizer.arguments.items() if name != without}
    try:
        _make(Imported(optimizer.path, left))
    except Exception:
        return False
    return True


def _trains_on_cpu(device: str) -> bool:
    import torch

    return device == "cpu" or (device == "auto" and not torch.cuda.is_available())


def _parameters(workload: str) -> list[torch.nn.Parameter]:
    """What a workload trains; none if it cannot be built: training says why, with its line."""
    import torch

    try:
        with torch.random.fork_rng(devices=[]):
            model = workloads.registry.get(workload).build()
    except Exception:
        return []
    return [param for param in model.parameters() if param.requires_grad]


def _step(optimizer: torch.optim.Optimizer, params: Sequence[torch.nn.Parameter]) -> None:
    import torch

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        with torch.enable_grad():
            loss = torch.stack([param.square().mean() for param in params]).sum()
            loss.backward()  # type: ignore[no-untyped-call]
        return loss

    switch(optimizer, training=True)
    if needs_closure(optimizer):
        optimizer.step(closure)  # type: ignore[arg-type]
    else:
        closure()
        optimizer.step()


def _in_one_line(error: Exception) -> str:
    """What an optimizer says; a ValueError is meant for users and goes without its kind."""
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    return " ".join(f"{kind}{error}".split())
