"""Errors in a user's model or update rule, told in one line that names the culprit."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from trainscape.engine.model import drawing_layer
from trainscape.engine.trial import PartError
from trainscape.errors import UserError
from trainscape.memory import is_lack
from trainscape.source import PACKAGE
from trainscape.user_lines import line_of, line_where, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainscape.cells.budget import Plan
    from trainscape.engine.apart import Obstacle
    from trainscape.engine.task import Task
    from trainscape.optimizers import Optimizer

T = TypeVar("T")
# what torch raises when a model does not fit its data; a user's own line may raise anything
TORCHS = (RuntimeError, ValueError, TypeError, LookupError, AttributeError)


@contextmanager
def blaming(task: Task) -> Iterator[None]:
    """Turn what a workload's model, loss or metric raises into a user's error.

    Raises:
        UserError: it raised; names the workload and the batch size, a plugin's file and line, and
            where the cause is a batch of one example, the nearest batch size that leaves none.
        torch.OutOfMemoryError: memory ran out, on any device: no fault of the model's.
    """
    try:
        yield
    except Exception as error:
        if (made := model_error(task, error)) is error:
            raise
        raise made from error


def model_error(task: Task, error: Exception) -> Exception:
    """What to raise for an error in a model, loss or metric: one that names the workload.

    An error of this package's own, in no words for users, stays what it is.
    """
    if isinstance(error, torch.OutOfMemoryError | UserError):
        return error
    if is_lack(error):
        return torch.OutOfMemoryError(str(error))
    if _own_fault(error):
        return error
    return _model_error(task, error)


def rule_error(optimizer: Optimizer, error: Exception) -> Exception:
    """What to raise for an error in an update rule: one that names the optimizer and the line."""
    if isinstance(error, torch.OutOfMemoryError | UserError):
        return error
    if is_lack(error):
        return torch.OutOfMemoryError(str(error))
    return UserError(f"optimizer {str(optimizer)!r}: {line_of(error)}{told(error)}")


@contextmanager
def rule_errors(optimizer: Optimizer) -> Iterator[None]:
    """Turn what an optimizer raises into :func:`rule_error`."""
    try:
        yield
    except Exception as error:
        raise rule_error(optimizer, error) from error


def idle_rule_error(optimizer: Optimizer) -> UserError:
    """The error for a rule that left the parameters as they were."""
    return UserError(
        f"optimizer {str(optimizer)!r}: {line_where(optimizer.update)}update() left the parameters "
        "as they were; "
        "change param in place (param.sub_(...), not param = param - ...)"
    )


def _own_fault(error: Exception) -> bool:
    """Whether an error was raised by this package itself, and not in words for its users."""
    at = traceback.extract_tb(error.__traceback__)[-1].filename
    return not isinstance(error, TORCHS) and Path(at).resolve().is_relative_to(PACKAGE)


def _model_error(task: Task, error: Exception) -> UserError:
    """What to raise for an error in a model, loss or metric: it names workload and batch size."""
    workload, plan = task.workload, task.plan
    where = f"workload {workload.name!r}, batch_size {plan.batch_size}: "
    if "more than 1 value per channel" in str(error):  # BatchNorm's words
        if plan.examples == 1:
            return UserError(f"{where}BatchNorm cannot train on data of one example")
        if plan.batch_size == 1:
            return UserError(
                f"{where}BatchNorm cannot train on batches of one example; choose batch_size "
                f"{_nearest(plan)} for the {plan.examples} examples"
            )
        return UserError(
            f"{where}BatchNorm cannot train on a batch of one example, which {plan.examples} "
            f"examples leave; choose batch_size {_nearest(plan)}, or last_batch: drop"
        )
    if "random operation" in str(error):  # vmap's words
        return UserError(f"{where}{_drawing(task)}")
    if isinstance(error, PartError):
        return UserError(f"{where}{line_where(error.part)}{error}")
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    if line := line_of(error):
        return UserError(f"{where}{line}{type(error).__name__}: {reason}")
    return UserError(
        f"{where}{line_where(workload.build)}{reason}"
    )  # a model of torch's own layers


def _drawing(task: Task) -> str:
    """What to say of a model that draws random numbers: the layer that does, and the way out."""
    found = drawing_layer(task.workload.build, task.splits.train.x[:2])
    if found is None:
        return "the loss or metric draws random numbers, which no trial could draw again"
    layer, kind = found
    called = f"layer {layer!r} ({_kind(kind)})" if layer else "the model"
    if layer and _is_torchs(kind):
        return (
            f"{called} draws its dropout itself; give it dropout=0, and put nn.Dropout modules "
            "before or behind it"
        )
    return f"{called} draws random numbers in its forward pass; use nn.Dropout modules"


def apart_because(workload: str, found: Obstacle) -> str:
    """The line on a workload whose trials cannot train as one program.

    Args:
        workload: its name.
        found: what torch could not batch.
    """
    reason = " ".join(str(found.error).split())
    reason = f"{line_of(found.error)}{reason.partition('. ')[0]}"
    cure = found.cure or "leave out .item(), branches on values and writing into other tensors"
    if found.kind is None:
        what = f"the {'model' if found.layer == '' else 'loss or metric'} ({reason})"
    elif not found.layer:
        what = f"the model ({reason})"
    else:
        what = f"layer {found.layer!r} ({_kind(found.kind)})"
        if issubclass(found.kind, nn.RNNBase | nn.RNNCellBase):
            cure = "write the layer out as a cell"
        else:
            what = f"{what[:-1]}: {reason})"
    return (
        f"workload {workload!r}: {what} takes one model at a time, so its trials train one by one, "
        f"unfused and more slowly; to fuse them, {cure} (docs/plugins.md, Models that do not fuse)"
    )


def _kind(kind: type[nn.Module]) -> str:
    """A module's class, as a model's source names it."""
    return f"nn.{kind.__name__}" if _is_torchs(kind) else kind.__name__


def _is_torchs(kind: type[nn.Module]) -> bool:
    return kind.__module__.startswith("torch.nn.")


def _nearest(plan: Plan) -> int:
    """The batch size nearest to the plan's at which no batch is a single example."""
    sizes = [size for size in range(2, plan.examples + 1) if plan.examples % size != 1]
    return min(sizes, key=lambda size: abs(size - plan.batch_size))
