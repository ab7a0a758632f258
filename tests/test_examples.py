"""What lies under examples/ trains, by the commands of the program; whole runs are in dag/."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHA256 = re.compile(r'sha256="[0-9a-f]{64}"')


class Examples:
    """A folder that holds ``examples/``, as the project does, and the commands typed there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "examples", root / "examples")

    def __truediv__(self, path: str) -> Path:
        return self.root / "examples" / path

    def python(self, *words: str) -> str:
        """Run Python on this source; what it prints."""
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, *words]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def trainscape(self, name: str, *words: str) -> list[str]:
        """Run the program on an example's study; the lines it prints."""
        study = f"examples/{name}/study.yaml"
        return self.python("-m", "trainscape", *words, "--study", study).splitlines()

    def train(self, name: str, *data: str) -> dict[str, list[dict[str, Any]]]:
        """Make an example's data and train all of its cells; their trials, by the cell's file."""
        paths = self.trainscape(name, "cells", "--paths")
        self.trainscape(name, "data", *data)
        self.trainscape(name, "train", *paths)
        return {path: json.loads((self.root / path).read_text())["trials"] for path in paths}


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """A copy of the examples."""
    return Examples(tmp_path_factory.mktemp("examples"))


def test_the_rings_are_what_their_program_makes(examples: Examples) -> None:
    """make_rings.py makes the file that lies beside it."""
    path = examples / "rings/rings.npz"
    kept = dict(np.load(path))
    path.unlink()
    examples.python("examples/rings/make_rings.py")
    made = dict(np.load(path))
    assert made.keys() == kept.keys()
    for name in kept:
        np.testing.assert_allclose(made[name], kept[name], rtol=1e-6, atol=1e-6)


def test_the_plugin_trains(examples: Examples) -> None:
    """rings: its dataset, model and optimizer train, and its optimizer learns."""
    cells = examples.train("rings")
    assert len(cells) == 8
    examples.trainscape("rings", "make", "settle")
    examples.trainscape("rings", "make", "collect")
    header, *rows = (examples.root / "results-rings/summary.csv").read_text().splitlines()
    named = [dict(zip(header.split(","), row.split(","), strict=True)) for row in rows]
    best = max(float(row["test_metric_mean"]) for row in named if row["optimizer"] == "slow-sign")
    assert best > 0.9


def test_datasets_from_tables_train(examples: Examples) -> None:
    """tables: a CSV file and a DataFrame become datasets, whose models learn."""
    cells = examples.train("tables")
    assert len(cells) == 4
    best = {
        name: max(t["test_metric"][-1] for p in cells if name in p for t in cells[p])
        for name in ("iris-mlp", "wine-mlp")
    }
    assert min(best.values()) > 0.9


def test_rules_by_parameter_and_schedules_train(examples: Examples) -> None:
    """rules: an optimizer that takes parameters whole, under a schedule of its own, learns."""
    cells = examples.train("rules")
    assert len(cells) == 8
    for path, trials in cells.items():
        assert {trial["status"] for trial in trials} == {"ok"}
        if "/normed/" in path and "inverse_root" in path:
            assert min(trial["test_metric"][-1] for trial in trials) > 0.7


def test_class_weights_train(examples: Examples) -> None:
    """class-weights: a loss that writes its weights out trains, and the model learns."""
    for trials in examples.train("class-weights").values():
        for trial in trials:
            assert trial["status"] == "ok"
            assert trial["test_metric"][-1] > 0.9


def test_a_layer_and_its_cell_train(examples: Examples) -> None:
    """recurrent: a layer that trains one by one, and the same one written out, learn alike."""
    study = examples / "recurrent/study.yaml"
    study.write_text(study.read_text().replace("epochs: 10", "epochs: 4"))
    lines = examples.trainscape("recurrent", "estimate")
    assert [line for line in lines if "unfused" in line and "'gru' (nn.GRU)" in line]
    best: dict[str, float] = {}
    for path, trials in examples.train("recurrent").items():
        assert {trial["status"] for trial in trials} == {"ok"}
        name = Path(path).parts[-3]
        best[name] = max([best.get(name, 0), *(trial["test_metric"][-1] for trial in trials)])
    assert min(best.values()) > 0.8


def test_the_character_transformer_trains(examples: Examples) -> None:
    """characters: a file from elsewhere is checked and read, and a sequence model learns it.

    The text is made here, in place of the one at the stated address, and the study cut short.
    """
    draw = random.Random(0)
    words = ["to be", "or not", "that is", "the question", "whether", "nobler"]
    text = " ".join(draw.choice(words) for _ in range(40_000)).encode()
    (examples.root / "text").mkdir()
    (examples.root / "text/input.txt").write_bytes(text)
    plugin, study = examples / "characters/characters.py", examples / "characters/study.yaml"
    sha256 = hashlib.sha256(text).hexdigest()
    edited, count = SHA256.subn(f'sha256="{sha256}"', plugin.read_text())
    assert count == 1
    plugin.write_text(edited.replace("= 8000, 1000, 32", "= 200, 50, 16"))
    short = study.read_text().replace("steps: 300", "steps: 60")
    study.write_text(short.replace("batch_size: [64]", "batch_size: [16]"))
    cells = examples.train("characters", "shakespeare", "--from", "text")
    assert len(cells) == 2
    for trials in cells.values():
        for trial in trials:
            assert trial["status"] == "ok"
            # of 13 letters and the space, guessing costs ln 14 = 2.6 nats
            assert trial["test_metric"][-1] < 1.5


def test_any_torch_optimizer_trains(examples: Examples) -> None:
    """any-torch: classes named by import path train beside our own, and all of them learn."""
    cells = examples.train("any-torch")
    assert sorted({Path(path).parent.name for path in cells}) == ["adam", "amsgrad", "nadam"]
    for trials in cells.values():
        for trial in trials:
            assert trial["status"] == "ok"
            assert trial["test_metric"][-1] > 0.7
