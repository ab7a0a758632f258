"""Parameter files of a stranger's: a study, or one line that says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.hostile import answered, fuzzed, mutated, spoiled
from kit.hostile_studies import STUDIES, dumped
from kit.own_folder import folder as folder  # autouse, once it is here
from trainscape import study
from trainscape.pipeline.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.study import Study

BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
# what was answered by a traceback, or not at all
FOUND = [
    "grid: " + "[" * 5000,
    "grid: " + "{a: " * 3000 + "}" * 3000,
    "seeds: 0x" + "f" * 5000,
    "seeds: " + "1" * 5000,
    "grid: {lr: [" + "9" * 400 + "]}",
    "seeds: 1" + ":59" * 2000,
    BOMB,
    "grid: &a [*a]",
    "grid: &a {lr: *a}",
    "name: !!timestamp foo",
    "seeds: !!bool foo",
    "workloads: !!set {digits-mlp}",
    "plugins: [" + "a" * 300 + ".py]",
    "plugins: [" + "a/" * 3000 + "b.py]",
    'plugins: ["a\\0b.py"]',
    'plugins: ["\\ud800.py"]',
    "workloads: [" + "a" * 3000 + "]",
    "budget: {steps: 1000000000000}",
    "budget: {epochs: 1000000000000}\ngrid: {schedule: [plateau]}",
    "budget: {steps: 1000000000000}\nevaluate_every: 1e+300\ntrace_every: 1",
    "grid: {lr: {log: [1e-5, 10, 10000]}, batch_size: ["
    + ", ".join(map(str, range(1, 301)))
    + "]}",
    "range_test: {enabled: true, steps: 1000000000}",
    "grid: {optimizer: [sgd, {name: sgd, nesterov: 1, label: SGD}]}",
]


def made(read: Study) -> None:
    """All that is looked at before a job starts, but for digests, which hold source."""
    layout = Layout(read)
    assert layout.grid
    for path in layout.figure_files:
        assert path.startswith(f"{layout.output}/figures/")
        assert all(len(part.encode()) <= 200 for part in path.split("/"))
    assert layout.notes is not None


def asked(file: Path, text: bytes) -> str | None:
    """How a file with this text is refused; None where it is a study."""
    file.write_bytes(text)
    return answered(lambda: made(study.read(file)))


@pytest.mark.parametrize("text", FOUND, ids=[text[:24] for text in FOUND])
def test_what_a_fuzz_has_found_is_refused(folder: Path, text: str) -> None:
    """Each of these ended in a traceback, filled the memory or ran without end."""
    said = asked(folder / "params.yaml", text.encode())
    assert said is not None


TREES = st.builds(dumped, mutated(STUDIES), st.integers(0, 2))


@fuzzed(60)
@given(text=TREES)
@example(text=b"grid: {lr: {sgd: [1], 2: [1]}}")
def test_a_spoiled_study_is_a_study_or_refused(folder: Path, text: bytes) -> None:
    """Values of another kind, names of no file, keys that are none, numbers beyond all bounds."""
    asked(folder / "params.yaml", text)


WHOLE = st.builds(dumped, st.sampled_from(STUDIES), st.integers(0, 1))


@fuzzed(60)
@given(text=spoiled(WHOLE | TREES))
def test_a_spoiled_text_is_a_study_or_refused(folder: Path, text: bytes) -> None:
    """Bytes that are no UTF-8, no YAML, or YAML that no one writes by hand."""
    asked(folder / "params.yaml", text)


@fuzzed(40)
@given(tree=mutated(STUDIES), keys=mutated(STUDIES, most=2))
def test_spoiled_values_of_a_command_are_refused(folder: Path, tree: Any, keys: Any) -> None:
    """What stands behind --config, and a study as JSON, are held to the same."""
    answered(lambda: made(study.parse(tree, "study")))
    (folder / "params.yaml").write_bytes(dumped(STUDIES[0], 0))
    given = keys if isinstance(keys, dict) else {"grid": keys}
    answered(lambda: made(study.read(folder / "params.yaml", given)))
