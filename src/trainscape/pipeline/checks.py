"""What a study may not ask for, beside its grid: an output folder, figures, an article's claim."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.errors import UserError, shown, unknown
from trainscape.registry import NAME, NAME_HOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.cells.cell import Cell
    from trainscape.study import Study


def check_output(output: str, data: Path) -> Path:
    """The folder of a study's results.

    Args:
        output: as the study names it.
        data: the folder of the datasets, which is none for results.

    Raises:
        UserError: it is no folder inside the project, or has a name that is not allowed.
    """
    parts = Path(output).parts
    if parts and parts[0] == str(data):
        raise UserError(f"output: {shown(output)} is the folder of datasets; choose 'results'")
    if not parts or ".." in parts or Path(output).is_absolute():
        raise UserError(
            f"output: {shown(output)} is no folder inside the project; choose one, such as "
            "'results'"
        )
    for part in parts:
        if not NAME.fullmatch(part):
            raise UserError(
                f"output: {shown(output)}: {shown(part)} is no name for a folder of results; "
                f"choose {NAME_HOLDS}"
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


def check_article(study: Study, cells: Sequence[Cell]) -> None:
    """Refuse an article whose claim is about what the study does not have.

    Raises:
        UserError: names the value, and what it may be.
    """
    if not study.article:
        return
    axes = [
        [cell.optimizer.label for cell in cells],
        [cell.schedule.label for cell in cells],
        [str(cell.batch_size) for cell in cells],
    ]
    than = study.article.than
    if than is not None:  # both sides are of one axis
        _one_of("article.than", than, axes)
        axes = [axis for axis in axes if str(than) in axis][:1]
    for name in study.article.of:
        _one_of("article.of", name, axes)


def _one_of(where: str, name: object, axes: Sequence[Sequence[str]]) -> None:
    known = list(dict.fromkeys(value for axis in axes for value in axis))
    if str(name) not in known:
        raise unknown(where, name, known)


def _keeping_path() -> list[str]:
    """The workloads that record their parameters."""
    return [name for name in workloads.registry.names() if workloads.registry.get(name).path]
