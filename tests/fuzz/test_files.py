"""Files that another machine, editor or disk has spoiled: read whole, or refused by name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit import synthetic
from kit.hostile import answered, fuzzed, mutated, spoiled, values
from kit.synthetic import IDENTITY
from trainscape.analysis import carried, curves, examples, noise, paths, summary, traces, trials
from trainscape.cells import rules
from trainscape.cells.cell import TrialRecord
from trainscape.hashing import canonical, sha256
from trainscape.pipeline.origin import origin
from trainscape.pipeline.throughput import read_record
from trainscape.results import named_cells
from trainscape.results.attic import Attic
from trainscape.results.carrying import older
from trainscape.results.cell_files import Entry, read_cell
from trainscape.results.owner import check_claim
from trainscape.results.seeds import Seeds
from trainscape.results.seen import Seen
from trainscape.results.stamps import changes
from trainscape.source_facts import Facts, Known

if TYPE_CHECKING:
    from trainscape.errors import UserError

CELL = synthetic.cell(optimizer="sgd", seeds=(0, 1), validation=0.2, epochs=2)
DIGEST = CELL.digest(IDENTITY)
EVALUATED = ("train_loss", "val_loss", "val_metric", "test_loss", "test_metric")
OK = TrialRecord(
    0,
    "ok",
    None,
    **{name: [1.0, 0.5] for name in EVALUATED},
    fit_loss=[0.5],
    fit_metric=[1.0],
    trace=[2.0, 1.0, 0.5],
    path=[[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]],
    outcomes="8180",
    noise=[[1.0, 0.5], [0.5, 0.25]],
)
BODY: dict[str, Any] = {
    "format": 1,
    "digest": DIGEST,
    "backend": "cpu",
    "spec": CELL.spec(),
    "identity": IDENTITY,
    "steps": [18, 36],
    "trials": [asdict(OK), asdict(TrialRecord(1, "diverged", 3))],
}
SEAL = '"checksum":"{}",'


def sealed(body: Any, whole: bool = True) -> bytes:
    """A file with a checksum that fits, as one who knows how would make it; or with none that does.

    Python's JSON has NaN and infinities, which a file of ours never holds.
    """
    body = json.loads(json.dumps(body))  # keys are text
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    seal = hashlib.sha256(text.encode()).hexdigest() if whole else "0" * 64
    return (text[:1] + SEAL.format(seal) + text[1:] + "\n").encode()


MARK = {"seeds": [1], "digest": "a" * 64, "identity": IDENTITY, "retrained": ["b" * 12]}
CELLS = mutated([BODY, {**BODY, "carried": [MARK]}])
FILES = st.one_of(
    st.builds(sealed, CELLS, st.booleans()),
    spoiled(st.just(sealed(BODY))),
    st.binary(max_size=40),
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the cell, in a study's output folder."""
    monkeypatch.chdir(tmp_path)
    file = Path("results/cells", CELL.path(DIGEST))
    file.parent.mkdir(parents=True)
    Path("results/.study").write_text("small\n")
    return file


def collected(file: Path, digest: str | None) -> None:
    """All that is made of a cell file, without the study and with it."""
    record = read_cell(file, digest)
    if digest is None:
        return
    found = [Entry(CELL, record)]
    table = trials(found, {CELL.workload: 0.9})
    summary(table)
    for make in (curves, traces, paths, examples, noise, carried):
        make(found)


@fuzzed(150)
@given(content=FILES)
@example(content=sealed({**BODY, "steps": "ab"}))
@example(content=sealed({**BODY, "spec": {**BODY["spec"], "lr": float("inf")}}))
@example(content=sealed({**BODY, "trials": [asdict(OK)] * 2}))
@example(
    content=sealed({**BODY, "trials": [{**asdict(OK), "val_loss": [1e999, 1]}, BODY["trials"][1]]})
)
@example(content=sealed({**BODY, "carried": [{**MARK, "identity": {}}]}))
@example(content=b"[" * 100_000)
@example(content=b'{"checksum":"' + b"0" * 64 + b'","a":' + b"9" * 5000 + b"}")
def test_a_spoiled_cell_is_read_whole_or_refused(place: Path, content: bytes) -> None:
    """Bytes flipped or cut, other JSON, and JSON that was given the checksum that fits it."""
    place.write_bytes(content)
    for digest in (None, DIGEST):
        said = answered(lambda: collected(place, digest))  # noqa: B023
        assert said is None or said.startswith(f"{place}: ")
    assert origin(place).words
    other = place.with_name(place.name.replace(DIGEST[:12], "0" * 12))
    other.write_bytes(content)
    assert answered(lambda: read_cell(other))
    other.unlink()


@fuzzed(100)
@given(body=CELLS)
@example(body={**BODY, "identity": {}})
@example(body={**BODY, "spec": {"seeds": [0, 1]}})
@example(body={**BODY, "spec": {**BODY["spec"], "optimizer": "sgd"}})
@example(body={**BODY, "spec": {**BODY["spec"], "workload": chr(27) + "[31m"}})
def test_a_cell_with_a_digest_made_anew_is_read_whole_or_refused(place: Path, body: Any) -> None:
    """What looks for cells of older code, or of other seeds, knows no digest to hold them to."""
    if not isinstance(body, dict):
        return
    body = json.loads(json.dumps(body))
    about = {"cell": body.get("spec"), "identity": body.get("identity")}
    digest = hashlib.sha256(
        json.dumps(about, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
    file = place.with_name(place.name.replace(DIGEST[:12], digest[:12]))
    file.write_bytes(sealed({**body, "digest": digest}))
    assert origin(file).words.isprintable()
    older([file], Path("attic"), lambda _: True)
    found = Seeds(Attic(Path("results")), (), lambda _: True)
    found.take(CELL.spec(), IDENTITY)
    file.unlink()


NAMED = {"round": "round-01-" + "a" * 12, "cells": ["1" * 12, "2" * 12]}
GRID = [f"results/cells/w/o/bs1-lr0.1-constant-{digit * 12}.json" for digit in "12"]


@fuzzed(80)
@given(content=st.builds(sealed, mutated([NAMED]), st.booleans()) | spoiled(st.just(sealed(NAMED))))
@example(content=sealed({**NAMED, "cells": [[1]]}))
@example(content=sealed({**NAMED, "round": ["x" * 5000]}))
def test_a_spoiled_list_of_cells_is_refused(place: Path, content: bytes) -> None:
    """Rounds and finalists name cells of the grid, or are refused."""
    file = place.with_name(NAMED["round"] + ".json")  # type: ignore[operator]
    file.write_bytes(content)
    found: list[str] = []
    answered(lambda: found.extend(named_cells.read(file, "round", GRID, "names nothing")))
    assert set(found) <= set(GRID)
    answered(lambda: read_record(file))


PRODUCTS = ["results/a.csv", "results/b.csv"]
STAMP = {"made": dict.fromkeys(PRODUCTS, sha256("a")), "from": {"results/c.csv": sha256("c")}}


@fuzzed(80)
@given(
    content=st.builds(lambda v: json.dumps(v).encode(), mutated([STAMP]))
    | spoiled(st.just(json.dumps(STAMP).encode()))
)
@example(content=json.dumps(STAMP).encode())
def test_a_spoiled_stamp_vouches_for_nothing(place: Path, content: bytes) -> None:
    """A stamp that is none is a fault of the stage, in one line."""
    stamp = place.with_name("0" * 12)
    stamp.write_bytes(content)
    for name in (*PRODUCTS, "results/c.csv"):
        Path(name).write_text("x")
    faults = list(changes(stamp, PRODUCTS, sources=["results/c.csv"]))
    assert faults and all(answered(partial(_raise, error)) for error in faults)


def _raise(error: UserError) -> None:
    raise error


STORES = {
    "files": {"results/a.csv": [[1, 2, 3, 4], ["claim", "other"]]},
    "seeds": {"results/x.json": [[1, 2, 3, 4], "kin", "cpu", [0, 1]]},
    "rules": ["0" * 64],
    "source": {"version": "x", "files": {"a": ["b", [[0, "c"]]]}},
}


@fuzzed(80)
@given(
    content=st.builds(lambda v: json.dumps(v).encode(), mutated(list(STORES.values())))
    | values().map(lambda v: json.dumps(v, default=str, skipkeys=True).encode())
)
@example(content=b"[" * 100_000)
@example(content=b'[["a"]]')
@example(content=b'{"%s": []}')
def test_a_spoiled_store_is_passed_over(place: Path, content: bytes) -> None:
    """What .snakemake/trainscape keeps is a help and no more, whatever it holds."""
    place.write_bytes(sealed(BODY))
    folder = Path(".snakemake/trainscape")
    folder.mkdir(parents=True, exist_ok=True)
    for name in STORES:
        text = content.replace(b"%s", str(place).encode())
        (folder / f"{name}.json").write_bytes(text)
    Seen(folder / "files.json").check(place, "claim", lambda _: None)
    found = Seeds(Attic(Path("results")), (), lambda _: True, folder / "seeds.json")
    assert found.take(CELL.spec(), IDENTITY)
    rules._stored()
    known = Known(folder / "source.json", Path(__file__))
    assert known.get(b"x", lambda: Facts("m", [])) == Facts("m", [])
    known.save()


@fuzzed(20)
@given(name=st.binary(max_size=20))
def test_a_marker_of_any_bytes_names_another_study(place: Path, name: bytes) -> None:
    """An output folder is another's unless its marker says the study's own name."""
    Path("results/.study").write_bytes(name)
    assert (answered(lambda: check_claim(Path("results"), "small")) is None) == (
        name.strip() == b"small"
    )


def test_a_marker_that_is_a_folder_is_told(place: Path) -> None:
    """One line, and no traceback."""
    Path("results/.study").unlink()
    Path("results/.study").mkdir()
    assert answered(lambda: check_claim(Path("results"), "small")) == (
        "output: 'results/.study', which names the study, cannot be read: Is a directory"
    )


def test_the_cell_is_one(place: Path) -> None:
    """What the tests spoil is right before."""
    place.write_bytes(sealed(BODY))
    assert canonical(read_cell(place, DIGEST).spec) == canonical(CELL.spec())
