"""`trainscape data --list` and the page say what datasets hold, and it is what they hold."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from kit.own_folder import folder as folder  # autouse, once it is here
from kit.registries import shipped
from trainscape import datasets, workloads
from trainscape.cli import main
from trainscape.datasets import Arrays, Raw, digest, joined, prepare, values_of
from trainscape.engine.data import scaled
from trainscape.errors import UserError
from trainscape.pipeline import data_list

NAMES = datasets.registry.names()
PAGE = Path(__file__).resolve().parent.parent / "docs" / "plugins.md"
# where published files may lie: of MNIST by the caller's word, of Fashion-MNIST by Debian's package
PLACES = [os.environ.get("TRAINSCAPE_RAW", "none"), "/usr/share/datasets"]
PLUGIN = """
import numpy as np
from trainscape.datasets import Arrays, dataset, npz_dataset
from trainscape.workloads import workload

npz_dataset("own", "own.npz")


@dataset("pinned", train=3, test=2, sha256="{sha256}")
def pinned():
    return Arrays(np.zeros((3, 2), "int64"), np.ones(3), np.full((2, 2), 9), np.ones(2))


@workload("own-model", dataset="own", target=0.5, mean=0.5, std=0.25)
def build():
    from torch import nn
    return nn.Linear(2, 2)
"""


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stated_of_a_dataset_is_what_it_holds(name: str, tmp_path: Path) -> None:
    """Types, shapes, sizes and ranges are the arrays', to three digits."""
    entry = datasets.registry.get(name)
    for place in map(Path, PLACES):
        try:
            source = place if place.is_dir() else None
            arrays = entry.make(Raw(tmp_path, source, "(none)"))
            break
        except UserError:
            continue
    else:
        pytest.skip(f"the files of {name} are not here")
    found = values_of(arrays)
    assert (len(arrays.y_train), len(arrays.y_test)) == (entry.train, entry.test)
    for part in ("x", "y"):
        stated, held = joined(entry.values, part), joined(found, part)
        assert stated and held
        assert (stated.dtype, stated.shape) == (held.dtype, held.shape)
        assert (stated.low, stated.high) == pytest.approx((held.low, held.high), abs=0.005)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_of_every_dataset_what_the_list_says(name: str) -> None:
    """docs/plugins.md has each row of the list, and a source behind it."""
    with shipped(workloads.registry):
        cells = data_list.row(datasets.registry.get(name))
    rows = [row for row in PAGE.read_text(encoding="utf-8").splitlines() if f"| {name} |" in row]
    assert len(rows) == 1
    assert rows[0].startswith(f"| {' | '.join(cells)} | ")


@pytest.mark.parametrize("name", workloads.registry.names())
def test_what_a_model_is_said_to_get_is_what_the_engine_gives_it(name: str) -> None:
    """The stated range is the engine's, of the least and the greatest value."""
    workload = workloads.registry.get(name)
    entry = datasets.registry.get(workload.dataset)
    x = joined(entry.values, "x")
    assert x
    ends = scaled(np.array([x.low, x.high], x.dtype), workload, torch.device("cpu")).tolist()
    stated = next(part for part in data_list.row(entry)[-1].split("; ") if name in part)
    assert stated.startswith(f"{datasets.span(*ends)} (")


def test_a_plugins_datasets_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file's at once, with what its workload gets; a pinned one's once its data is there."""
    x, y = np.array([[0.0, 1.0]] * 4, "float32"), np.arange(4) % 2
    np.savez(folder / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    pinned = Arrays(np.zeros((3, 2), "int64"), np.ones(3), np.full((2, 2), 9), np.ones(2))
    (folder / "plugin.py").write_text(PLUGIN.format(sha256=digest(pinned)))
    (folder / "params.yaml").write_text("plugins: [plugin.py]\nworkloads: [own-model]\n")
    own = "own 4 4 float32 (2,), 0 to 1 int64, 0 to 1 -2 to 2 (own-model); 0 to 1 without mean and"
    assert own in printed(capsys)
    assert "pinned 3 2 known once it is made known once it is made" in printed(capsys)
    assert not (folder / "data").exists()
    prepare("pinned", folder / "data", folder)
    assert "pinned 3 2 int64 (2,), 0 to 9 float64, 1 as they are" in printed(capsys)


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    """The list, with a single space between columns."""
    capsys.readouterr()
    assert main(["data", "--list"]) == 0
    return " ".join(capsys.readouterr().out.split())
