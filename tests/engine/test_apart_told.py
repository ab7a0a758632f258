"""What a user is told of models that train one by one, and of those that cannot train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from kit import examples
from kit.examples import CPU, task
from kit.registries import kept
from kit.unfusable import MODELS, Recurrent, of_model
from trainscape import study, workloads
from trainscape.cells import grid
from trainscape.engine import run
from trainscape.engine.apart import obstacle
from trainscape.engine.blame import apart_because
from trainscape.engine.foresight import why_apart
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.workloads import Workload


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
