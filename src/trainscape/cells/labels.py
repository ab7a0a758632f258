"""The labels of a classification: whole numbers from 0, one an example, below the outputs.

Which workloads classify is theirs to say (:attr:`trainscape.workloads.Workload.classifies`); the
targets of all others are left alone. What torch makes of a wrong label is an index error in the
middle of training, and on a GPU the end of the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import ACCURACY, cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.datasets import Dataset, Values
    from trainscape.workloads import Workload

ARRAYS = ("y_train", "y_test")
REGRESSION = "; for a regression, give the workload loss=mean_squared_error and metric=MSE"


def check(
    workload: Workload,
    dataset: Dataset,
    values: Mapping[str, Values],
    outputs: tuple[int, ...] | None = None,
) -> None:
    """Refuse labels that the workload cannot be trained on.

    Args:
        workload: what is to train; one that does not classify is let pass.
        dataset: its dataset.
        values: what the arrays hold, by name; what is not there is not checked.
        outputs: what the model gives for one example, such as (10,), where it is known.

    Raises:
        UserError: names the dataset, what makes it, the array, what it holds and what is expected.
    """
    if not workload.classifies:
        return
    for name in ARRAYS:
        if name in values and (reason := _fault(workload, values[name], outputs)):
            raise dataset.refusal(f"{name} {reason} (workload {workload.name!r})")


def classes(workload: Workload, outputs: tuple[int, ...]) -> int:
    """How many classes a model tells apart, by what it gives for one example: (10,) is ten."""
    return outputs[_axis(workload)]


def _axis(workload: Workload) -> int:
    """The axis of the classes in what a model gives for one example."""
    return -1 if workload.metric is ACCURACY else 0  # cross-entropy has them in front


def _fault(workload: Workload, labels: Values, outputs: tuple[int, ...] | None) -> str | None:
    """What makes labels unfit, or None."""
    if not labels.whole and workload.metric is not ACCURACY:
        return None  # cross-entropy takes the probabilities of classes, too
    if not labels.whole and not _one_hot(labels):
        held = f"{labels.dtype} from {labels.low:g} to {labels.high:g}"
        return (
            f"holds {held}; expected labels, whole numbers from 0 (y.astype('int64')){REGRESSION}"
        )
    wanted = _shape(workload, outputs)
    given = f", for outputs {_of_all(outputs)}" if outputs is not None else ""
    if wanted is not None and labels.shape != wanted:
        shape = _of_all(labels.shape)
        return f"has the shape {shape}; expected {_of_all(wanted)}{given}{_cure(labels)}"
    held = f"holds labels from {int(labels.low)} to {int(labels.high)}"
    if outputs is None:
        return f"{held}; expected whole numbers from 0" if labels.low < 0 else None
    count = classes(workload, outputs)
    if labels.low >= 0 and labels.high < count:
        return None
    shift = f"; subtract {labels.low}" if 0 < labels.low == labels.high - count + 1 else ""
    hint = REGRESSION if count == 1 else shift
    return f"{held}; expected whole numbers from 0 to {count - 1}{given}{hint}"


def _shape(workload: Workload, outputs: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """The shape of an example's labels: what the model gives without the classes, if known."""
    if workload.loss is cross_entropy and workload.metric is ACCURACY:
        return ()  # they agree on outputs (B, classes) alone
    if outputs is None:
        return None
    axis = _axis(workload) % len(outputs)
    return outputs[:axis] + outputs[axis + 1 :]


def _of_all(shape: tuple[int, ...]) -> str:
    """The shape of an array, by that of one example."""
    return f"({', '.join(['N', *map(str, shape)])}{',' * (not shape)})"


def _cure(labels: Values) -> str:
    """How to come to one label an example, where that is plain."""
    if labels.shape == (1,):
        return ", as y[:, 0] has"
    return ", as y.argmax(1) has" if _one_hot(labels) else ""


def _one_hot(labels: Values) -> bool:
    """Whether each class may have a column of its own."""
    return len(labels.shape) == 1 and labels.shape[0] > 1 and (labels.low, labels.high) == (0, 1)
