"""From a study to its cells: every name, hyperparameter and combination is checked beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trainscape import schedules
from trainscape.cells import grid
from trainscape.errors import UserError
from trainscape.study import parse

if TYPE_CHECKING:
    from trainscape.cells.cell import Cell

ONE: dict[str, Any] = {
    "optimizer": ["sgd"],
    "batch_size": [64],
    "lr": [0.1],
    "schedule": ["constant"],
}


def cells(raw: dict[str, Any] | None = None, **axes: Any) -> list[Cell]:
    """The cells of a study with one value on every axis but ``axes``."""
    return grid.cells(parse({**(raw or {}), "grid": {**ONE, **axes}}, "params.yaml"))


def test_the_grid_is_the_product_of_its_axes() -> None:
    """Every combination is one cell, in the order that the study gives the axes in."""
    made = cells(
        {"workloads": ["digits-cnn", "digits-mlp"]},
        optimizer=["sgd", "adam"],
        batch_size=[64, 16],
        lr=[0.1, 0.01],
        schedule=["cosine", "constant"],
    )
    assert [str(cell) for cell in made] == [
        f"{workload} {optimizer} batch {batch_size} lr {lr} {schedule}"
        for workload in ("digits-cnn", "digits-mlp")
        for optimizer in ("sgd", "adam")
        for batch_size in (64, 16)
        for lr in (0.1, 0.01)
        for schedule in ("cosine", "constant")
    ]


def test_a_cell_states_every_value() -> None:
    """Defaults of optimizers and schedules stand in the cell, so that changing one shows."""
    raw = {"budget": {"steps": 100}, "seeds": [4, 2], "validation": 0, "evaluate_every": 2}
    (cell,) = cells(raw, optimizer=[{"name": "momentum", "momentum": "9e-1", "label": "m"}])
    assert cell.spec() == {
        "workload": "digits-mlp",
        "optimizer": {
            "name": "momentum",
            "momentum": 0.9,
            "dampening": 0.0,
            "weight_decay": 0.0,
            "clip_norm": None,
        },
        "batch_size": 64,
        "lr": 0.1,
        "schedule": {"name": "constant", "warmup": None},
        "seeds": [4, 2],
        "budget": {"steps": 100},
        "validation": 0.0,
        "evaluate_every": 2.0,
        "precision": "fp32",
        "last_batch": "keep",
        "order": "shuffle",
    }
    assert cell.optimizer.label == "m"


@pytest.mark.parametrize("value", [1, 1.0, "1", "1e0"])
def test_the_same_number_is_the_same_cell(value: object) -> None:
    """However a number is spelled, the digest is that of the number."""
    optimizer = [{"name": "sgd", "weight_decay": value}]
    (cell,) = cells({"evaluate_every": value}, optimizer=optimizer, lr=[value])
    (same,) = cells({}, optimizer=[{"name": "sgd", "weight_decay": 1.0}], lr=[1.0])
    assert cell.digest({}) == same.digest({})


@pytest.mark.parametrize("of", [{"name": "adam"}, {"torch": "torch.optim.SGD"}])
def test_gradients_may_be_clipped_with_any_optimizer(of: dict[str, str]) -> None:
    """The norm is a hyperparameter of every optimizer, and stands in the cell."""
    bare, one, two = (
        cell.optimizer
        for cell in cells(optimizer=[of, *({**of, "clip_norm": n, "label": n} for n in "12")])
    )
    assert [part.params["clip_norm"] for part in (bare, one, two)] == [None, 1.0, 2.0]
    assert bare.spec() != one.spec() != two.spec()
    with pytest.raises(UserError) as refused:
        cells(optimizer=[{**of, "clip_norm": 0}])
    assert str(refused.value).endswith(
        "grid.optimizer[0].clip_norm: 0 is out of range; choose a number above 0"
    )


def test_rates_may_differ_by_optimizer() -> None:
    """Each optimizer, by its label, has its own list or range."""
    made = cells(
        optimizer=["sgd", {"name": "sgd", "weight_decay": 0.1, "label": "decayed"}],
        lr={"sgd": [0.5], "decayed": {"log": [0.01, 1, 3]}},
    )
    rates = [(cell.optimizer.label, cell.lr) for cell in made]
    assert rates == [("sgd", 0.5), ("decayed", 0.01), ("decayed", 0.1), ("decayed", 1.0)]


REFUSED: list[tuple[dict[str, Any], str]] = [
    # names
    (
        {"workloads": ["digits-mpl"]},
        "workloads: unknown 'digits-mpl'; did you mean 'digits-mlp'?",
    ),
    ({"optimizer": ["sdg"]}, "grid.optimizer[0]: unknown 'sdg'; did you mean 'sgd'?"),
    (
        {"optimizer": ["sgd", {"name": "adm", "beta1": 0}]},
        "grid.optimizer[1]: unknown 'adm'; did you mean 'adam'?",
    ),
    ({"schedule": ["cosin"]}, "grid.schedule[0]: unknown 'cosin'; did you mean 'cosine'?"),
    ({"plugins": ["none.py"]}, "plugins: no such file 'none.py'"),
    # the same twice
    (
        {"optimizer": ["sgd", "sgd"]},
        "grid.optimizer: two entries are called 'sgd'; give each a 'label' of its own",
    ),
    (
        {"optimizer": ["sgd", {"name": "adam", "label": "sgd"}]},
        "grid.optimizer: two entries are called 'sgd'; give each a 'label' of its own",
    ),
    (
        {"optimizer": ["sgd", {"name": "sgd", "weight_decay": 0, "label": "plain"}]},
        "grid.optimizer: 'sgd' and 'plain' are the same; remove one",
    ),
    (
        {"schedule": ["cosine", {"name": "cosine", "final": "0", "label": "to-zero"}]},
        "grid.schedule: 'cosine' and 'to-zero' are the same; remove one",
    ),
    # rates
    ({"lr": {"sdg": [0.1]}}, "grid.lr: unknown 'sdg'; did you mean 'sgd'?"),
    ({"lr": {"lgo": [0.1]}}, "grid.lr: unknown 'lgo'; did you mean 'log'?"),
    ({"lr": {"sgd": [1], "adam": [1]}}, "grid.lr: unknown 'adam'; choose from: log, sgd"),
    (
        {"optimizer": ["sgd", "adam"], "lr": {"sgd": [0.1]}},
        "grid.lr: has no rates for optimizer 'adam'; add 'adam: [...]'",
    ),
    ({"lr": {}}, "grid.lr: has no rates for optimizer 'sgd'; add 'sgd: [...]'"),
    # hyperparameters
    (
        {"optimizer": [{"name": "sgd", "weight_decya": 0.1}]},
        "grid.optimizer[0] (sgd): unknown 'weight_decya'; did you mean 'weight_decay'?",
    ),
    (
        {"optimizer": [{"name": "sgd", "nesterov": True}]},
        "grid.optimizer[0] (sgd): unknown 'nesterov'; choose from: clip_norm, label, weight_decay",
    ),
    (
        {"optimizer": [{"name": "sgd", "weight_decay": "much"}]},
        "grid.optimizer[0].weight_decay: 'much' is no number; choose one in [0, inf)",
    ),
    (
        {"optimizer": [{"name": "sgd", "weight_decay": True}]},
        "grid.optimizer[0].weight_decay: True is no number; choose one in [0, inf)",
    ),
    (
        {"optimizer": [{"name": "sgd", "weight_decay": [1]}]},
        "grid.optimizer[0].weight_decay: [1] is no number; choose one in [0, inf)",
    ),
    (
        {"optimizer": [{"name": "sgd", "weight_decay": None}]},
        "grid.optimizer[0].weight_decay: None is no number; choose one in [0, inf)",
    ),
    (
        {"optimizer": [{"name": "sgd", "weight_decay": -1}]},
        "grid.optimizer[0].weight_decay: -1 is out of range; choose a number in [0, inf)",
    ),
    (
        {"optimizer": ["sgd", {"name": "adam", "beta1": 1}]},
        "grid.optimizer[1].beta1: 1 is out of range; choose a number in [0, 1)",
    ),
    (
        {"optimizer": [{"name": "adam", "eps": float("nan")}]},
        "grid.optimizer[0].eps: nan is out of range; choose a number in [0, inf)",
    ),
    (
        {"optimizer": [{"name": "adam", "eps": float("inf")}]},
        "grid.optimizer[0].eps: inf is out of range; choose a number in [0, inf)",
    ),
    (
        {"schedule": [{"name": "cosine", "warmup": "10 hours"}]},
        "grid.schedule[0].warmup: '10 hours' is no duration; "
        "write it as '10 epochs', '10 steps' or '10%'",
    ),
    (
        {"schedule": [{"name": "cosine", "warmup": 5}]},
        "grid.schedule[0].warmup: 5 is no duration; write it as '5 epochs', '5 steps' or '5%'",
    ),
    (
        {"schedule": [{"name": "exponential", "staircase": "maybe"}]},
        "grid.schedule[0].staircase: 'maybe' is neither true nor false; choose one",
    ),
    # what does not fit together
    (
        {"schedule": [{"name": "cosine", "warmup": "100%"}]},
        "grid.schedule: cosine.warmup: '100%' is 180 steps of a run of 180; "
        "choose fewer than 180 steps (with batch_size 64 of 'digits-mlp' and budget {epochs: 10})",
    ),
    (
        {"batch_size": [64, 1151]},
        "grid.batch_size: 1151 is more than 'digits-mlp' has training examples; "
        "choose at most 1150",
    ),
    (
        {"validation": 0.0001},
        "validation: 0.0001 of the examples of 'digits-mlp' (1437) leaves a split without any; "
        "choose 0, or a share from 0.0007 to 0.9993",
    ),
    (
        {"validation": 0.9999},
        "validation: 0.9999 of the examples of 'digits-mlp' (1437) leaves a split without any; "
        "choose 0, or a share from 0.0007 to 0.9993",
    ),
    (
        {
            "schedule": [
                {"name": "warm_restarts", "growth": "2", "label": "a"},
                {"name": "warm_restarts", "growth": 2.0, "label": "b"},
            ]
        },
        "grid.schedule: 'a' and 'b' are the same; remove one",
    ),
    (
        {"schedule": [{"name": "wsd", "form": "lineal"}]},
        "grid.schedule[0].form: unknown 'lineal'; did you mean 'linear'?",
    ),
    (
        {"schedule": [{"name": "wsd", "decay": "12 epochs"}]},
        "grid.schedule: wsd.decay: '12 epochs' is 216 steps of 180; choose at most 180 steps "
        "(with batch_size 64 of 'digits-mlp' and budget {epochs: 10})",
    ),
    (
        {"workloads": ["quadratic"], "batch_size": [1]},
        "validation: 0.2 of the examples of 'quadratic' (1) leaves a split without any; choose 0",
    ),
    (
        {"workloads": ["quadratic"], "validation": 0},
        "grid.batch_size: 64 is more than 'quadratic' has training examples; choose at most 1",
    ),
    (
        {"schedule": [{"name": "cosine", "warmup": "1%"}], "budget": {"steps": 50}},
        "grid.schedule: cosine.warmup: '1%' is 0.5 steps of a run of 50, and needs 2 or more; "
        "choose '2 steps', or '4%' or more (with batch_size 64 of 'digits-mlp' and budget "
        "{steps: 50})",
    ),
    (
        {"trace_every": 180},
        "trace_every: 180 records no step but the first of a run of 180; choose fewer than 180 "
        "steps, or 0 (with budget {epochs: 10})",
    ),
    # targets
    (
        {"target": {"digits-mpl": 0.9}},
        "target: unknown 'digits-mpl'; did you mean 'digits-mlp'?",
    ),
    (
        {"target": {"mnist-cnn": 0.9}},
        "target: unknown 'mnist-cnn'; choose from: digits-mlp",
    ),
    ({"target": {"digits-mlp": 97}}, "target.digits-mlp: 97.0 is no accuracy; did you mean 0.97?"),
    (
        {"target": {"digits-mlp": -1}},
        "target.digits-mlp: -1.0 is no accuracy; choose one from 0 to 1",
    ),
    (
        {"target": {"digits-mlp": 0.9}, "validation": 0},
        "target: {'digits-mlp': 0.9} needs a validation split; "
        "set validation above 0 or remove target",
    ),
    (
        {"optimizer": ["sgd", {"name": "momentum", "label": "SGD"}]},
        "grid.optimizer: 'sgd' and 'SGD' are one file name on some disks; give one another 'label'",
    ),
    (
        {"lr": {"log": [1e-5, 1, 10_000]}, "batch_size": list(range(1, 102))},
        "grid: its axes multiply to 1010000 cells; choose at most 1000000, or split it into "
        "studies",
    ),
    (
        {"budget": {"steps": 25_000_000}, "evaluate_every": 1e6, "trace_every": 1},
        "trace_every: 1 records 25000000 losses of a run of 25000000 steps; choose 3 or more, or 0",
    ),
    (
        {"schedule": ["cosine", {"name": "plateau", "label": "patient"}], "validation": 0},
        "validation: 0 leaves schedule 'patient' no loss to follow; "
        "choose a share such as 0.2, or remove it from grid.schedule",
    ),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[str(change) for change, _ in REFUSED])
def test_what_does_not_resolve_is_refused(change: dict[str, Any], message: str) -> None:
    """Key, value and the nearest valid choice: the whole message, before any job starts."""
    axes = {key: value for key, value in change.items() if key in ONE}
    raw = {key: value for key, value in change.items() if key not in ONE}
    with pytest.raises(UserError) as error:
        cells(raw, **axes)
    assert str(error.value) == message


def test_a_batch_as_large_as_the_data_fits() -> None:
    """The largest batch size that the message offers is taken, and is one step an epoch."""
    (cell,) = cells(batch_size=[1150])
    assert grid.plan(cell).epoch == 1


@pytest.mark.parametrize("share", [0.0007, 0.9993])
def test_the_shares_that_the_message_offers_are_taken(share: float) -> None:
    """A validation share at either end leaves examples on both sides."""
    (cell,) = cells({"validation": share}, batch_size=[1])
    assert grid.plan(cell).examples in (1436, 1)


@pytest.mark.parametrize("epochs", [1_000_000, 1_317_000, 30_000_000])
def test_the_interval_of_evaluations_that_the_message_offers_is_taken(epochs: int) -> None:
    """It is rounded, but never below what can be listed."""
    budget = {"budget": {"epochs": epochs}}
    with pytest.raises(UserError, match="times; choose ") as refused:
        cells(budget)
    offered = str(refused.value).partition("choose ")[2].split()[0]
    (cell,) = cells({**budget, "evaluate_every": offered})
    assert 0.4 < epochs / cell.evaluate_every / grid.MOST_EVALUATIONS <= 1


def test_every_run_of_a_schedule_is_checked() -> None:
    """A warm-up that fits the small batches but not the largest is refused."""
    warm = {"name": "linear", "warmup": "20 steps"}
    assert len(cells({"budget": {"epochs": 2}}, batch_size=[16, 64], schedule=[warm])) == 2
    with pytest.raises(UserError, match=r"batch_size 1000 of 'digits-mlp'"):
        cells({"budget": {"epochs": 2}}, batch_size=[16, 64, 1000], schedule=[warm])


def test_targets_are_the_studys_or_the_workloads_own() -> None:
    """A study's target takes the place of the workload's; others keep theirs."""
    raw = {"workloads": ["digits-mlp", "digits-cnn"], "target": {"digits-mlp": "0.5"}}
    found = grid.targets(parse(raw, "test"))
    assert found["digits-mlp"] == 0.5
    assert 0.5 < found["digits-cnn"] <= 1


def test_a_part_is_made_as_the_cell_states_it() -> None:
    """A part of a cell turns back into the object that trains."""
    (cell,) = cells(schedule=[{"name": "cosine", "final": 0.25, "label": "c"}])
    made = schedules.registry.make(cell.schedule.spec())
    assert repr(made) == "Cosine(warmup=None, final=0.25)"
