"""What torch says of a user's model, in one line that names the workload."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from trainscape.budget import Plan
    from trainscape.optimizers import Optimizer
    from trainscape.workloads import Workload


@contextmanager
def blaming(workload: Workload, plan: Plan) -> Iterator[None]:
    """Turn what a workload's model, loss or metric raises into a user's error.

    Raises:
        UserError: it raised; names the workload and the batch size, and where the cause is a batch
            of one example, the nearest batch size that leaves none.
        torch.OutOfMemoryError: memory ran out, on any device: no fault of the model's.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if "DefaultCPUAllocator" in str(error):  # on the CPU it has no class of its own
            raise torch.OutOfMemoryError(str(error)) from error
        raise _blame(workload, plan, error) from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise _blame(workload, plan, error) from error


@contextmanager
def blaming_rule(optimizer: Optimizer, flat: Tensor) -> Iterator[None]:
    """Turn what an update rule raises into a user's error, and a rule that does nothing, too.

    Args:
        optimizer: whose rule runs in the block.
        flat: the parameters, which the rule has to change in place.

    Raises:
        UserError: names the optimizer.
        torch.OutOfMemoryError: as it came.
    """
    version = flat._version  # counts changes in place
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"optimizer {optimizer.name!r}: {reason}") from error
    if flat._version == version:
        raise UserError(
            f"optimizer {optimizer.name!r}: update() left the parameters as they were; "
            "change param in place (param.sub_(...), not param = param - ...)"
        )


def _blame(workload: Workload, plan: Plan, error: Exception) -> UserError:
    """What the error says, in one line that names the workload and the batch size."""
    said = f"workload {workload.name!r}, batch_size {plan.batch_size}: "
    if "more than 1 value per channel" in str(error):  # BatchNorm's words
        return UserError(
            f"{said}BatchNorm cannot train on a batch of one example, which {plan.examples} "
            f"examples leave; choose batch_size {_nearest(plan)}"
        )
    if "random operation" in str(error):  # vmap's words
        return UserError(
            f"{said}the model draws random numbers in its forward pass; use nn.Dropout modules"
        )
    reason = str(error).strip().partition("\n")[0]
    return UserError(f"{said}{reason or type(error).__name__}")


def _nearest(plan: Plan) -> int:
    """The batch size nearest to the plan's at which no batch is a single example."""
    sizes = [size for size in range(2, plan.examples + 1) if plan.examples % size != 1]
    return min(sizes, key=lambda size: abs(size - plan.batch_size))
