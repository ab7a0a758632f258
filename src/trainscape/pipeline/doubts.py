"""Files that are there and are not what was made: a run makes them again.

Snakemake looks at whether files are there. A table may be another study's, brought by a checkout; a
cell may be damaged. Time stamps say nothing of that, hashes do.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import DamagedFileError, MissingFileError
from trainscape.files import make_own
from trainscape.pipeline.kept import remove_damaged
from trainscape.pipeline.stages import STAGES
from trainscape.pipeline.verify import faults
from trainscape.results.seen import Seen

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout

LISTED = 20  # files that are named
STORE = Path(".snakemake/trainscape/files.json")


def doubts(layout: Layout) -> frozenset[str]:
    """The files that are to be made again; they are named on stderr, with what is wrong with them.

    A damaged round of a search is removed, and so is a file of finalists: what they name is read
    before jobs are known. Where one is missing it is not known which cells are the study's, and the
    training's stamp, which stands for them all, is to be made again.

    Raises:
        UserError: a file cannot be read.
    """
    seen = Seen(STORE)
    found: dict[str, str] = {}
    for error in faults(layout, seen):
        if isinstance(error, DamagedFileError):
            found.setdefault(error.path, error.why)
        elif not isinstance(error, MissingFileError):  # those are Snakemake's to find
            raise error
    seen.save()
    for path, why in list(found.items())[:LISTED]:
        print(f"trainscape: {path} {why} and is to be made again", file=sys.stderr)
    if len(found) > LISTED:
        more = f"{len(found) - LISTED:,} more files are to be made again"
        print(f"trainscape: {more}; 'trainscape verify' lists them", file=sys.stderr)
    for line in list(remove_damaged(Path(), found))[:LISTED]:
        print(f"trainscape: {line}", file=sys.stderr)
    naming = {*layout.all_rounds, *layout.finalists.values()}
    for path in naming & found.keys():
        Path(path).unlink(missing_ok=True)
    doubted = found.keys() - naming
    stamp = layout.stamp("train")
    if Path(stamp).exists() and not all(Path(path).exists() for path in naming):
        doubted.add(stamp)
    return frozenset(doubted)


def unprotect(layout: Layout, doubted: frozenset[str], *, forced: bool) -> None:
    """Let what is made again be replaced; its content stays until then.

    Snakemake does not replace a protected file, and DVC protects what it links to its cache.

    Args:
        layout: the study.
        doubted: files that are made again though they are there.
        forced: whether all is made again.
    """
    again = forced
    for stage in STAGES:
        files = [*layout.targets(stage), *(layout.trained if stage == "train" else ())]
        # what comes after anything that is made is made again, too
        again = again or not all(Path(file).exists() and file not in doubted for file in files)
        for file in files:
            if forced or file in doubted or (again and stage != "train"):
                make_own(Path(file))


def remove_dead_links(layout: Layout) -> None:
    """Remove links that lead nowhere from where the study's files are to be.

    They are what is left when DVC's cache is moved. Snakemake takes them for files.
    """
    files = [Path(file) for file in [*layout.targets(*STAGES), *layout.trainable]]
    places = {place for file in files for place in (file, *file.parents) if place != Path()}
    for place in sorted(places):  # folders first
        if place.is_symlink() and not place.exists():
            with suppress(OSError):  # then Snakemake says so
                place.unlink()
