"""What a study may not ask for, beside its grid: an output folder, figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.errors import UserError
from trainscape.study.values import WORD

if TYPE_CHECKING:
    from trainscape.study import Study


def check_output(output: str, data: Path) -> Path:
    """The folder of a study's results.

    Args:
        output: as the study names it.
        data: the folder of the datasets, which is none for results.

    Raises:
        UserError: it is no folder inside the project.
    """
    parts = Path(output).parts
    if not parts or parts[0] == str(data) or not all(map(WORD.fullmatch, parts)):
        raise UserError(
            f"output: {output!r} is no folder inside the project; choose letters, "
            "digits, '.', '_' and '-', such as 'results'"
        )
    return Path(output)


def check_figures(study: Study) -> None:
    """Refuse figures for which the study records nothing.

    Raises:
        UserError: names the figure and the key that it needs.
    """
    if "trace" in study.figures and not study.trace_every:
        raise UserError("figures: 'trace' needs training losses; set trace_every above 0")
    if "batch-table" in study.figures and not study.throughput.enabled:
        raise UserError("figures: 'batch-table' needs step times; set throughput.enabled to true")
    for kind in {"path", "decay"} & set(study.figures):
        for name in study.workloads:
            if not workloads.registry.get(name).path:
                raise UserError(
                    f"figures: {kind!r} needs workloads that keep their path; remove it or "
                    f"{name!r}, or choose from {', '.join(_keeping_path())}"
                )


def _keeping_path() -> list[str]:
    """The workloads that record their parameters."""
    return [name for name in workloads.registry.names() if workloads.registry.get(name).path]
