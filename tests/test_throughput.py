"""Step times: what is measured, and what their record is called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from kit.small_study import RAW, make
from trainscape import datasets, hardware, source, throughput
from trainscape.cells import grid
from trainscape.throughput.identity import wanted


def digest(**changes: Any) -> str:
    """The digest of the tests' study with changes."""
    changed = make(**changes)
    return throughput.digest(changed, grid.cells(changed))


# What is measured


def test_wanted() -> None:
    """Every workload, optimizer and batch size is measured once a mode, whatever the rates."""
    changed = make(lr=[0.1, 0.2], schedule=["constant", "cosine"], seeds=5)
    found = wanted(grid.cells(changed))
    assert [(one.optimizer, one.batch_size, one.mode) for one in found] == [
        (optimizer, size, mode)
        for optimizer in ("sgd", "adam")
        for size in (16, 64)
        for mode in ("step", "loader")
    ]
    assert found[-1].spec == {**grid.cells(changed)[-1].optimizer.spec()}
    assert str(found[-1]) == "digits-mlp adam batch 64 loader"


# What the record is called


@pytest.mark.parametrize(
    "changes",
    [
        {"lr": [0.2, 0.3]},
        {"schedule": ["cosine", "linear"]},
        {"seeds": 7},
        {"budget": {"epochs": 3}},
        {"validation": 0.1},
        {"name": "other", "output": "other"},
        {"throughput": {"within": 0.2, "block": 0.001, "enabled": False}},
        {"optimizer": ["adam", "sgd"], "batch_size": [64, 16]},
    ],
)
def test_digest_stays(changes: dict[str, Any]) -> None:
    """What costs no time in a step, and the order of the axes, measures nothing again."""
    assert digest(**changes) == digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": [16, 64, 128]},
        {"optimizer": ["sgd"]},
        {"optimizer": ["sgd", {"name": "adam", "beta1": 0.8}]},
        {"optimizer": ["sgd", {"name": "adam", "label": "Adam"}]},
        {"workloads": ["digits-cnn"]},
        {"device": "auto"},
        {"order": "fixed"},
        {"throughput": {"within": 0.1, "block": 0.001}},
        {"throughput": {"within": 0.2, "block": 0.001, "patience": 0.3}},
        {"throughput": {"within": 0.2, "block": 0.002}},
    ],
)
def test_digest_changes(changes: dict[str, Any]) -> None:
    """What is measured, and how, changes the digest; so does a label, as the rows carry it."""
    assert digest(**changes) != digest()


def test_digest_of_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another torch, or other data under the same name, is measured again."""
    found = [digest()]
    monkeypatch.setattr(hardware, "torch_version", lambda: "2.0.0")
    found.append(digest())
    digits = datasets.registry.get("digits")
    other = datasets.Dataset("digits", digits.train, digits.test, "0" * 64, digits.make)
    monkeypatch.setattr(datasets.registry, "get", {"digits": other}.__getitem__)
    found.append(digest())
    assert len(set(found)) == 3


EDITS = {  # by name: a file, a text in it, and what takes its place
    "comment": ("throughput/suite/loop.py", "LR = 1e-6", "LR = 1e-6  # low"),
    "docstring": ("throughput/suite/memory.py", '"""The most memory', '"""The very most memory'),
    "message": ("throughput/record.py", "cannot be read", "is damaged"),
    "lock": ("throughput/alone.py", "timeout=0)", "timeout=0.0)"),
    "load": ("throughput/alone.py", "GLANCE = 0.5", "GLANCE = 0.6"),
    "progress": ("throughput/suite/conftest.py", "s left", "seconds left"),
    "face": ("throughput/__init__.py", '"path", "record"', '"record", "path"'),
    "study": ("study/model.py", '="default"', '="standard"'),
    "optimizer not used": ("optimizers/rmsprop.py", "= 0.99", "= 0.9"),
    "loop": ("throughput/suite/loop.py", "LR = 1e-6", "LR = 1e-5"),
    "memory": ("throughput/suite/memory.py", "max(held) - before", "max(held)"),
    "row": ("throughput/suite/row.py", "one.batch_size / times.median", "times.median"),
    "passes": ("throughput/suite/passes.py", "BUSY = 0.1", "BUSY = 0.2"),
    "interval": ("statistics/medians.py", "return at - 1", "return at - 2"),
    "suite": ("throughput/suite/test_step_times.py", "WARM_UP = 5", "WARM_UP = 6"),
    "optimizer": ("optimizers/sgd.py", "optim.SGD(params, lr", "optim.SGD(params, 2 * lr"),
    "workload": ("workloads/digits_mlp.py", "mlp(64, 64, 10)", "mlp(64, 65, 10)"),
    "scaling": ("engine/data.py", ".float() / 255", ".float() / 256"),
}
HARMLESS = list(EDITS)[:9]
SCRIPT = """
import json, pathlib, sys
from trainscape.cells import grid
from trainscape import source
from trainscape import study, throughput
assert str(source.PACKAGE).startswith(sys.argv[1]), source.PACKAGE
made = study.parse(json.loads(sys.argv[2]), "test")
def digest():
    for memo in vars(source).values():  # files are read once a process
        getattr(memo, "cache_clear", lambda: None)()
    return throughput.digest(made, grid.cells(made))
found = {"none": digest()}
for name, (file, old, new) in json.loads(sys.argv[3]).items():
    path = source.PACKAGE / file
    text = path.read_text()
    path.write_text(text.replace(old, new))
    found[name] = digest() if old in text else "not edited"
    path.write_text(text)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digest after each of the edits, made to a copy of the package."""
    root = tmp_path_factory.mktemp("project")
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source.PACKAGE, root / "src" / "trainscape", ignore=left_out)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root), json.dumps(RAW), json.dumps(EDITS)],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("edit", EDITS)
def test_digest_of_source(edited: dict[str, str], edit: str) -> None:
    """Only an edit that may change the numbers changes the digest."""
    assert edited[edit] != "not edited"
    assert (edited[edit] == edited["none"]) == (edit in HARMLESS)


def test_path() -> None:
    """The file's name holds the machine's fingerprint and the digest."""
    made = make()
    found = throughput.path(made, grid.cells(made))
    assert str(found) == f"throughput/{hardware.fingerprint('cpu')}-{digest()[:12]}.json"
