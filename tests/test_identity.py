"""Whose source counts for which cell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from trainscape import datasets, hardware, source
from trainscape.cells import grid, identity
from trainscape.study import parse

if TYPE_CHECKING:
    from pathlib import Path

STUDY: dict[str, Any] = {
    "workloads": ["digits-mlp", "digits-cnn"],
    "grid": {
        "optimizer": ["sgd", "adam"],
        "batch_size": [64],
        "lr": [0.1],
        "schedule": ["constant", "cosine"],
    },
}


def test_identity_is_data_torch_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside its values a cell depends on the pinned data, torch's public version and source."""
    monkeypatch.setattr(hardware, "version", {"torch": "2.11.0+cu126"}.__getitem__)
    assert hardware.torch_version() == "2.11.0"
    cells = grid.cells(parse(STUDY, "test"))
    found = [identity.identity(cell) for cell in cells]
    assert {tuple(each) for each in found} == {("data", "torch", "source")}
    assert {each["data"] for each in found} == {datasets.registry.get("digits").sha256}
    parts = {(cell.workload, cell.optimizer.name, cell.schedule.name) for cell in cells}
    assert len({each["source"] for each in found}) == len(parts) == 8


# A copy of the package that tests may edit, asked for digests in a process of its own.
DIGESTS = """
import json, sys
from trainscape.cells import grid, identity
from trainscape.study import parse
raw = json.loads(sys.argv[1])
print(json.dumps({str(c): c.digest(identity.identity(c)) for c in grid.cells(parse(raw, 'test'))}))
"""
PLUGIN = """
from dataclasses import dataclass
import {helper}
from trainscape.optimizers import Optimizer, register

@register("{name}")
@dataclass(frozen=True)
class Mine(Optimizer):
    def update(self, param, grad, state, lr, now):
        param.addcmul_(grad, lr, value=-{helper}.SPEED)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package's source, without what is not needed to list cells.

    With its bytecode, which holds for a file until that is edited.
    """
    package = source.PACKAGE
    ignore = shutil.ignore_patterns("report", "analysis", "figure*")
    shutil.copytree(package, tmp_path / "src" / "trainscape", ignore=ignore)
    return tmp_path


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """The digests without any edit."""
    return digests(source.PACKAGE.parents[1])


def python(folder: Path, code: str, *args: str) -> str:
    """What ``code`` prints, run in ``folder`` with the package below ``folder/src``."""
    env = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *args]
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def digests(folder: Path, study: dict[str, Any] = STUDY) -> dict[str, str]:
    """The digest of every cell of ``study`` by the package below ``folder``."""
    found: dict[str, str] = json.loads(python(folder, DIGESTS, json.dumps(study)))
    return found


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that stands in a file once."""
    text = file.read_text()
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new))


def test_a_new_optimizer_changes_no_digest(copy: Path, before: dict[str, str]) -> None:
    """Adding a file adds cells and touches no other."""
    rules = copy / "src" / "trainscape" / "optimizers"
    (rules / "sgd2.py").write_text((rules / "sgd.py").read_text().replace('"sgd"', '"sgd2"'))
    assert digests(copy) == before
    axes = {**STUDY["grid"], "optimizer": ["sgd", "adam", "sgd2"]}
    after = digests(copy, {**STUDY, "grid": axes})
    assert len(after) == len(before) + 4
    assert {cell: after[cell] for cell in before} == before


def test_a_comment_changes_no_digest(copy: Path, before: dict[str, str]) -> None:
    """Comments and docstrings of the engine and of every part may be edited freely."""
    for file in (copy / "src" / "trainscape").rglob("*.py"):
        file.write_text(file.read_text() + "\n# an afterthought\n")
    train = copy / "src" / "trainscape" / "engine" / "pack.py"
    edit(train, '"""Train every trial on its next batch;', '"""Train each trial on one batch;')
    assert digests(copy) == before


def test_the_engines_arithmetic_changes_every_digest(copy: Path, before: dict[str, str]) -> None:
    """A changed number in the engine is another result for every cell."""
    edit(copy / "src" / "trainscape" / "engine" / "trial.py", "CHUNK = 256", "CHUNK = 512")
    after = digests(copy)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        ("optimizers/adam.py", "value=-1", "value=-2", " adam "),
        ("schedules/cosine.py", "math.pi * step", "math.pi * (step + 1)", "cosine"),
        ("workloads/digits_cnn.py", "target=", "mean=0.5, target=", "digits-cnn"),
    ],
)
def test_a_part_changes_the_cells_that_use_it(
    copy: Path, before: dict[str, str], file: str, old: str, new: str, word: str
) -> None:
    """An edit of one optimizer, schedule or workload is another result for its own cells only."""
    edit(copy / "src" / "trainscape" / file, old, new)
    after = digests(copy)
    changed = {cell for cell in before if after[cell] != before[cell]}
    assert changed == {cell for cell in before if word in cell}


def test_a_plugins_helper_changes_the_cells_that_use_it(copy: Path) -> None:
    """What a plugin imports counts for the cells of its parts, and for no other."""
    for name in ("one", "two"):
        text = PLUGIN.format(name=name, helper=f"speed_{name}")
        (copy / f"{name}.py").write_text(text)
        (copy / f"speed_{name}.py").write_text("SPEED = 1.0\n")
    axes = {**STUDY["grid"], "optimizer": ["sgd", "one", "two"]}
    study = {**STUDY, "plugins": ["one.py", "two.py"], "grid": axes}
    before = digests(copy, study)
    (copy / "speed_one.py").write_text("SPEED = 1.0  # as fast\n")
    assert digests(copy, study) == before
    (copy / "speed_one.py").write_text("SPEED = 2.0\n")
    after = digests(copy, study)
    changed = {cell for cell in before if after[cell] != before[cell]}
    assert changed == {cell for cell in before if " one " in cell}


def mixed(*entries: object) -> dict[str, Any]:
    """A study of a fused optimizer and of entries by import path."""
    axes = {**STUDY["grid"], "optimizer": ["sgd", *entries], "schedule": ["constant"]}
    return {**STUDY, "workloads": ["digits-mlp"], "grid": axes}


def test_unfused_training_counts_for_its_own_cells(copy: Path) -> None:
    """An edit of the unfused engine is another result for what it trains, and for no other cell."""
    study = mixed({"torch": "torch.optim.NAdam"})
    before = digests(copy, study)
    unfused = copy / "src" / "trainscape" / "engine" / "unfused.py"
    edit(unfused, "* self.factors[k]", "* self.factors[k] * 2")
    after = digests(copy, study)
    changed = {cell for cell in before if after[cell] != before[cell]}
    assert changed == {cell for cell in before if " nadam " in cell}
    assert len(before) == 2


def test_neither_engine_is_hashed_for_the_others_cells() -> None:
    """What both use counts for both; what hands cells to them counts for neither."""
    fused = set(identity.closure("digits-mlp", "sgd", None, "constant"))
    alone = set(identity.closure("digits-mlp", "torch", "torch.optim.NAdam", "constant"))
    engine = "trainscape.engine."
    rules = {"trainscape.optimizers.sgd", "trainscape.optimizers._decay"}
    compiled = source.PACKAGE / "compiled"
    names = ("apart", "fused", "group", "laid", "lanes", "pack", "questions", "rates", "rule")
    own = {f"{engine}{name}" for name in names}
    own |= {source.module_name(path, ()) for path in compiled.rglob("*.py")}
    own |= {f"trainscape.compiled.c.{path.stem}" for path in compiled.glob("c/*.h")}
    own -= source.EXCLUDED.keys()
    assert fused - alone == own | rules
    assert alone - fused == {f"{engine}unfused", "trainscape.cells.imported"}
    both = {
        f"{engine}{name}"
        for name in ("arithmetic", "data", "detail", "model", "streams", "task", "trial")
    }
    assert both <= fused & alone


def test_a_packages_version_stands_for_its_optimizers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's own are covered by torch's version; another package is named with its version."""
    pytest.importorskip("schedulefree")
    study = mixed({"torch": "torch.optim.NAdam"}, {"torch": "schedulefree.RAdamScheduleFree"})
    monkeypatch.setattr(metadata, "version", lambda _: "7.7")
    found = [identity.identity(cell) for cell in grid.cells(parse(study, "test"))]
    packages = [each.get("optimizer") for each in found]
    assert packages == [None, None, "schedulefree 7.7"]


LIST = """
import json, sys
from trainscape.cells import grid, identity
from trainscape.cells.cell import import_path
from trainscape.study import parse
cells = grid.cells(parse(json.loads(sys.argv[1]), 'test'))
closure = set()
for cell in cells:
    path = import_path(cell.optimizer.spec())
    closure |= set(identity.closure(cell.workload, cell.optimizer.name, path, cell.schedule.name))
specs = [cell.spec() for cell in cells]
json.dump({"specs": specs, "closure": sorted(closure)}, sys.stdout)
"""
TRAIN = """
import json, sys
from importlib import metadata
from pathlib import Path
from trainscape.cells import plugins
from trainscape.datasets import Raw, registry
plugins.load(json.loads(sys.argv[2]))
from trainscape.engine import device
from trainscape.engine.run import train_cells
arrays = registry.get('digits').make(Raw(Path('raw')))
steps, records = train_cells(json.loads(sys.argv[1]), arrays, device.choose('cpu'))
assert len(records) == len(json.loads(sys.argv[1])), records
loaded = {}
for name, module in sys.modules.items():
    file = getattr(module, '__file__', None)
    if name.split('.')[0] == 'trainscape' or (file and Path(file).parent == Path.cwd()):
        loaded[name] = Path(file).name
loaded['compiler'] = 'torch._dynamo' in sys.modules
json.dump(loaded, sys.stdout)
"""


@pytest.mark.parametrize("more", [[], [{"torch": "torch.optim.NAdam"}]], ids=["fused", "both"])
def test_all_that_training_loads_is_hashed_or_excluded_with_a_reason(
    copy: Path, monkeypatch: pytest.MonkeyPatch, more: list[dict[str, Any]]
) -> None:
    """Every first-party module in a training process is in the closure or excluded by name.

    The other way round, every exclusion is needed, here or by a stage, and says why. So a module
    that comes to decide numbers cannot stay out of the digest unnoticed. Torch's compiler takes 2 s
    to load, and is not loaded, unless an optimizer of torch's own asks for it.
    """
    text = PLUGIN.format(name="mine", helper="speed")
    (copy / "mine.py").write_text(text)
    (copy / "speed.py").write_text("SPEED = 1.0\n")
    axes = {**STUDY["grid"], "optimizer": ["sgd", "adam", "mine", *more]}
    study = {
        **STUDY,
        "workloads": ["digits-mlp"],
        "plugins": ["mine.py"],
        "grid": axes,
        "seeds": 1,
        "budget": {"steps": 2},
    }
    made = json.loads(python(copy, LIST, json.dumps(study)))
    loaded = json.loads(python(copy, TRAIN, json.dumps(made["specs"]), '["mine.py"]'))
    assert not loaded.pop("compiler") or more
    own = {name for name in loaded if name.split(".")[0] == "trainscape"}
    free = {name for name in own if name.startswith(source.DATASETS)}
    assert own - free - set(source.EXCLUDED) - set(made["closure"]) == set()
    assert set(source.EXCLUDED) & set(made["closure"]) == set()
    assert all(len(reason.split()) >= 2 for reason in source.EXCLUDED.values())
    if more:
        excluded = set(source.EXCLUDED)
        monkeypatch.setattr(source, "EXCLUDED", {})
        stages = set(source.closure((source.PACKAGE / "pipeline").glob("*.py")))
        assert excluded - own - stages == set(), "an exclusion that nothing loads"
    users = {file for name, file in loaded.items() if name not in own}
    assert users == {"mine.py", "speed.py"}
    assert users <= set(made["closure"])
