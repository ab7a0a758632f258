"""A cell's identity: canonical JSON, digest, path."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainscape.cells.cell import Cell, Part, parse_path
from trainscape.hashing import canonical, sha256

IDENTITY = {"data": "d" * 64, "torch": "2.11.0", "source": "5" * 64}
CELL = Cell(
    workload="digits-mlp",
    optimizer=Part("momentum", {"momentum": 0.9, "weight_decay": 0.0}, "heavy"),
    batch_size=64,
    lr=0.01,
    schedule=Part("cosine", {"final": 0.0, "warmup": None}, "warm-cosine"),
    seeds=(0, 1, 2),
    budget={"epochs": 15},
    validation=0.2,
    evaluate_every=1.0,
    precision="fp32",
)
GOLDEN = "56fc61fafbaaff2830d30c1a4988a7cecd3cfacb3e1db02fa511ed62e27ae574"
SPEC = (
    '{"batch_size":64,"budget":{"epochs":15},"evaluate_every":1.0,"last_batch":"keep","lr":0.01,'
    '"optimizer":{"momentum":0.9,"name":"momentum","weight_decay":0.0},"order":"shuffle",'
    '"precision":"fp32",'
    '"schedule":{"final":0.0,"name":"cosine","warmup":null},"seeds":[0,1,2],'
    '"validation":0.2,"workload":"digits-mlp"}'
)
WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
RATES = st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False)


def test_canonical_json_is_written_out() -> None:
    """The text that is hashed: sorted keys, no spaces, floats in their shortest form."""
    assert canonical(CELL.spec()) == SPEC


def test_canonical_json_does_not_depend_on_order() -> None:
    """Mappings with the same content give the same text and hash."""
    a, b = {"x": 1, "y": [1.0, None]}, {"y": [1.0, None], "x": 1}
    assert canonical(a) == canonical(b) == '{"x":1,"y":[1.0,null]}'
    assert sha256(a) == sha256(b)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_canonical_json_knows_no_nan(value: float) -> None:
    """What JSON cannot hold is refused, never written."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"x": value})


def test_the_digest_is_pinned() -> None:
    """A digest of today is a digest of tomorrow: else all results would be trained again."""
    assert CELL.digest(IDENTITY) == GOLDEN


@pytest.mark.parametrize(
    "other",
    [
        replace(CELL, workload="digits-cnn"),
        replace(CELL, optimizer=Part("nesterov", CELL.optimizer.params, "heavy")),
        replace(CELL, optimizer=Part("momentum", {"momentum": 0.95}, "heavy")),
        replace(CELL, batch_size=65),
        replace(CELL, lr=0.010000000000000002),
        replace(CELL, schedule=Part("cosine", {"final": 0.1, "warmup": None}, "warm-cosine")),
        replace(CELL, seeds=(0, 1)),
        replace(CELL, seeds=(0, 2, 1)),
        replace(CELL, budget={"steps": 15}),
        replace(CELL, validation=0.0),
        replace(CELL, evaluate_every=0.5),
        replace(CELL, trace_every=30),
        replace(CELL, last_batch="drop"),
        replace(CELL, order="fixed"),
    ],
)
def test_every_value_counts(other: Cell) -> None:
    """A cell that differs in any value has another digest."""
    assert other.digest(IDENTITY) != CELL.digest(IDENTITY)


@pytest.mark.parametrize("key", sorted(IDENTITY))
def test_data_torch_and_source_count(key: str) -> None:
    """The same cell on other data, torch or source has another digest."""
    assert CELL.digest({**IDENTITY, key: "other"}) != CELL.digest(IDENTITY)


def test_labels_are_no_part_of_identity() -> None:
    """Renaming an optimizer or schedule trains nothing: equal cells, equal digests, other paths."""
    renamed = replace(
        CELL,
        optimizer=replace(CELL.optimizer, label="m"),
        schedule=replace(CELL.schedule, label="c"),
    )
    digest = renamed.digest(IDENTITY)
    assert renamed == CELL
    assert digest == CELL.digest(IDENTITY)
    assert renamed.path(digest) != CELL.path(digest)


def test_a_cell_is_called_by_its_axes() -> None:
    """Messages call a cell by what a study calls its parts."""
    assert str(CELL) == "digits-mlp heavy batch 64 lr 0.01 warm-cosine"


def test_the_path_is_written_out() -> None:
    """Workload and optimizer are folders; batch size, lr, schedule and short digest the name."""
    path = CELL.path("0123456789abcdef" * 4)
    assert path == "digits-mlp/heavy/bs64-lr0.01-warm-cosine-0123456789ab.json"


@given(
    workload=WORDS,
    optimizer=WORDS,
    schedule=WORDS,
    batch=st.integers(1, 10**9),
    lr=RATES | st.sampled_from([1e-05, 0.001, 3e20, 1e16, 1e-300, 1.0, 5e-324]),
    sha=st.text("0123456789abcdef", min_size=64, max_size=64),
)
def test_path_and_cell_turn_into_each_other_without_loss(
    workload: str, optimizer: str, schedule: str, batch: int, lr: float, sha: str
) -> None:
    """Whatever the labels and rates, a path gives back the axes' values and the short digest."""
    cell = replace(
        CELL,
        workload=workload,
        optimizer=replace(CELL.optimizer, label=optimizer),
        batch_size=batch,
        lr=lr,
        schedule=replace(CELL.schedule, label=schedule),
    )
    expected = {
        "workload": workload,
        "optimizer": optimizer,
        "batch_size": batch,
        "lr": lr,
        "schedule": schedule,
        "sha": sha[:12],
    }
    assert parse_path(cell.path(sha)) == expected
    assert parse_path("results/cells/" + cell.path(sha)) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "bs64-lr0.01-cosine-0123456789ab.json",
        "w/o/bs64-lr0.01-cosine-0123456789a.json",
        "w/o/bs64-lr0.01-cosine-0123456789ab.csv",
        "w/o/bs64-lrnan-cosine-0123456789ab.json",
        "w/o/bs-lr0.1-cosine-0123456789ab.json",
        "w/o/bs64-lr0.01-0123456789ab.json",
    ],
)
def test_what_is_no_path_of_a_cell_is_refused(path: str) -> None:
    """Other files are told apart, by name."""
    with pytest.raises(ValueError, match="is not the path of a cell"):
        parse_path(path)


def test_a_spec_is_plain_data() -> None:
    """A spec survives JSON unchanged, so that a cell file states exactly what was hashed."""
    assert json.loads(canonical(CELL.spec())) == CELL.spec()
