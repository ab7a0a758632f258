"""A dataset that a user's function makes: how it is called, known and pinned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kit.own_folder import folder as folder  # autouse, once it is here
from kit.small_arrays import refusal
from trainscape import datasets
from trainscape.cells import grid, identity, plugins
from trainscape.cli import main
from trainscape.datasets import Raw, digest, load, prepare
from trainscape.hashing import is_sha256
from trainscape.study import parse

if TYPE_CHECKING:
    from trainscape.datasets import Dataset

PLUGIN = """
import numpy as np
from trainscape.datasets import Arrays, dataset
from trainscape.workloads import workload

print("loaded")
x, y = np.linspace(0, 1, 20, dtype="float32").reshape(10, 2), np.arange(10) % 2


@dataset("own"{more})
def make({takes}):
    {body}
    return {result}


@workload("own-model", dataset="own", target=0.5)
def build():
    from torch import nn
    return nn.Linear(2, 2)
"""
WHOLE = "Arrays(x[:7], y[:7], x[7:], y[7:])"
STUDY = {
    "plugins": ["plugin.py"],
    "workloads": ["own-model"],
    "grid": {"optimizer": ["sgd"], "batch_size": [2], "lr": [0.1], "schedule": ["constant"]},
}


def plug_in(more: str = "", takes: str = "", body: str = "pass", result: str = WHOLE) -> Dataset:
    """Load a plugin whose function makes a dataset; its entry."""
    write(more, takes, body, result)
    plugins.load(["plugin.py"])
    return datasets.registry.get("own")


def write(more: str = "", takes: str = "", body: str = "pass", result: str = WHOLE) -> None:
    """Write the plugin into the working folder."""
    more = f", {more}" * bool(more)
    Path("plugin.py").write_text(PLUGIN.format(more=more, takes=takes, body=body, result=result))


@pytest.mark.parametrize("takes", ["", "raw", "path='x.csv'", "*, more=1", "*rest", "raw, more=1"])
def test_it_takes_nothing_or_where_raw_files_lie(takes: str) -> None:
    """A function that needs one argument gets a Raw; one that needs none is called without."""
    body = "pass"
    if takes.startswith("raw"):
        body = "assert raw.folder.name == 'raw'"
    elif takes == "path='x.csv'":
        body = "assert path == 'x.csv'"
    entry = plug_in(takes=takes, body=body)
    assert (entry.train, entry.test) == (7, 3)


@pytest.mark.parametrize("takes", ["raw, more", "*, more"])
def test_a_function_that_needs_more_is_refused(takes: str) -> None:
    """It is told at once what the function may take."""
    assert refusal(lambda: plug_in(takes=takes)) == (
        f"plugins: plugin.py: dataset 'own': make() in plugin.py: takes ({takes}); let it take "
        "nothing, or one trainscape.datasets.Raw"
    )


def test_without_a_hash_it_is_known_by_its_content(folder: Path) -> None:
    """Its sizes and hash are those of what it makes, and other content is another dataset."""
    entry = plug_in()
    made = entry.make(Raw(Path()))
    assert entry.sha256 == digest(made)
    assert entry.values["y_train"].high == 1
    prepare("own", folder / "data", folder)
    assert load("own", folder / "data").y_test.tolist() == [1, 0, 1]
    cell = grid.cells(parse(STUDY, "test"))[0]
    assert identity.identity(cell)["data"] == entry.sha256


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("(x, y, x, y)", "gives tuple; return trainscape.datasets.Arrays"),
        ("Arrays(x, y[:3], x, y)", "x_train has 10 examples, y_train has 3; they must be equal"),
        (
            "Arrays(x, ['a'] * 10, x, ['b'] * 10)",
            "y_train holds <U1; use integers or floats of at most 64 bits, such as "
            "numpy.unique(y, return_inverse=True)[1] of all labels",
        ),
    ],
)
def test_unfit_arrays(result: str, message: str) -> None:
    """What cannot be trained on is refused by dataset, function and array."""
    said = refusal(lambda: plug_in(result=result))
    assert said == f"plugins: plugin.py: dataset 'own': make() in plugin.py: {message}"


def test_tables_and_lists_are_arrays() -> None:
    """A DataFrame, a Series and lists are taken as the numbers that they hold."""
    columns = "import pandas as pd; table = pd.DataFrame(x); labels = pd.Series(y)"
    result = "Arrays(table[:7], labels[:7], x[7:].tolist(), y[7:].tolist())"
    entry = plug_in(body=columns, result=result.replace("x[7:].tolist()", "table[7:]"))
    assert entry.sha256 == digest(entry.make(Raw(Path())))
    assert entry.make(Raw(Path())).x_test.shape == (3, 2)


def test_draws_without_a_seed_are_refused(folder: Path) -> None:
    """A function that makes other content at its next call is told of, not trained on."""
    plug_in(body="x[0] += 1")
    said = refusal(lambda: prepare("own", folder / "data", folder))
    assert said == (
        "dataset 'own': make() in plugin.py: gives other values when it is called again; "
        "seed what it draws"
    )


def test_a_pinned_function_is_not_called_to_list_a_grid() -> None:
    """With hash and sizes, only making the dataset calls it."""
    pinned = f"sha256='{'0' * 64}', train=7, test=3"
    plug_in(more=pinned, body="raise RuntimeError")
    assert len(grid.cells(parse(STUDY, "test"))) == 1


def test_a_pin_needs_sizes() -> None:
    """A hash alone does not say how many examples a grid can count on."""
    said = refusal(lambda: plug_in(more=f"sha256='{'0' * 64}', train=7"))
    assert said.endswith("a pinned dataset states its sizes; add train=… and test=…")


def test_the_hash_to_pin_is_printed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """`trainscape data --hash` prints 64 digits and no more, whatever is pinned until then."""
    write(more="sha256='to do', train=7, test=3", body="print('made')")
    assert main(["data", "--hash", "plugin.py", "own"]) == 0
    said = capsys.readouterr()
    assert is_sha256(said.out.removesuffix("\n"))
    assert said.err.split() == ["loaded", "made"]
    plugins.load(["plugin.py"])
    assert said.out.strip() == digest(datasets.registry.get("own").make(Raw(Path())))


@pytest.mark.parametrize("name", ["owm", "kmnist"])
def test_what_has_no_hash_to_pin_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped name, and a dataset that is known by its files, are answered in a line."""
    write()
    assert main(["data", "--hash", "plugin.py", name]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    meant = "did you mean 'own'?" if name == "owm" else "is known by what it is made from"
    assert meant in said.err.splitlines()[-1]


@pytest.mark.parametrize("pin", ["034bf18c901f", "to do", "0" * 63])
def test_a_pin_that_is_no_hash_is_refused(pin: str) -> None:
    """The first letters of a hash, as file names have them, are none: how to get it is said."""
    write(more=f"sha256='{pin}', train=7, test=3")
    assert refusal(lambda: grid.cells(parse(STUDY, "test"))) == (
        f"dataset 'own': make() in plugin.py: sha256 '{pin}' is none; give the 64 hex digits that "
        "`trainscape data --hash plugin.py own` prints, or leave it out"
    )


def test_a_wrong_pin_is_told_with_both_hashes_whole(folder: Path) -> None:
    """The right hash can be copied from the refusal, and differs where the two do."""
    write()
    plugins.load(["plugin.py"])
    right = datasets.registry.get("own").sha256
    wrong = right[:-1] + "0123456789abcdef"[int(right[-1], 16) - 1]
    entry = datasets.Dataset("own", 7, 3, wrong, datasets.registry.get("own").make)
    datasets.registry.add("own", entry, str(folder / "plugin.py"))
    said = refusal(lambda: prepare("own", folder / "data", folder))
    assert f"has the content hash {right}, not the pinned {wrong};" in said
    np.savez(folder / "own.npz", **vars(entry.make(Raw(Path()))))
    said = refusal(lambda: load("own", folder))
    assert f"has the content hash {right}, not the pinned {wrong};" in said
