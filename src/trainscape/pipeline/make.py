"""Run one stage: make its products, remove what left the study, and stamp what is there."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import UserError, unknown
from trainscape.figures.names import TIMED
from trainscape.files import remove_left_behind, sweep
from trainscape.pipeline.stages import STAMPED, made_from, stamped
from trainscape.pipeline.verify import unsettled
from trainscape.results.stamps import changes, remove_other_stamps, write_stamp

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout

# The stages that ``trainscape make`` knows, each a file of this folder; settle ends the training.
STAGES = (
    *("settle", "throughput", "collect", "replay"),
    *("answer", "figures", "timings", "report"),
)


def make(
    layout: Layout,
    stage: str,
    cores: int = 1,
    benchmarks: Path | None = None,
    awaited: str | None = None,
) -> None:
    """Make a stage's products from the files of the stages before it.

    Args:
        layout: the study.
        stage: its name.
        cores: how many processes the replay may use.
        benchmarks: the step times that the throughput's record is made from.
        awaited: the stamp or record that the caller waits for.

    Raises:
        UserError: there is no such stage, a file that it reads is missing or damaged, or what would
            be made is not what the caller waits for.
    """
    if stage not in STAGES:
        raise unknown("stage", stage, STAGES)
    ends = layout.throughput if stage == "throughput" else layout.stamp(_stamped_name(stage))
    if awaited not in (None, ends):
        raise UserError(
            f"{awaited}: a plugin or the source has changed since the run began; run again"
        )
    _check_what_is_read(layout, stage)
    module = import_module(f"trainscape.pipeline.{stage}")  # each loads the libraries that it needs
    if stage == "replay":
        module.make(layout, cores)
    elif stage == "throughput":
        module.make(layout, benchmarks)
    else:
        module.make(layout)
    if stage in ("figures", "timings"):
        _remove_old_figures(layout, stage)
    if stage == "report":
        remove_left_behind(layout.output.glob(".*.tmp"))
    if stage != "throughput":  # whose file's name says all
        _write_stamp(layout, _stamped_name(stage))


def _stamped_name(stage: str) -> str:
    """The stage whose stamp a stage writes."""
    return "train" if stage == "settle" else stage


def _check_what_is_read(layout: Layout, stage: str) -> None:
    """Refuse to read tables or figures that are not those of the study; cells hold checksums.

    Where it is not known yet which cells are the study's, a table would leave some out.

    Raises:
        UserError: names the first file that is missing or was changed.
    """
    if stage in ("settle", "collect"):
        for error in unsettled(layout):
            raise error
    for before in STAMPED[stage].reads if stage in STAMPED else ():
        if before in stamped(layout):
            stamp, files = Path(layout.stamp(before)), layout.stamped_files(before)
            sources = made_from(layout, before) if before != "train" else ()
            for error in changes(stamp, files, sources=sources):
                raise error


def _write_stamp(layout: Layout, stage: str) -> None:
    """Stamp a stage's products."""
    stamp = Path(layout.stamp(stage))
    write_stamp(stamp, layout.stamped_files(stage), made_from(layout, stage))
    remove_other_stamps(stamp)


def _remove_old_figures(layout: Layout, stage: str) -> None:
    """Remove figures and tables that left the study, of a stage's kinds: another may be drawing."""
    keep = set(map(Path, layout.products(stage)))
    for folder in (layout.output / "figures").glob("*/*"):
        if (folder.name in TIMED) == (stage == "timings"):
            sweep(folder, "*.*", keep)
            for empty in (folder, folder.parent):
                with suppress(OSError):  # it is not
                    empty.rmdir()
