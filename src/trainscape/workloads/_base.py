"""What a workload is: a dataset, a model, a loss, a metric with a direction, and a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from trainscape.errors import unknown
from trainscape.registry import Registry

if TYPE_CHECKING:  # torch is imported where a model is built: listing a grid does not need it
    from collections.abc import Callable

    from torch import Tensor, nn

    Loss = Callable[[Tensor, Tensor], Tensor]

Of = TypeVar("Of")
Direction = Literal["max", "min"]


def example_mean(of: Of) -> Of:
    """Mark a loss or metric as a mean over examples, so that a split may be scored in parts.

    Any other is called with the outputs of a whole split at once: F1, AUC, R² or a weighted mean of
    parts do not make up that of the whole.
    """
    of.example_mean = True  # type: ignore[attr-defined]
    return of


@example_mean
def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """The mean cross-entropy of logits (B, classes) against labels (B,)."""
    from torch.nn import functional

    return functional.cross_entropy(output, target)


@example_mean
def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """The share of logits (B, classes) whose largest entry is at the label (B,)."""
    return (output.argmax(-1) == target).double().mean()


@dataclass(frozen=True)
class Metric:
    """What a workload is judged by.

    Args:
        name: the word for it in tables and axes.
        direction: whether more or less is better.
        unit: ``fraction`` (0 to 1, shown in percent) or the unit of the value.
        compute: its value, from the outputs and targets of a whole split, or of any number of
            examples where it is marked as an :func:`example_mean`.

    Raises:
        UserError: the direction is neither ``max`` nor ``min``.
    """

    name: str
    direction: Direction
    unit: str
    compute: Loss

    def __post_init__(self) -> None:
        if self.direction not in get_args(Direction):
            raise unknown(f"metric {self.name!r}, direction", self.direction, get_args(Direction))

    def better(self, value: float, than: float) -> bool:
        """Whether ``value`` is at least as good as ``than``."""
        return value >= than if self.direction == "max" else value <= than


ACCURACY = Metric("accuracy", "max", "fraction", accuracy)


@dataclass(frozen=True)
class Workload:
    """A training task.

    Args:
        name: its name in a study.
        dataset: the name of its dataset.
        build: makes a fresh model; weights come from torch's generator, and modules draw nothing
            else.
        target: the validation metric to reach, from which steps_to_target is counted.
        mean: subtracted from inputs after bytes are scaled to [0, 1].
        std: what inputs are divided by then.
        loss: the mean loss of a batch, from outputs and targets; a split is scored by it as by the
            metric.
        metric: what the workload is judged by.
        path: whether every evaluation records the model's parameters: for models of a few.
        chance: the metric of the best constant prediction, such as the share of the largest class;
            None if it is not known. A trial that ends no better has failed.
    """

    name: str
    dataset: str
    build: Callable[[], nn.Module]
    target: float
    mean: float = 0.0
    std: float = 1.0
    loss: Loss = cross_entropy
    metric: Metric = ACCURACY
    path: bool = False
    chance: float | None = None

    @property
    def in_parts(self) -> bool:
        """Whether loss and metric of a split are the means of those of its parts."""
        return all(hasattr(of, "example_mean") for of in (self.loss, self.metric.compute))

    @property
    def classifies(self) -> bool:
        """Whether targets are labels of classes: the loss or the metric is the standard one."""
        return self.loss is cross_entropy or self.metric is ACCURACY


registry: Registry[Workload] = Registry("workload", "trainscape.workloads", separator="-")


def workload(
    name: str,
    *,
    dataset: str,
    target: float,
    mean: float = 0.0,
    std: float = 1.0,
    loss: Loss = cross_entropy,
    metric: Metric = ACCURACY,
    path: bool = False,
    chance: float | None = None,
) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    """Register the decorated model builder as the workload ``name``; see :class:`Workload`."""

    def decorate(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        entry = Workload(name, dataset, build, target, mean, std, loss, metric, path, chance)
        registry.add(name, entry, build.__code__.co_filename)
        return build

    return decorate
