"""What Snakemake assumes of files and locks, and what holds here."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import snakemake.api  # loads the others in an order that works
from snakemake.persistence.file import FilePersistence

from trainscape.pipeline import assumptions

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def workflow(*, runs: bool) -> Any:
    """As much of a workflow of Snakemake's as is changed."""
    settings = SimpleNamespace(keep_incomplete=False) if runs else None
    dag = SimpleNamespace(ignore_incomplete=False)
    return SimpleNamespace(dag=dag, execution_settings=settings, persistence=FilePersistence())


def test_snakemake_has_what_is_changed() -> None:
    """A new version of Snakemake that calls these otherwise would go its own way in silence."""
    assert asyncio.iscoroutinefunction(snakemake.dag.DAG.check_output_mtime)
    assert "ignore_incomplete" in snakemake.dag.DAG.__init__.__code__.co_varnames
    assert "_lockfile" in vars(FilePersistence())


def test_a_run_removes_its_own_locks_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two studies that ends leaves the lock of the other; `--unlock` takes all."""
    monkeypatch.chdir(tmp_path)
    first, second = workflow(runs=True), workflow(runs=True)
    for number, each in enumerate((first, second)):
        assumptions.drop(each)
        each.persistence._write_locks("input", ["data"])
        each.persistence._write_locks("output", [f"results-{number}"])
    locks = tmp_path / ".snakemake/locks"
    first.persistence.unlock()
    left = {path.read_text() for path in locks.iterdir()}
    assert left == {"data\n", "results-1\n"}
    unlocking = workflow(runs=False)
    assumptions.drop(unlocking)
    unlocking.persistence.cleanup_locks()
    assert not locks.exists()


def test_dates_and_marks_say_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the end of a job: what it has made by then stays."""
    monkeypatch.chdir(tmp_path)
    changed = workflow(runs=True)
    assumptions.drop(changed)
    assert asyncio.run(changed.dag.check_output_mtime(None, ["results/a"])) is None
    assert changed.dag.ignore_incomplete
    assert changed.execution_settings.keep_incomplete
