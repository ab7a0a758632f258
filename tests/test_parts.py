"""Optimizers by import path: found, checked and refused before any job starts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch

from trainscape import hardware
from trainscape.cells import grid
from trainscape.errors import UserError
from trainscape.study import parse

if TYPE_CHECKING:
    from trainscape.cells.cell import Part

SGD = (
    "clip_norm, dampening, differentiable, foreach, fused, label, maximize, momentum, nesterov, "
    "weight_decay"
)
ADAM = "torch.optim.Adam"


def parts(*entries: Any) -> list[Part]:
    """The optimizers of a study with one cell each."""
    axes = {"optimizer": list(entries), "batch_size": [64], "lr": [0.1], "schedule": ["constant"]}
    return [cell.optimizer for cell in grid.cells(parse({"grid": axes}, "params.yaml"))]


def test_an_import_path_is_a_part() -> None:
    """It states the path and what is given, and is called after its class."""
    [part] = parts({"torch": "torch.optim.NAdam", "momentum_decay": "1e-2"})
    assert part.spec() == {
        "name": "torch",
        "torch": "torch.optim.NAdam",
        "clip_norm": None,
        "momentum_decay": 0.01,
    }
    assert part.label == "nadam"
    [named] = parts({"torch": "torch.optim.NAdam", "label": "mine"})
    assert named.label == "mine"


@pytest.mark.parametrize(
    ("given", "stated"),
    [
        ({"betas": [0, "1e-1"]}, {"betas": (0.0, 0.1)}),
        ({"eps": 1}, {"eps": 1.0}),
        ({"amsgrad": True, "foreach": None}, {"amsgrad": True, "foreach": None}),
    ],
)
def test_one_number_is_one_cell(given: dict[str, Any], stated: dict[str, Any]) -> None:
    """However numbers are spelled, the part states them in the type of the default."""
    [part] = parts({"torch": ADAM, **given})
    found = {key: part.params[key] for key in part.params if key not in ("torch", "clip_norm")}
    assert repr(found) == repr(stated)


def test_text_stays_text() -> None:
    """A hyperparameter may be a word, and a whole number is told from a fraction."""
    entry = {"torch": "torch.optim.LBFGS", "line_search_fn": "strong_wolfe", "max_iter": "1e1"}
    [part] = parts(entry)
    assert repr(part.params["max_iter"]) == "10"
    assert part.params["line_search_fn"] == "strong_wolfe"


class Handed(torch.optim.SGD):
    """Hands on what it does not know."""

    def __init__(self, params: Any, extra: float = 1.0, **rest: Any) -> None:
        super().__init__(params, **rest)


def test_arguments_that_a_class_hands_on_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """``**kwargs`` means the arguments of the class below, not any name."""
    monkeypatch.setattr(torch.optim, "Handed", Handed, raising=False)
    [part] = parts({"torch": "torch.optim.Handed", "extra": 2, "momentum": 0.5})
    assert part.params["extra"] == 2.0
    assert "did you mean 'momentum'?" in refused({"torch": "torch.optim.Handed", "momentm": 1})


def refused(*entries: Any) -> str:
    """Why the entries are refused: one line."""
    with pytest.raises(UserError) as error:
        parts(*entries)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix("params.yaml: ")


REFUSED: list[tuple[Any, str]] = [
    # the path
    (
        {"torch": "Adam"},
        ".torch: 'Adam' is no import path; write package.module.Class, such as torch.optim.NAdam",
    ),
    ({"torch": "torhc.optim.SGD"}, ".torch: no package 'torhc'; did you mean 'torch'?"),
    (
        {"torch": "nobodys.Rule"},
        ".torch: no package 'nobodys'; install it, or put it beside a plugin",
    ),
    ({"torch": "torch.optm.SGD"}, ".torch (torch): unknown 'optm'; did you mean 'optim'?"),
    ({"torch": "torch.optim.Adm"}, ".torch (torch.optim): unknown 'Adm'; did you mean 'Adam'?"),
    ({"torch": "torch.nn.Linear"}, ".torch: 'torch.nn.Linear' is no torch.optim.Optimizer"),
    (
        {"torch": "torch.optim.adam"},
        ".torch: 'torch.optim.adam' is no torch.optim.Optimizer; "
        "did you mean 'torch.optim.adam.Adam'?",
    ),
    (
        {"torch": "torch.optim.Optimizer"},
        ".torch: 'torch.optim.Optimizer' is what all are made from; choose one, such as "
        "torch.optim.NAdam",
    ),
    # hyperparameters
    (
        {"torch": "torch.optim.SGD", "lr": 0.1},
        ".lr: is an axis of the grid; give the rates under grid.lr",
    ),
    (
        {"torch": "torch.optim.SGD", "momentm": 0.9},
        " (SGD): unknown 'momentm'; did you mean 'momentum'?",
    ),
    ({"torch": "torch.optim.SGD", "params": 1}, f" (SGD): unknown 'params'; choose from: {SGD}"),
    (
        {"torch": "torch.optim.SGD", "momentum": -1},
        ".momentum: torch.optim.SGD: Invalid momentum value: -1",
    ),
    (
        {"torch": ADAM, "betas": 0.9},
        ".betas: torch.optim.Adam: TypeError: 'float' object is not subscriptable",
    ),
    ({"torch": ADAM, "betas": [0.9, "nan"]}, ".betas[1]: 'nan' is no finite number"),
    (
        {"torch": ADAM, "eps": {"a": 1}},
        ".eps: {'a': 1} is no hyperparameter; give a number, text, true, false or a list",
    ),
    # where a name stands
    ("torch.optim.SGD", ": 'torch.optim.SGD' is no name of an optimizer; "
     "write {torch: torch.optim.SGD}"),
    ("torch", ": 'torch' is no name of an optimizer; write {torch: package.module.Class}"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "message"), REFUSED, ids=[str(entry) for entry, _ in REFUSED])
def test_what_cannot_train_is_refused(entry: Any, message: str) -> None:
    """Place, value and the nearest valid choice: the whole message."""
    assert refused(entry) == f"grid.optimizer[0]{message}"


UNFIT = [
    (
        {"torch": "torch.optim.Muon"},
        "torch.optim.Muon: cannot train 'digits-mlp': Muon only supports 2D parameters",
    ),
    (
        {"torch": ADAM, "capturable": True},
        "torch.optim.Adam: cannot train 'digits-mlp': AssertionError: If capturable=True, params",
    ),
]


@pytest.mark.parametrize(("entry", "message"), UNFIT, ids=["shapes", "device"])
def test_what_cannot_update_a_workloads_parameters_is_refused(
    entry: dict[str, Any], message: str
) -> None:
    """A step is taken beforehand, unless a GPU is asked for, of which it would tell nothing."""
    raw = {"device": "cpu", "grid": {"optimizer": ["sgd", entry]}}
    with pytest.raises(UserError) as error:
        grid.cells(parse(raw, "test"))
    assert str(error.value).startswith(f"grid.optimizer[1]: {message}")
    assert grid.cells(parse({**raw, "device": "cuda"}, "test"))


def test_a_try_out_draws_no_random_numbers() -> None:
    """A workload is built to see its parameters, and torch's generator is left as it was."""
    before = torch.get_rng_state()
    assert parts({"torch": "torch.optim.NAdam"})
    assert torch.equal(torch.get_rng_state(), before)


def test_tf32_needs_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused beforehand, unless CUDA is asked for by name: a launcher may find it."""
    monkeypatch.setattr(hardware, "gpus", lambda: None)
    for device, why in {"cpu": "device is 'cpu'", "auto": "no GPU is seen here"}.items():
        with pytest.raises(UserError, match=f"'tf32' needs CUDA, and {why}; choose 'fp32'"):
            grid.cells(parse({"device": device, "precision": "tf32"}, "test"))
    assert grid.cells(parse({"device": "cuda", "precision": "tf32"}, "test"))


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages that are known by name are offered by name."""
    monkeypatch.setitem(sys.modules, "schedulefree", None)
    message = refused("sgd", {"torch": "schedulefree.AdamWScheduleFree"})
    assert message == (
        "grid.optimizer[1].torch: no package 'schedulefree'; pip install schedulefree"
    )


def test_the_same_twice_is_refused() -> None:
    """Equal specs under two labels, and one label for two specs."""
    one = {"torch": ADAM, "eps": 1}
    assert refused(one, {**one, "eps": "1.0", "label": "b"}) == (
        "grid.optimizer: 'adam' and 'b' are the same; remove one"
    )
    assert refused("adam", one) == (
        "grid.optimizer: two entries are called 'adam'; give each a 'label' of its own"
    )
