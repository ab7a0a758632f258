"""A stage's stamp: the file that says which study the products of a stage are of.

The stamp's name holds the digest of all that decides the products. Its content is their hashes and
those of the files that they were made from: what one version of a study brings back does not pass
for what belongs to the files of another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import DamagedFileError, MissingFileError, UserError
from trainscape.files import sweep, write_json
from trainscape.hashing import file_sha256
from trainscape.results.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True)
class Stamp:
    """What a stamp says, by file as the project names it.

    Args:
        made: the hashes of the stage's products.
        source: the hashes of what they were made from.
    """

    made: Mapping[str, str]
    source: Mapping[str, str]


def write_stamp(stamp: Path, products: Iterable[str], sources: Iterable[str] = ()) -> None:
    """Say that the products are those that the stamp's name stands for.

    Args:
        stamp: the file to write.
        products: files that are all written.
        sources: the files that they were made from.

    Raises:
        MissingFileError: a file is not there.
    """
    write_json(stamp, {"made": _hashes(products), "from": _hashes(sources)})


def _hashes(files: Iterable[str]) -> dict[str, str]:
    try:
        return {path: file_sha256(Path(path)) for path in files}
    except FileNotFoundError as error:
        raise MissingFileError(error.filename) from None


def read_stamp(stamp: Path) -> Stamp | None:
    """What a stamp says; None if it is no stamp.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    try:
        found = json.loads(stamp.read_text(encoding="utf-8"))
        made, source = found["made"], found["from"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Stamp(made, source) if isinstance(made, dict) and isinstance(source, dict) else None


def remove_other_stamps(stamp: Path) -> None:
    """Remove the older stamps of a stage, which has a folder of its own."""
    sweep(stamp.parent, "*", keep=[stamp])


def changes(
    stamp: Path, products: Iterable[str], seen: Seen | None = None, sources: Iterable[str] = ()
) -> Iterator[UserError]:
    """What is not as it was when it was stamped: an error for each file.

    Args:
        stamp: the stage's.
        products: the stage's files, of which a stamp holds the hashes.
        seen: files that need not be read again.
        sources: what they were made from; where one is another now, the stamp is wrong.
    """
    seen = seen or Seen()
    try:
        stated = read_stamp(stamp)
    except FileNotFoundError:
        yield MissingFileError(stamp)
        return
    except OSError as error:
        yield UserError(f"{stamp}: cannot be read: {error.strerror}")
        return
    if stated is None or stated.made.keys() != set(products):
        yield DamagedFileError(stamp, "is no stamp of these files")
        return
    for name, sha in stated.made.items():
        try:
            seen.check(Path(name), sha, partial(_read, sha=sha))
        except UserError as error:
            yield error
    other: list[str] = []
    for name in sources:
        try:
            sha = stated.source.get(name, "")
            seen.check(Path(name), sha, partial(_read, sha=sha))
        except DamagedFileError:
            if Path(name).exists():  # what is missing is made first, and this after it
                other.append(name)
        except UserError as error:
            yield error
    if other:
        more = f" and {len(other) - 1:,} more" if len(other) > 1 else ""
        yield DamagedFileError(stamp, f"was made from another {other[0]}{more} than is there")


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
