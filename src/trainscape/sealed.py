"""JSON files that hold a checksum of all else in them, so that damage and edits are found."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from trainscape.errors import DamagedFileError, MissingFileError, UserError
from trainscape.files import write_text
from trainscape.hashing import canonical, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SEAL = re.compile(r'"checksum":"([0-9a-f]{64})",?')


def write_sealed(path: Path, body: Mapping[str, Any]) -> None:
    """Write ``body`` with its checksum at once or not at all.

    Args:
        path: the file.
        body: JSON without NaN; it has no key ``checksum``.
    """
    write_text(path, canonical({**body, "checksum": sha256(body)}) + "\n")


def read_sealed(path: Path) -> dict[str, Any]:
    """What :func:`write_sealed` wrote, its checksum left out; layout and order are free to differ.

    Raises:
        DamagedFileError: it is not whole, or was edited.
        MissingFileError: it is not there.
        UserError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        body = json.loads(text)
        checksum = body.pop("checksum")
        # NaN, which Python's JSON reader takes, is a ValueError here
        whole = _as_written(text, checksum) or checksum == sha256(body)
    except FileNotFoundError:
        raise MissingFileError(path) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFileError(path, f"is not a whole file ({type(error).__name__})") from None
    if not whole:
        raise DamagedFileError(path, "was edited (its checksum differs)")
    return dict(body)


def _as_written(text: str, checksum: str) -> bool:
    """Whether a text is what :func:`write_sealed` wrote, to the byte.

    To put a thousand cells into canonical JSON again takes most of a second.
    """
    found = SEAL.search(text)
    if found is None or found[1] != checksum:
        return False
    body = (text[: found.start()] + text[found.end() :]).removesuffix("\n")
    return hashlib.sha256(body.encode()).hexdigest() == checksum
