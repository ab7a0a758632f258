"""What a result was made from, by what lies beside it: its folder's study, its stamp, its name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.errors import DamagedFileError
from trainscape.hashing import file_sha256
from trainscape.results.cell_files import read_cell
from trainscape.sealed import read_sealed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CELLS = ("cells", "range", "confirm")  # folders of cells in an output folder
SEALED = "throughput"
MARKER = ".study"  # in an output folder: the name of its study


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
    whole_path = path.resolve()
    output = next((p for p in whole_path.parents if (p / MARKER).is_file()), None)
    if output is None:
        return Origin("it lies in no study's results, so nothing says what it was made from")
    study = (output / MARKER).read_text(encoding="utf-8", errors="replace").strip()
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
                f"made by the stage train of study {study!r}: {named}, digest {made.digest[:12]}, "
                f"by torch {made.identity['torch']} on {made.backend}; the file is as it was made",
                whole=True,
            )
        if kind == SEALED:
            read_sealed(whole_path)
            return Origin(
                f"made by the stage throughput of study {study!r}, which times steps on this "
                f"machine: {path.stem}; the file is as it was made",
                whole=True,
            )
    except DamagedFileError as error:
        return Origin(f"it lies in the results of study {study!r}, but {error.why}", whole=False)
    for stage, digest, sha in _stamped(output, whole_path):
        whole = sha == file_sha256(whole_path)
        how = "the file is as it was made" if whole else "the file was changed after it was made"
        return Origin(
            f"made by the stage {stage} of study {study!r}, digest {digest}; {how}", whole=whole
        )
    return Origin(f"it lies in the results of study {study!r}, but no stage's stamp names it")


def _stamped(output: Path, path: Path) -> Iterator[tuple[str, str, str]]:
    """The stage, digest and hash of every stamp that names a file."""
    for stamp in sorted((output / ".made").glob("*/*")):
        try:
            made = json.loads(stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        for name, sha in made.items() if isinstance(made, dict) else ():
            # names are relative to the project, which is above the output folder
            if any((above / name) == path for above in output.parents):
                yield stamp.parent.name, stamp.name, sha
