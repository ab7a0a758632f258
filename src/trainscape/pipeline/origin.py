"""What a result was made from, by what lies beside it: its folder's study, its stamp, its name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trainscape.errors import DamagedFileError, printable
from trainscape.hashing import SHORT, file_sha256
from trainscape.numerals import counted
from trainscape.results import finalists
from trainscape.results.cell_files import read_cell
from trainscape.results.owner import MARKER, owner
from trainscape.results.stamps import read_stamp
from trainscape.sealed import read_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trainscape.results.cell_files import CellRecord

CELLS = ("cells", "range", "confirm")  # folders of cells in an output folder
SEALED = {  # other folders of files that say by themselves whether they are as they were made
    "throughput": "the stage throughput of study {study!r}, which times steps here: {file}",
    finalists.FOLDER: "'trainscape choose' for study {study!r}, which names the finalists of {of}",
    "search": "'trainscape propose' for study {study!r}, which names a round's cells of {of}",
}


@dataclass(frozen=True)
class Origin:
    """What is known of a result's making.

    Args:
        words: a line on it.
        whole: whether the file is as it was made; None where nothing says.
    """

    words: str
    whole: bool | None = None


def origin(path: Path) -> Origin:
    """What a result was made from.

    Args:
        path: a file that is there.
    """
    found = _found(path)
    return replace(found, words=printable(found.words))  # a stranger's file may say anything


def _found(path: Path) -> Origin:
    whole_path = path.resolve()
    output = next((p for p in whole_path.parents if (p / MARKER).is_file()), None)
    if output is None:
        return Origin("it lies in no study's results, so nothing says what it was made from")
    study = owner(output)
    kind = whole_path.relative_to(output).parts[0]
    try:
        if kind in CELLS:
            made = read_cell(whole_path)
            spec = made.spec
            named = (
                f"{spec['workload']} {spec['optimizer']['name']} batch {spec['batch_size']} "
                f"lr {spec['lr']} {spec['schedule']['name']}, {len(spec['seeds'])} seeds"
            )
            return Origin(
                f"made by the stage train of study {study!r}: {named}, "
                f"digest {made.digest[:SHORT]}, by torch {made.identity['torch']} "
                f"on {made.backend}; {_carried(made)}the file is as it was made",
                whole=True,
            )
        if kind in SEALED:
            read_sealed(whole_path)
            words = SEALED[kind].format(study=study, file=path.stem, of=whole_path.parent.name)
            return Origin(f"made by {words}; the file is as it was made", whole=True)
    except DamagedFileError as error:
        return Origin(f"it lies in the results of study {study!r}, but {error.why}", whole=False)
    for stage, digest, sha in _stamped(output, whole_path):
        whole = sha == file_sha256(whole_path)
        how = "the file is as it was made" if whole else "the file was changed after it was made"
        return Origin(
            f"made by the stage {stage} of study {study!r}, digest {digest}; {how}", whole=whole
        )
    return Origin(f"it lies in the results of study {study!r}, but no stage's stamp names it")


def _carried(made: CellRecord) -> str:
    """What is to be known of trials that other code has made; empty of a trained cell."""
    return "".join(
        f"{counted(len(mark.seeds), 'seed')} carried over by sampling from digest "
        f"{mark.digest[:SHORT]} of torch {mark.identity['torch']}, as "
        f"{counted(len(mark.retrained), 'retrained cell')} had the same numbers; "
        for mark in made.carried
    )


def _stamped(output: Path, path: Path) -> Iterator[tuple[str, str, str]]:
    """The stage, digest and hash of every stamp that names a file."""
    for stamp in sorted((output / ".made").glob("*/*")):
        try:
            stated = read_stamp(stamp)
        except OSError:
            continue
        for name, sha in stated.made.items() if stated else ():
            # names are relative to the project, which is above the output folder
            if any((above / name) == path for above in output.parents):
                yield stamp.parent.name, stamp.name, sha
