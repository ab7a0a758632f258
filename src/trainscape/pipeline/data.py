"""Make datasets: arrays with a pinned hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import datasets
from trainscape.files import remove_left_behind, sweep
from trainscape.hashing import SHORT
from trainscape.pipeline.layout import DATA, Layout, data_stamp
from trainscape.results.stamps import write_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def make(
    layout: Layout,
    names: Sequence[str] = (),
    source: Path | None = None,
    mirror: str | None = None,
) -> None:
    """Make datasets, by default the study's; damaged ones are replaced.

    Args:
        layout: the study, whose plugins may bring datasets.
        names: the datasets.
        source: a folder that holds the raw files, if they are not to be downloaded.
        mirror: a URL to download from instead of the public ones.
    """
    remove_left_behind(layout.data.glob(".*.tmp"))
    for name in names or layout.datasets:
        path = datasets.prepare(name, DATA, DATA / "raw", source, mirror)
        print(path)
        stamp = data_stamp(name)
        sweep(stamp.parent, f"{name}-{SHORT * '?'}", keep=[stamp])
        write_stamp(stamp, [str(path)])
