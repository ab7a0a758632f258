"""Models that torch cannot run as one program train one by one, with every rule's own numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kit import examples
from kit.examples import CPU, OPTIMIZERS, task, trial
from kit.plain_loop import LR, in_double, plain, small
from kit.registries import kept
from kit.unfusable import MODELS, Recurrent, of_model
from trainscape import study, workloads
from trainscape.cells import grid
from trainscape.cells.imported import Imported
from trainscape.engine import run
from trainscape.engine.apart import Apart, obstacle
from trainscape.engine.blame import apart_because
from trainscape.engine.foresight import why_apart
from trainscape.engine.fused import Fused
from trainscape.engine.laid import Laid
from trainscape.engine.model import Stack
from trainscape.engine.trial import Trial
from trainscape.engine.unfused import Unfused
from trainscape.errors import UserError
from trainscape.throughput.identity import Measurement
from trainscape.throughput.suite.loop import Loop
from trainscape.workloads import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.cells.cell import TrialRecord
    from trainscape.engine.task import Task
    from trainscape.workloads import Workload

COMPARED = ("train_loss", "val_loss", "val_metric", "test_loss", "test_metric")


def train(trials: Sequence[Trial], of: Task, kind: type[Stack] | None = None) -> list[TrialRecord]:
    """The records of trials that train together, by themselves or in stacks of one kind."""
    engine = Fused(of, None, lambda _: None)
    if kind is not None:
        engine.usual = kind
    made = [record for part in engine.train(trials, lambda _: None) for record in part]
    assert set(engine.ways.values()) == {kind or Apart}
    return made


@cache
def gated() -> tuple[Task, dict[str, tuple[Trial, TrialRecord]]]:
    """A GRU with every rule, in one pack, beside other rates and seeds."""
    of = of_model("GRU")
    trials = [trial(name, LR.get(name, 0.002), 3) for name in OPTIMIZERS]
    others = [trial(name, 0.01, 4, "constant") for name in OPTIMIZERS]
    whole = sorted([*trials, *others], key=lambda one: repr(one.optimizer))
    found = dict(zip(map(id, whole), train(whole, of), strict=True))
    return of, {one.optimizer.name: (one, found[id(one)]) for one in trials}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gru_trains_with_every_rule_as_in_a_plain_loop(optimizer: str) -> None:
    """Every epoch's losses and metrics are those of the rule's oracle in torch, to 1e-4."""
    of, records = gated()
    one, record = records[optimizer]
    agrees(record, plain(one, of))
    assert record.train_loss[-1] < record.train_loss[0]


def agrees(record: TrialRecord, expected: dict[str, list[float]]) -> None:
    """The record's history is the expected one."""
    assert record.status == "ok"
    for name in COMPARED:
        assert getattr(record, name) == pytest.approx(expected[name], rel=1e-4), name


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("optimizer", ["adam", "momentum", "muon", "lars"])
def test_other_models_train_as_in_a_plain_loop(name: str, optimizer: str) -> None:
    """Whatever keeps torch from running them as one, the numbers are those of a loop."""
    of = of_model(name)
    for seed in (3, 5):
        one = trial(optimizer, LR.get(optimizer, 0.002), seed)
        agrees(train([trial("sgd", 0.1, 1), one], of)[1], plain(one, of))


def test_frozen_layers_stay_as_they_are() -> None:
    """They are no part of a step, and each trial has its own."""

    def frozen() -> nn.Module:
        model = Recurrent(nn.GRU)
        model.layer.requires_grad_(False)
        return model

    of = task(examples.named(frozen), examples.images(50), 16)
    one = trial("adam", 0.01, 3)
    agrees(train([trial("sgd", 0.1, 1), one], of)[1], plain(one, of))


@pytest.mark.parametrize("name", MODELS)
def test_a_trial_depends_on_no_neighbour(name: str) -> None:
    """Alone, beside others and in another order, a trial's record is the same to the last bit."""
    of = of_model(name)
    trials = [trial("adam", lr, seed) for lr in (0.01, 0.003) for seed in (0, 1)]
    together = train(trials, of)
    assert train(trials[::-1], of) == together[::-1]
    for one, record in zip(trials, together, strict=True):
        assert train([one], of) == [record]


class Replacing(nn.Module):
    """Keeps a running mean by assigning it, as a buffer or as a plain attribute."""

    def __init__(self, buffer: bool) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        self.n: Tensor
        if buffer:
            self.register_buffer("n", torch.zeros(()))
        else:
            self.n = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.n = self.n * 0.9 + x.detach().abs().mean()
        out: Tensor = self.out(x.flatten(1)) / (1 + self.n)
        return out


@pytest.mark.parametrize("buffer", [True, False])
def test_a_tensor_that_is_assigned_is_kept_as_in_a_plain_loop(buffer: bool) -> None:
    """Each model keeps its own, and the line names it."""
    of = task(examples.named(lambda: Replacing(buffer)), examples.images(50), 16)
    line = why_apart(of)
    assert line and "the model (it assigns tensor 'n' in place of changing it) takes one" in line
    for seed in (3, 5):
        one = trial("adam", 0.002, seed)
        agrees(train([trial("sgd", 0.1, 1), one], of)[1], plain(one, of))


def fusable() -> dict[str, Task]:
    """Tasks whose models run as one program, with what a pack has to keep for them."""
    digits = small(workloads.registry.get("digits-mlp"))
    return {
        "digits": replace(digits, trace=3),
        "bf16": replace(digits, precision="bf16"),
        "dropout": task(examples.named(examples.dropout), examples.images(300, test=290), 64),
        "batch norm": in_double(task(examples.batch_norm(), examples.images(50), 16)),
        "regression": task(examples.regression(), examples.line(), 16, {"epochs": 4}),
        "path": small(workloads.registry.get("valley")),
    }


@pytest.mark.parametrize("name", fusable())
@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [("adam", "plateau"), ("schedule_free_sgd", "constant"), ("muon", "linear")],
)
def test_both_ways_give_the_same_numbers(name: str, optimizer: str, schedule: str) -> None:
    """A model that runs as one program has the same histories, traces and paths one by one."""
    of = fusable()[name]
    if name == "path" and schedule == "plateau":
        schedule = "cosine"  # there is no validation split to follow
    trials = [trial(optimizer, 0.01, seed, schedule) for seed in (0, 1)]
    near = 0.02 if name == "bf16" else 1e-4
    for fused, apart in zip(train(trials, of, Stack), train(trials, of, Apart), strict=True):
        assert fused.status == apart.status == "ok"
        for metric in (*COMPARED, "fit_loss", "fit_metric", "trace"):
            expected = pytest.approx(
                getattr(fused, metric), rel=near, abs=near if near > 1e-3 else 1e-7
            )
            assert getattr(apart, metric) == expected, metric
        for ours, theirs in zip(apart.path, fused.path, strict=True):
            assert ours == pytest.approx(theirs, rel=near)
        assert bool(fused.path) == (name == "path")


def test_divergence_is_recorded_as_in_other_packs() -> None:
    """Status and step are the same, and training ends when all have diverged."""
    of = task(examples.regression(), examples.line(), 16, {"epochs": 30}, every=0.5)
    for trials in ([trial("sgd", 1e9)], [trial("sgd", 1e9), trial("sgd", 0.01, 2)]):
        fused, apart = train(trials, of, Stack), train(trials, of, Apart)
        assert fused[0].status == "diverged"
        assert [(r.status, r.diverged_at) for r in fused] == [
            (r.status, r.diverged_at) for r in apart
        ]


class Projected(nn.Module):
    """Sees its input by a random projection that it does not train."""

    def __init__(self, buffer: bool) -> None:
        super().__init__()
        self.way: Tensor
        if buffer:
            self.register_buffer("way", torch.randn(64, 20))
        else:
            self.way = torch.randn(64, 20)
        self.fixed = torch.linspace(0, 1, 20)
        self.out = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.out(x.flatten(1) @ self.way + self.fixed)
        return made


@pytest.mark.parametrize("buffer", [True, False])
def test_a_tensor_that_is_drawn_is_each_models_own(buffer: bool) -> None:
    """As a buffer models fuse; else they train one by one, and the line names it."""
    of = task(examples.named(lambda: Projected(buffer)), examples.images(50), 16)
    line = why_apart(of)
    if buffer:
        assert line is None
    else:
        assert line and "the model (it draws tensor 'way', which is no buffer) takes one" in line
        assert "make 'way' a buffer" in line
    for seed in (3, 5):
        one = trial("adam", 0.002, seed)
        kind = Laid if buffer else None
        agrees(train([trial("sgd", 0.1, 1), one], of, kind)[1], plain(one, of))


class Scaled(nn.Module):
    """Scales its outputs by numbers that it draws, and keeps as no tensor of its own."""

    def __init__(self, listed: bool) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        self.scale = [torch.rand(10) + 0.5] if listed else torch.rand(()).item() + 0.5

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale[0] if isinstance(self.scale, list) else self.scale
        made: Tensor = self.out(x.flatten(1)) * scale
        return made


@pytest.mark.parametrize("listed", [True, False])
def test_numbers_that_are_drawn_are_each_models_own(listed: bool) -> None:
    """However a model keeps them, outputs show whether they are another model's."""
    of = task(examples.named(lambda: Scaled(listed)), examples.images(50), 16)
    line = why_apart(of)
    assert line and "the model (it draws numbers that are no buffers) takes one" in line
    for seed in (3, 5):
        one = trial("adam", 0.002, seed)
        agrees(train([trial("sgd", 0.1, 1), one], of)[1], plain(one, of))


def looking(output: Tensor, target: Tensor) -> Tensor:
    """A loss that looks at its value."""
    loss = functional.cross_entropy(output, target)
    return loss if loss.item() < 1 else 2 * loss


def counted(output: Tensor, target: Tensor) -> Any:
    """A metric that is a plain number: the sum of the shares that are right, of each label."""
    right = output.argmax(1) == target
    return sum(right[target == label].double().mean().item() for label in set(target.tolist()))


def test_a_loss_and_a_metric_may_take_one_model_at_a_time() -> None:
    """Both may look at numbers; a metric may return a plain one."""
    plain_mlp = small(workloads.registry.get("digits-mlp"))
    metric = Metric("recall", "max", "", lambda o, t: torch.as_tensor(counted(o, t)))
    workload = replace(plain_mlp.workload, loss=looking, metric=metric)
    of = replace(plain_mlp, workload=workload)
    one = trial("adam", 0.01, 3)
    expected = plain(one, of)
    bare = replace(workload, metric=replace(metric, compute=counted))
    for made in (of, replace(of, workload=bare)):
        [record] = train([one], made)
        for name in ("train_loss", "val_loss", "test_loss"):
            assert getattr(record, name) == pytest.approx(expected[name], rel=1e-4)
        assert len(record.test_metric) == 3
        line = why_apart(made)
        assert line and "the loss or metric (" in line
        torchs = Trial(Imported("torch.optim.Adam", {}), one.lr, one.schedule, one.seed)
        [[other]] = list(Unfused(made).train([torchs], lambda _: None))
        assert other.test_metric == pytest.approx(record.test_metric, rel=1e-4)


@pytest.mark.parametrize("name", workloads.registry.names())
def test_our_own_workloads_train_as_one_program(name: str) -> None:
    """``trainscape estimate`` relies on it."""
    assert obstacle(small(workloads.registry.get(name))) is None


LINES = {
    "GRU": "workload 'example': layer 'layer' (nn.GRU) takes one model at a time, so its trials "
    "train one by one, unfused and more slowly; to fuse them, write the layer out as a cell "
    "(docs/plugins.md, Models that do not fuse)",
    "LSTMCell": "workload 'example': layer 'cell' (nn.LSTMCell) takes one model at a time, so",
    "branching": "workload 'example': the model (vmap: ",
    "annealed": "workload 'example': the model (it computes with other numbers from call to call) ",
    "counting": "workload 'example': the model (it changes a tensor in place that is no buffer) ",
}


@pytest.mark.parametrize("name", LINES)
def test_the_layer_is_named(name: str) -> None:
    """One line says what does not fuse, what that means, and how to mend it."""
    line = why_apart(of_model(name))
    assert line
    assert line.startswith(LINES[name])
    assert "\n" not in line


def shared(model: Callable[[], nn.Module]) -> Workload:
    """A workload of this model."""
    return examples.named(model, "mine")


class Noise(nn.Module):
    """Adds noise."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


OWN_DROPOUT = (
    "draws its dropout itself; give it dropout=0, and put nn.Dropout modules before or behind it"
)
DRAWING: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "GRU": (
        lambda: Recurrent(nn.GRU, num_layers=2, dropout=0.5),
        f"layer 'layer' (nn.GRU) {OWN_DROPOUT}",
    ),
    "noise": (
        lambda: nn.Sequential(Noise(), nn.Flatten(), nn.Linear(64, 10)),
        "layer '0' (Noise) draws random numbers in its forward pass; use nn.Dropout modules",
    ),
    "encoder": (
        lambda: nn.Sequential(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Flatten(), nn.Linear(64, 10)
        ),
        f"layer '0.self_attn' (nn.MultiheadAttention) {OWN_DROPOUT}",
    ),
}


@pytest.mark.parametrize("name", DRAWING)
def test_dropout_inside_a_layer_is_refused_by_the_layers_name(name: str) -> None:
    """The line names the layer that draws, and the way out."""
    model, words = DRAWING[name]
    of = task(shared(model), examples.images(40))
    with pytest.raises(UserError) as refused:
        why_apart(of)
    assert str(refused.value) == f"workload 'mine', batch_size 16: {words}"


@pytest.mark.parametrize("optimizer", ["sgd", {"torch": "torch.optim.SGD"}])
def test_a_batch_of_one_example_is_refused_before_the_first_step(optimizer: object) -> None:
    """With every kind of optimizer, though such a batch is the epoch's last."""
    axes = {"optimizer": [optimizer], "batch_size": [4], "lr": [0.01]}
    raw = {"seeds": 1, "validation": 0, "budget": {"epochs": 2}, "grid": axes}
    steps: list[int] = []
    with kept(workloads.registry):
        workloads.registry.add("batch-norm", examples.batch_norm(), __file__)
        parsed = study.parse({**raw, "workloads": ["batch-norm"], "evaluate_every": 0.1}, "study")
        [cell] = grid.cells(parsed)
        with pytest.raises(UserError, match="which 37 examples leave; choose batch_size 5, or"):
            run.train_cells([cell.spec()], examples.images(37), CPU, lambda k, _: steps.append(k))
    assert steps == []


@pytest.mark.parametrize("optimizer", ["adam", "muon", "lars", "schedule_free_adamw"])
def test_their_steps_are_timed(optimizer: str) -> None:
    """The plain loop of the step times takes such models, too."""
    with kept(workloads.registry):
        workloads.registry.add("example", examples.named(MODELS["GRU"]), __file__)
        wanted = Measurement("example", optimizer, {"name": optimizer}, 16, "step")
        loop = Loop(wanted, of_model("GRU").splits.train, CPU)
        before = [param.detach().clone() for param in loop.model.parameters()]
        loop.run(3)
        after = loop.model.parameters()
        assert not any(map(torch.equal, before, after))


def test_every_cell_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells of both kinds of optimizers train, and one line says why those of ours take longer."""
    raw = {
        "seeds": 2,
        "budget": {"steps": 4},
        "grid": {
            "optimizer": ["adam", {"torch": "torch.optim.Adam", "label": "torchs"}, "lars"],
            "batch_size": [16],
            "lr": [0.01],
        },
    }
    said: list[str] = []
    with kept(workloads.registry):
        workloads.registry.add("example", examples.named(MODELS["GRU"]), __file__)
        parsed = study.parse({**raw, "workloads": ["example"]}, "study")
        specs = [cell.spec() for cell in grid.cells(parsed)]
        _, records = run.train_cells(specs, examples.images(60), CPU, say=said.append)
    assert [[one.status for one in cell] for cell in records] == [["ok", "ok"]] * 3
    assert records[0][0].test_loss == pytest.approx(records[1][0].test_loss, rel=1e-4)
    found = obstacle(of_model("GRU"))
    assert found
    assert said == [apart_because("example", found)]
    assert capsys.readouterr().out == ""
