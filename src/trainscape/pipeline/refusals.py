"""What a run of Snakemake is refused for, each in one line."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NoReturn

from snakemake.exceptions import WorkflowError
from snakemake.io import regex_from_filepattern
from snakemake.logging import logger

from trainscape.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from snakemake.workflow import Workflow


def check_place(root: Path) -> None:
    """Refuse a folder whose path Snakemake cannot look for its locks in.

    Raises:
        UserError: the path has braces around what is no name.
    """
    try:
        re.compile(regex_from_filepattern(str(root)))
    except (re.error, WorkflowError) as error:
        raise UserError(
            f"{root}: Snakemake takes braces in a path for wildcards and stops at these ({error}); "
            "give the folder a name without"
        ) from error


def refuse_options(workflow: Workflow) -> None:
    """End the run, in one line, where an option would say "done" and do something else."""
    batch = workflow.dag_settings.batch
    if workflow.touch:
        why = "--touch: time stamps decide nothing here, so there is nothing to touch; run without"
    elif batch is not None and batch.rulename != "settle_cells":
        part = f"{batch.idx}/{batch.batches}"
        why = (
            f"--batch: '{batch.rulename}={part}' would train all cells; 'settle_cells={part}' "
            "trains a part of them"
        )
    else:
        return
    refuse(why)


def refuse(why: str) -> NoReturn:
    """End the run while rules are read: an exception would be shown with a traceback."""
    logger.error(f"trainscape: {why}")
    sys.exit(2)
