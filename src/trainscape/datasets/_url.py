"""A user's own dataset: one file on a server, known by its sha256, and a function that reads it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from trainscape import source
from trainscape.datasets._base import Arrays, Dataset, Raw, derived, registry
from trainscape.datasets._fit import fitted
from trainscape.datasets._raw import Published, obtain, single
from trainscape.errors import UserError, shown
from trainscape.hashing import is_sha256
from trainscape.user_lines import short

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[Path], Arrays]


def url_dataset(
    name: str, *, url: str, sha256: str, train: int, test: int
) -> Callable[[Read], Read]:
    """Register the decorated function as the reader of a dataset that is one file on a server.

    The file is kept in ``data/raw/<name>/`` under the last part of the URL's path. It is taken from
    there, from the user's folder (``--from``) or from a mirror if it lies there whole, else
    downloaded. What cells know the data by covers ``sha256`` and the source of the reader's file,
    with what it imports from beside it.

    Args:
        name: what workloads call it.
        url: where the file is published.
        sha256: of the file, 64 hex digits.
        train: examples in the training split, known before anything is downloaded.
        test: examples in the test split.

    Raises:
        UserError: the URL or the hash is none.
    """
    file = unquote(PurePosixPath(urlsplit(url).path).name) or name
    if not url.startswith(("http://", "https://")):
        raise UserError(
            f"dataset {name!r}: url {shown(url)} is none; write it as 'https://host/file'"
        )
    if not is_sha256(sha256):
        raise UserError(
            f"dataset {name!r}: sha256 {shown(sha256)} is none; give the 64 hex digits of "
            "`sha256sum`"
        )
    published = Published(name, {file: sha256}, name, lambda: [url], single(file), file)

    def decorate(read: Read) -> Read:
        def make(raw: Raw) -> Arrays:
            path = obtain(published, raw) / file

            def refuse(reason: str) -> UserError:
                return UserError(f"dataset {name!r}: {read.__name__}() of {path}: {reason}")

            return fitted(read(path), refuse)

        plugin = read.__code__.co_filename
        own = {n: h for n, h in source.closure([Path(plugin)]).items() if n.endswith(".py")}
        identity = derived({"file": sha256, "reader": own})
        origin = f"{read.__name__}() in {short(plugin)}"
        entry = Dataset(name, train, test, identity, make, pinned=False, origin=origin)
        registry.add(name, entry, plugin)
        return read

    return decorate
