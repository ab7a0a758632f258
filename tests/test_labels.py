"""Labels that a model cannot be trained on are refused in one line, and other targets are not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit.own_folder import folder as folder  # autouse, once it is here
from kit.small_arrays import refusal
from trainscape import datasets, workloads
from trainscape.cells import grid
from trainscape.engine import device, run
from trainscape.pipeline import data
from trainscape.pipeline.layout import Layout
from trainscape.study import parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[Any]

# Four inputs, ten outputs, and the standard loss and metric unless the test changes them.
PLUGIN = """
from torch.nn import functional

from trainscape.datasets import npz_dataset
from trainscape.workloads import MSE, Metric, mean_squared_error, workload

npz_dataset("own", "own.npz")


def own_loss(output, target):
    from torch.nn import functional
    return functional.cross_entropy(output, target)


def smooth(output, target):
    return -(output.log_softmax(1) * target).sum(1).mean()


def own_metric(output, target):
    return (output.argmax(1) == target).double().mean()


def by_place(output, target):
    return own_loss(output.flatten(0, 1), target.flatten())


OWN = Metric("own", "max", "fraction", own_metric)
SOFT = Metric("soft", "min", "", smooth)


@workload("own-model", dataset="own", target=0.9{more})
def build():
    from torch import nn
    return {model}
"""
LINEAR = "nn.Sequential(nn.Linear(4, 10))"
BY_PLACE = "nn.Sequential(nn.Unflatten(1, (4, 1)), nn.Linear(1, 5))"  # (B, 4) to (B, 4, 5)
Y = np.arange(120) % 10


def study(y: Labels, more: str = "", model: str = LINEAR) -> dict[str, Any]:
    """A study of a plugin in the working folder, whose data has these targets."""
    x = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
    np.savez("own.npz", x_train=x[:100], y_train=y[:100], x_test=x[100:], y_test=y[100:])
    Path("plugin.py").write_text(PLUGIN.format(more=f", {more}" * bool(more), model=model))
    return {
        "plugins": ["plugin.py"],
        "workloads": ["own-model"],
        "budget": {"steps": 2},
        "seeds": 1,
        "grid": {
            "optimizer": ["sgd"],
            "batch_size": [10],
            "lr": [0.1],
            "schedule": ["constant"],
        },
    }


def train(raw: dict[str, Any]) -> None:
    """List the study's cells and train them."""
    cells = grid.cells(parse(raw, "test"))
    arrays = datasets.registry.get("own").make(datasets.Raw(Path()))
    run.train_cells([cell.spec() for cell in cells], arrays, device.choose("cpu"))


def listed(raw: dict[str, Any]) -> None:
    """List the study's cells."""
    grid.cells(parse(raw, "test"))


ARGMAX = "y_train has the shape (N, 10); expected (N,), as y.argmax(1) has"
FLOATS = "expected labels, whole numbers from 0 (y.astype('int64')); for a regression, give the"
UNFIT = {
    "a column": (Y[:, None], "y_train has the shape (N, 1); expected (N,), as y[:, 0] has"),
    "one hot": (np.eye(10, dtype=int)[Y], ARGMAX),
    "one hot, floats": (np.eye(10)[Y], ARGMAX),
    "two labels": (np.stack([Y, Y], 1), "y_train has the shape (N, 2); expected (N,)"),
    "negative": (Y - 1, "y_train holds labels from -1 to 8; expected whole numbers from 0"),
    "in the test split": (
        np.where(np.arange(120) == 110, -3, Y),
        "y_test holds labels from -3 to 9; expected whole numbers from 0",
    ),
    "whole floats": (Y.astype(float), f"y_train holds float64 from 0 to 9; {FLOATS}"),
    "halves": (Y.astype("float32") + 0.5, f"y_train holds float32 from 0.5 to 9.5; {FLOATS}"),
    "a column of floats": (Y[:, None] / 2, f"y_train holds float64 from 0 to 4.5; {FLOATS}"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_are_no_labels_is_refused_when_the_grid_is_listed(case: str) -> None:
    """Shape, type and sign are told with file, array and value before anything is built."""
    y, reason = UNFIT[case]
    said = refusal(lambda: listed(study(y)))
    assert said.startswith(f"dataset 'own': own.npz: {reason}")
    assert said.endswith(" (workload 'own-model')")


TOO_MANY = {
    "from one": (Y + 1, "y_train holds labels from 1 to 10", "; subtract 1"),
    "one too large": (
        np.where(np.arange(120) == 50, 12, Y),
        "y_train holds labels from 0 to 12",
        "",
    ),
    "in the test split": (
        np.where(np.arange(120) == 110, 10, Y),
        "y_test holds labels from 0 to 10",
        "",
    ),
}


@pytest.mark.parametrize("optimizer", ["sgd", {"torch": "torch.optim.NAdam"}])
@pytest.mark.parametrize("case", TOO_MANY)
def test_labels_beyond_the_outputs_are_refused_before_a_step(case: str, optimizer: object) -> None:
    """A label that the model has no output for is told of, whichever engine is to train."""
    y, held, cure = TOO_MANY[case]
    raw = study(y)
    raw["grid"]["optimizer"] = [optimizer]
    assert refusal(lambda: train(raw)) == (
        f"dataset 'own': own.npz: {held}; expected whole numbers from 0 to 9, "
        f"for outputs (N, 10){cure} (workload 'own-model')"
    )


def test_labels_beyond_the_outputs_leave_no_dataset_to_train_on(folder: Path) -> None:
    """`trainscape data` refuses them, and leaves no stamp behind for the training to start from."""
    raw = study(Y + 1)
    assert "y_train holds labels from 1 to 10" in refusal(lambda: data.make(layout(raw)))
    assert not list(folder.glob("data/.made/*"))


def layout(raw: dict[str, Any]) -> Layout:
    """The files of a study."""
    return Layout(parse(raw, "test"))


def test_classes_without_an_example_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A gap in the labels trains, and `trainscape data` says so once: it may be a slip."""
    raw = study(np.where(np.isin(Y, [3, 9]), 4, Y))
    train(raw)
    data.make(layout(raw))
    assert capsys.readouterr().err == (
        "note: y_train of 'own' has no example of class 3, 9; "
        "the model of 'own-model' has 10 outputs\n"
    )


@pytest.mark.parametrize("kind", ["uint8", "int8", "int32", "uint16", "uint64"])
def test_every_type_of_whole_numbers_holds_labels(kind: str) -> None:
    """How many bits a label has does not matter."""
    train(study(Y.astype(kind)))


def test_true_and_false_are_two_classes() -> None:
    """A column of a condition is labelled 0 and 1."""
    train(study(Y > 4, model="nn.Sequential(nn.Linear(4, 2))"))


OTHERS = {
    "regression": ("loss=mean_squared_error, metric=MSE", "nn.Linear(4, 1)", Y[:, None] / 3 - 1),
    "whole numbers": ("loss=mean_squared_error, metric=MSE", "nn.Linear(4, 1)", Y[:, None] - 50),
    "probabilities": ("metric=SOFT", LINEAR, np.eye(10, dtype="float32")[Y] * 0.9 + 0.01),
    "own loss and metric": ("loss=own_loss, metric=OWN", LINEAR, np.where(Y == 3, -100, Y)),
    "a label a place": ("loss=by_place", BY_PLACE, np.stack([Y % 5] * 4, 1)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_targets_of_other_tasks_are_left_alone(case: str) -> None:
    """Only the standard loss or metric makes labels of targets; both fit outputs of any rank."""
    more, model, y = OTHERS[case]
    train(study(y, more, model))


SHAPED = {
    "own loss": ("loss=own_loss", LINEAR, Y + 1, "labels from 1 to 10; expected whole numbers"),
    "own metric": ("metric=OWN", LINEAR, Y + 1, "labels from 1 to 10; expected whole numbers"),
    "by place": (
        "loss=by_place",
        BY_PLACE,
        np.stack([Y % 5 + 1] * 4, 1),
        "labels from 1 to 5; expected whole numbers from 0 to 4, for outputs (N, 4, 5); subtract 1",
    ),
    "a label for all places": (
        "loss=by_place",
        BY_PLACE,
        Y % 5,
        "the shape (N,); expected (N, 4), for outputs (N, 4, 5)",
    ),
    "a single output": (
        "loss=own_loss",
        "nn.Linear(4, 1)",
        Y % 2,
        "labels from 0 to 1; expected whole numbers from 0 to 0, for outputs (N, 1); for a regr",
    ),
}


@pytest.mark.parametrize("case", SHAPED)
def test_either_standard_part_makes_labels_of_targets(case: str) -> None:
    """With the standard loss or metric, labels are held to the outputs where the classes stand."""
    more, model, y, reason = SHAPED[case]
    assert reason in refusal(lambda: train(study(y, more, model)))


def test_the_shipped_workloads_say_which_of_them_classify() -> None:
    """Those with labels are held to them; the regression and the functions are not."""
    entries = [workloads.registry.get(name) for name in workloads.registry.names()]
    assert {entry.name for entry in entries if not entry.classifies} == {
        *("regression", "quadratic", "valley")
    }


UNCHECKED = "loss=functional.cross_entropy, metric=OWN"
LATE = np.where(np.arange(120) == 110, 12, Y)  # in the validation split
TOLD = {
    "an assertion": (Y[:, None], UNCHECKED, "0D or 1D target tensor expected"),
    "in a later batch": (LATE, "loss=own_loss, metric=OWN", "12 is out of bounds"),
}


@pytest.mark.parametrize("case", TOLD)
def test_what_torch_says_of_targets_is_told_in_one_line(case: str) -> None:
    """Where targets are not checked, an error of whatever kind, at whatever step, names a line."""
    y, more, reason = TOLD[case]
    said = refusal(lambda: train(study(y, more)))
    assert said.startswith("workload 'own-model', batch_size 10: plugin.py, line ")
    assert reason in said
