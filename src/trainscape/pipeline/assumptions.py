"""What Snakemake takes for granted of files, and what does not hold in a study.

It takes the date of a file for a sign of what was made from what, and a file that a job left when
it failed for one that may be half-written. Here every file is written whole or not at all, and
holds or has a hash, which is compared before a run (:mod:`trainscape.pipeline.doubts`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.persistence.file import FilePersistence

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def drop(workflow: Workflow) -> None:
    """Let whole files count as finished, whatever their dates, and whatever became of their jobs.

    A run also leaves the locks of others where they are.

    Args:
        workflow: Snakemake's, whose jobs are being listed.
    """
    # A job whose input is dated later than its output would fail, and what it made be deleted: one
    # machine's clock is ahead of another's, or goes back while a run goes on.
    workflow.dag.check_output_mtime = _disregard
    # Marks that a file is incomplete outlive a killed run, and lag behind the files.
    workflow.dag.ignore_incomplete = True
    if workflow.execution_settings is None:  # it is no run, but --unlock or the like
        return
    # A process that was killed after it had made a file has made it.
    workflow.execution_settings.keep_incomplete = True
    # The first of several runs that ends would remove the locks of all.
    if isinstance(workflow.persistence, FilePersistence):
        workflow.persistence._delete_locks = partial(_remove_own_locks, workflow.persistence)


async def _disregard(_job: Any, _outputs: Any) -> None:
    """Say nothing of files' dates."""


def _remove_own_locks(persistence: FilePersistence) -> None:
    """Remove the locks that this run has written."""
    for lock in persistence._lockfile.values():
        Path(lock).unlink(missing_ok=True)
    persistence._lockfile.clear()
