"""A stage's stamp: the file that says which study the products of a stage are of.

The stamp's name holds the digest of all that decides the products; its content is their hashes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.files import sweep, write_json
from trainscape.hashing import file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def write_stamp(stamp: Path, products: Iterable[str]) -> None:
    """Say that the products are those that the stamp's name stands for; older stamps go.

    Args:
        stamp: the file to write.
        products: files that are all written.
    """
    write_json(stamp, {path: file_sha256(Path(path)) for path in products})
    sweep(stamp.parent, "*", keep=[stamp])


def changed(stamp: Path) -> Iterator[str]:
    """A line for each product that is not as it was when it was stamped."""
    if not stamp.exists():
        yield f"{stamp}: no such stamp; run snakemake to make the stage {stamp.parent.name!r}"
        return
    for name, made in json.loads(stamp.read_text(encoding="utf-8")).items():
        path = Path(name)
        if not path.exists():
            yield f"{path}: is missing; run snakemake to make it"
        elif file_sha256(path) != made:
            yield f"{path}: was changed after it was made; delete it and run snakemake"
