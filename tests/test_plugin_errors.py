"""Whatever a plugin's part raises while it is used is one line that names the file and the line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.own_folder import folder as folder  # autouse, once it is here
from trainscape import datasets, optimizers, schedules
from trainscape.cells import grid, plugins
from trainscape.cli import main
from trainscape.datasets import Raw
from trainscape.engine import device, run
from trainscape.errors import UserError
from trainscape.study import parse

PLUGIN = """
from dataclasses import dataclass
from trainscape import optimizers, schedules
from trainscape.workloads import Metric, workload


def loss(output, target):
    from torch.nn import functional
    {loss}
    return functional.cross_entropy(output, target)


def metric(output, target):
    {metric}
    return (output.argmax(-1) == target).double().mean()


@workload(
    "broken", dataset="digits", target=0.9, loss=loss, metric=Metric("m", "max", "", metric)
)
def build():
    from torch import nn
    {build}

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear({width}, 10)

        def forward(self, x):
            {forward}
            return self.layer(x.flatten(1))

    return {model}


@optimizers.register("broken_rule")
@dataclass(frozen=True)
class Rule(optimizers.Optimizer):
    def init(self, param):
        {init}
        return {{}}

    def scalars(self, step):
        {scalars}
        return {{"k": float(step)}}

    def update(self, param, grad, state, lr, now):
        {update}
        param.sub_(lr * grad)


@schedules.register("broken_shape")
@dataclass(frozen=True)
class Shape(schedules.Schedule):
    def shape(self, step, clock):
        {shape}
        return 1.0

    def feedback(self, losses):
        {feedback}
        return 1.0
"""
WHOLE = dict.fromkeys(
    ("loss", "metric", "build", "forward", "init", "scalars", "update", "shape", "feedback"), "pass"
) | {"width": "64", "model": "Model()"}
SPEC = {
    "plugins": ["plugins/broken.py"],
    "workloads": ["broken"],
    "budget": {"steps": 6},
    "seeds": 2,
    "evaluate_every": 0.1,
    "grid": {
        "optimizer": ["broken_rule"],
        "batch_size": [256],
        "lr": [0.1],
        "schedule": ["broken_shape"],
    },
}


@pytest.fixture(autouse=True)
def plugins_folder(folder: Path) -> None:
    """The folder that plugins lie in, below the working folder."""
    (folder / "plugins").mkdir()


def train(text: str, **changes: object) -> None:
    """List and train the study that uses all parts of a plugin."""
    Path("plugins/broken.py").write_text(text)
    cells = grid.cells(parse({**SPEC, **changes}, "test"))
    arrays = datasets.registry.get("digits").make(Raw(Path()))
    run.train_cells([cell.spec() for cell in cells], arrays, device.choose("cpu"))


def refused(text: str, **changes: object) -> str:
    """Why training is refused: one line."""
    with pytest.raises(UserError) as error:
        train(text, **changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_whole_plugin_trains() -> None:
    """The parts below are right until a statement is put into one of them."""
    train(PLUGIN.format(**WHOLE))


BLAMED = {
    "loss": "workload 'broken', batch_size 256: ",
    "metric": "workload 'broken', batch_size 256: ",
    "build": "workload 'broken', batch_size 256: ",
    "forward": "workload 'broken', batch_size 256: ",
    "init": "optimizer 'broken_rule': ",
    "scalars": "optimizer 'broken_rule': ",
    "update": "optimizer 'broken_rule': ",
    "shape": "schedule 'broken_shape': ",
    "feedback": "schedule 'broken_shape': ",
}


@pytest.mark.parametrize("part", BLAMED)
def test_an_error_names_its_line(part: str) -> None:
    """Whichever part fails, it is told of with the file, the line and the error."""
    text = PLUGIN.format(**{**WHOLE, part: "1 / 0"})
    line = text.splitlines().index(next(row for row in text.splitlines() if "1 / 0" in row)) + 1
    said = f"{BLAMED[part]}plugins/broken.py, line {line}: ZeroDivisionError: division by zero"
    assert said in refused(text)


@pytest.mark.parametrize("part", BLAMED)
def test_no_part_ends_a_command_as_if_all_was_well(
    part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that asks Python to end, with success, is refused when it is tried, or when it trains."""
    text = PLUGIN.format(**{**WHOLE, part: "raise SystemExit(0)"})
    Path("plugins/broken.py").write_text(text)
    Path("params.yaml").write_text(json.dumps({**SPEC, "output": "out"}))
    if main(["data"]) == 0:  # else it was refused while the cells were listed
        assert main(["cells", "--paths"]) == 0
        cells = [row for row in capsys.readouterr().out.splitlines() if row.endswith(".json")]
        assert len(cells) == 1 and main(["train", *cells]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "plugins/broken.py, line " in line and line.endswith("SystemExit: 0")


@pytest.mark.parametrize("part", ["loss", "update"])
def test_an_error_is_named_without_fusing_too(part: str) -> None:
    """Beside an optimizer of torch's own, which trains in a plain loop, the loss's line is told."""
    text = PLUGIN.format(**{**WHOLE, part: "raise KeyError('there')"})
    line = text.splitlines().index(next(row for row in text.splitlines() if "KeyError" in row)) + 1
    alone = {"optimizer": [{"torch": "torch.optim.NAdam"}]} if part == "loss" else {}
    said = refused(text, grid={**SPEC["grid"], **alone})  # type: ignore[dict-item]
    assert said.endswith(f": plugins/broken.py, line {line}: KeyError: 'there'")


def test_an_error_late_in_a_run_names_its_line() -> None:
    """A rule's scalars and a schedule that fail at a later step are told of as early ones are."""
    for part, statement in (("scalars", "1 / (step - 5)"), ("shape", "1 / (step - 3)")):
        said = refused(PLUGIN.format(**{**WHOLE, part: statement}))
        assert "plugins/broken.py, line " in said and "ZeroDivisionError" in said


def test_an_error_below_a_plugin_names_the_helper() -> None:
    """A file beside the plugin is the user's, too, and its own line is told."""
    Path("plugins/helper_of_loss.py").write_text("def fail():\n    raise RuntimeError('so')\n")
    text = PLUGIN.format(**{**WHOLE, "loss": "import helper_of_loss; helper_of_loss.fail()"})
    assert refused(text).endswith(": plugins/helper_of_loss.py, line 2: RuntimeError: so")


def test_an_error_in_torchs_layers_names_the_builder() -> None:
    """Where no line of the user's is at work, the line is the builder's."""
    text = PLUGIN.format(**{**WHOLE, "model": "nn.Sequential(nn.Flatten(), nn.Linear(65, 10))"})
    line = text.splitlines().index("def build():")  # of its decorator, which stands above
    said = refused(text)
    assert said.startswith("workload 'broken', batch_size 256: plugins/broken.py, line ")
    assert int(said.split("line ")[1].split(":")[0]) in range(line - 3, line + 2)


def test_a_rule_that_changes_nothing_is_named_by_its_line() -> None:
    """A rule that makes new tensors and leaves the parameters is told of at its update."""
    text = PLUGIN.format(**WHOLE).replace("param.sub_(lr * grad)", "param = param - lr * grad")
    line = text.splitlines().index("    def update(self, param, grad, state, lr, now):") + 1
    assert f"plugins/broken.py, line {line}: update() left the parameters" in refused(text)


def test_a_reader_names_its_line(folder: Path) -> None:
    """A dataset's reader that fails on its file is told of by dataset, file and line."""
    Path("plugins/reads.py").write_text(
        "from trainscape.datasets import url_dataset\n"
        f"@url_dataset('own', url='http://a/own.txt', sha256='{sha256(b'x')}', train=1, test=1)\n"
        "def read(path):\n"
        "    return float(path.read_text())\n"
    )
    plugins.load(["plugins/reads.py"])
    (folder / "own.txt").write_bytes(b"x")
    with pytest.raises(UserError) as error:
        datasets.prepare("own", folder / "data", folder / "raw", folder)
    assert str(error.value).startswith("dataset 'own': plugins/reads.py, line 4: ValueError: ")


def test_an_error_of_the_packages_own_is_no_users_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a line of the user's in it, a programming error keeps its traceback."""
    entry = optimizers.registry.get("sgd")

    def update(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(schedules.registry.get("cosine"), "shape", update)
    with pytest.raises(AssertionError):
        grid.cells(parse({"grid": {"optimizer": [entry.name], "schedule": ["cosine"]}}, "test"))


def sha256(content: bytes) -> str:
    """The hash that a plugin states."""
    import hashlib

    return hashlib.sha256(content).hexdigest()


TORCHS = {"optimizer": [{"torch": "torch.optim.NAdam"}]}


@pytest.mark.parametrize("grid_of", [{}, TORCHS], ids=["fused", "unfused"])
@pytest.mark.parametrize(
    ("part", "statement", "shape"),
    [
        ("loss", "return functional.cross_entropy(output, target, reduction='none')", "({n},)"),
        ("metric", "return (output.argmax(-1) == target).double().mean(0, True)", "(1,)"),
    ],
)
def test_a_loss_or_metric_that_is_no_single_number_is_refused(
    part: str, statement: str, shape: str, grid_of: dict[str, object]
) -> None:
    """Its shape is told, with its line and the cure, by every way of training."""
    text = PLUGIN.format(**{**WHOLE, part: statement})
    line = text.splitlines().index(f"def {part}(output, target):") + 1
    shape = shape.format(n=256 if grid_of else 2)  # trials are tried on two examples
    said = refused(text, grid={**SPEC["grid"], **grid_of})  # type: ignore[dict-item]
    assert said == (
        f"workload 'broken', batch_size 256: plugins/broken.py, line {line}: the {part} gives "
        f"the shape {shape} and is to give one number; take its mean"
    )


REFUSED = {
    "weights": (
        {"build": "import numpy, torch", "model": "drawn(Model(), numpy, torch)"},
        "the model gets other weights when it is built again with one seed; draw them by torch",
    ),
    "loss": (
        {"loss": "CALLS.append(1); return len(CALLS) * functional.cross_entropy(output, target)"},
        "the loss gives another value when it is called again on the same outputs; "
        "it is to depend on them and the targets alone",
    ),
    "metric": (
        {"metric": "CALLS.append(1); return output.mean() + len(CALLS)"},
        "the metric gives another value when it is called again on the same outputs; "
        "it is to depend on them and the targets alone",
    ),
    "numpy's": (
        {"forward": "import numpy; x = x + numpy.random.rand()"},
        "the model draws random numbers in its forward pass; use nn.Dropout modules",
    ),
    "Python's": (
        {"forward": "import random, torch; x = x * torch.tensor(random.random())"},
        "the model draws random numbers in its forward pass; use nn.Dropout modules",
    ),
    "a plain array": (
        {
            "build": "import numpy",
            "model": "scaled(Model(), numpy)",
            "forward": "x = x * self.scale",
        },
        "the model gets other weights when it is built again with one seed; draw them by torch",
    ),
    "a number for a loss": (
        {"loss": "return functional.cross_entropy(output, target).item()"},
        "the loss gives a float and is to give a tensor of one number",
    ),
    "nothing for a model": (
        {"model": "None"},
        "the model's function returns nothing and is to return an nn.Module",
    ),
    "in the metric": (
        {"metric": "import random; random.random()"},
        "the loss or metric draws random numbers, which no trial could draw again",
    ),
}
HELPER = """
CALLS = []


def scaled(model, numpy):
    model.scale = float(numpy.random.rand())
    return model


def drawn(model, numpy, torch):
    model.layer.weight.data = torch.from_numpy(numpy.random.rand(10, 64)).float()
    return model
"""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_the_same_again_is_refused(name: str) -> None:
    """Weights, losses and metrics that a second call does not give again are told in one line."""
    parts, words = REFUSED[name]
    assert refused(PLUGIN.format(**{**WHOLE, **parts}) + HELPER).endswith(words)
