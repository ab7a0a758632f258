"""What a run leaves, and what of other runs' it removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snakemake_executor_plugin_fuse.records import Records

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_removes_old_runs_folders_but_no_running_one_s(tmp_path: Path) -> None:
    """Five folders are kept, and those of runs that go on, however old they are."""
    going_on = Records(tmp_path)
    going_on.folder.rename(tmp_path / "20200101T000000Z-1")
    for day in range(2, 9):
        (tmp_path / f"2020010{day}T000000Z-1").mkdir()
    new = Records(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f"2020010{day}T000000Z-1" for day in (1, 5, 6, 7, 8)] + [new.folder.name]
