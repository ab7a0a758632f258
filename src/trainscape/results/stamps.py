"""A stage's stamp: the file that says which study the products of a stage are of.

The stamp's name holds the digest of all that decides the products; its content is their hashes.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import DamagedFileError, MissingFileError, UserError
from trainscape.files import sweep, write_json
from trainscape.hashing import file_sha256
from trainscape.results.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def write_stamp(stamp: Path, products: Iterable[str]) -> None:
    """Say that the products are those that the stamp's name stands for.

    Args:
        stamp: the file to write.
        products: files that are all written.
    """
    write_json(stamp, {path: file_sha256(Path(path)) for path in products})


def read_stamp(stamp: Path) -> Mapping[str, str] | None:
    """The hashes of a stage's products, by file as the project names it; None if it is no stamp.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    try:
        made = json.loads(stamp.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None
    return made if isinstance(made, dict) else None


def remove_other_stamps(stamp: Path) -> None:
    """Remove the older stamps of a stage, which has a folder of its own."""
    sweep(stamp.parent, "*", keep=[stamp])


def changes(stamp: Path, products: Iterable[str], seen: Seen | None = None) -> Iterator[UserError]:
    """What is not as it was when it was stamped: an error for each product.

    Args:
        stamp: the stage's.
        products: the stage's files, of which a stamp holds the hashes.
        seen: files that need not be read again.
    """
    seen = seen or Seen()
    try:
        made = read_stamp(stamp)
    except FileNotFoundError:
        yield MissingFileError(stamp)
        return
    except OSError as error:
        yield UserError(f"{stamp}: cannot be read: {error.strerror}")
        return
    if made is None or made.keys() != set(products):
        yield DamagedFileError(stamp, "is no stamp of these files")
        return
    for name, sha in made.items():
        try:
            seen.check(Path(name), sha, partial(_read, sha=sha))
        except UserError as error:
            yield error


def _read(path: Path, sha: str) -> None:
    """Read a product.

    Raises:
        DamagedFileError: it is missing, or not the one with this hash.
        UserError: it cannot be read.
    """
    try:
        if file_sha256(path) != sha:
            raise DamagedFileError(path, "was changed after it was made")
    except FileNotFoundError:
        raise DamagedFileError(path, "is missing") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
