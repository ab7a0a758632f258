"""Image datasets that torchvision downloads as four idx files: MNIST and its kin.

The unpacked files are kept where torchvision looks for them, ``data/raw/MNIST/raw/``, and known by
the md5 of their content. torchvision itself checks the packed files only, and only on download: it
would go on to train on an unpacked file that was cut short.
"""

from __future__ import annotations

import gzip
import hashlib
import socket
import sys
import zlib
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from trainscape.datasets._base import Arrays, Raw
from trainscape.errors import UserError
from trainscape.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

TIMEOUT = 30.0  # seconds without a byte, after which a server counts as gone


def idx_images(name: str, kind: str, md5: Mapping[str, str], raw: Raw) -> Arrays:
    """The arrays of an idx dataset: from files that are there, else by torchvision's download.

    Each file is taken from the first place that has it whole, unpacked or ``.gz``: the raw folder;
    ``raw.source`` (in it ``<name>/``, ``<kind>/raw/``, or itself); the mirror, or else
    torchvision's own. A damaged file is named on stderr and passed over, and replaced where it
    lies in the raw folder.

    Args:
        name: the dataset's name, such as ``mnist``.
        kind: torchvision's class, such as ``MNIST``.
        md5: the unpacked files and their md5: training images and labels, test images and labels.
        raw: where to look.

    Raises:
        UserError: a file can be had from none of them; says how to bring it.
    """
    home = raw.folder / kind / "raw"
    places = [home, *_source_folders(name, kind, raw.source)]
    missing = [file for file in md5 if not _bring(file, md5[file], home, places)]
    if missing:
        _fetch(name, kind, {file: md5[file] for file in missing}, home, raw)
    x_train, y_train, x_test, y_test = (_parse((home / file).read_bytes()) for file in md5)
    return Arrays(x_train, y_train.astype("int64"), x_test, y_test.astype("int64"))


def _source_folders(name: str, kind: str, source: Path | None) -> list[Path]:
    """Where files may lie in the user's folder: itself last, as idx datasets share file names."""
    if source is None:
        return []
    if not source.is_dir():
        raise UserError(f"--from (or TRAINSCAPE_RAW): no folder {str(source)!r}")
    return [source / name, source / kind / "raw", source]


def _bring(file: str, md5: str, home: Path, places: list[Path]) -> bool:
    """Whether ``file`` is whole in ``home`` now, if need be taken from the first of ``places``."""
    for path in (place / (file + suffix) for place in places for suffix in ("", ".gz")):
        if path.is_file() and (content := _whole(path, md5)) is not None:
            if path != home / file:
                with replacing(home / file) as out:
                    out.write(content)
            return True
    return False


def _whole(path: Path, md5: str) -> bytes | None:
    """The unpacked content of ``path``, or None, with a line on stderr, where it is damaged."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        print(f"{path} is damaged or incomplete ({error}); not used", file=sys.stderr)
        return None
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        print(
            f"{path} is damaged or incomplete ({len(content)} bytes unpacked, md5 {found}, "
            f"published {md5}); not used",
            file=sys.stderr,
        )
        return None
    return content


def _fetch(name: str, kind: str, md5: Mapping[str, str], home: Path, raw: Raw) -> None:
    """Download the files of ``md5`` to ``home`` from the first server that has them whole."""
    missing, problems = list(md5), []
    for mirror in _mirrors(name, kind, raw.mirror):
        try:
            raw.folder.mkdir(parents=True, exist_ok=True)
            # a folder of its own, so that `home` holds only what has been checked
            with TemporaryDirectory(dir=raw.folder, prefix=".download-") as scratch:
                problem = _download(kind, mirror, Path(scratch))
                got = [Path(scratch) / kind / "raw"]
                missing = [file for file in missing if not _bring(file, md5[file], home, got)]
        except OSError as error:
            raise UserError(f"{raw.folder} cannot be written: {error.strerror}") from error
        if not missing:
            return
        problems.append(f"{mirror}: {problem or 'not the published content'}")
    raise UserError(
        f"dataset {name!r}: cannot download {', '.join(missing)} ({'; '.join(problems)}); "
        f"copy the files to {home}, or name their folder by --from or TRAINSCAPE_RAW, "
        "or another server by --mirror or TRAINSCAPE_MIRROR"
    )


def _mirrors(name: str, kind: str, mirror: str | None) -> list[str]:
    """The URLs to try: the mirror's folder of the dataset's name and itself, or torchvision's."""
    if mirror is None:
        from torchvision import datasets

        public: list[str] = getattr(datasets, kind).mirrors
        return public
    if not mirror.startswith(("http://", "https://")):
        raise UserError(
            f"--mirror (or TRAINSCAPE_MIRROR): {mirror!r} is no URL; write it as 'https://host/folder'"
        )
    base = mirror.rstrip("/")
    return [f"{base}/{name}/", f"{base}/"]


def _download(kind: str, mirror: str, root: Path) -> str | None:
    """Let torchvision download the dataset below ``root``; returns what went wrong, or None."""
    from torchvision import datasets

    # torchvision names its folder after the class, and takes the servers from it
    fetch: Any = type(kind, (getattr(datasets, kind),), {"mirrors": [mirror]})
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torchvision sets none: a silent server would hang the job
    try:
        fetch(root, train=False, download=True)
    except (OSError, RuntimeError, ValueError, EOFError, zlib.error, HTTPException) as error:
        return (str(error).strip() or type(error).__name__).splitlines()[-1]
    finally:
        socket.setdefaulttimeout(before)
    return None


def _parse(content: bytes) -> NDArray[np.uint8]:
    """An idx file's array: two zero bytes, the type (8: uint8), the rank, the shape, the values."""
    import numpy as np

    rank = content[3]
    shape = np.frombuffer(content, ">u4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
