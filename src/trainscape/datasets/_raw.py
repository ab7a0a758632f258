"""Raw files as they were published: found where they lie, or downloaded, and never used unchecked.

A file is known by the md5 or sha256 of its content. It is taken from the first place that has it
whole: the raw folder; the user's folder; a mirror, or else the public servers. A damaged file is
named on stderr and passed over, and replaced where it lies in the raw folder.
"""

from __future__ import annotations

import gzip
import hashlib
import socket
import sys
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING

from trainscape.errors import UserError
from trainscape.files import remove_left_behind, replacing, scratch_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from trainscape.datasets._base import Raw

TIMEOUT = 30.0  # seconds without a byte, after which a server counts as gone
MOST = 4 << 30  # bytes of a file, unpacked: what is larger would only fill the memory
HASHES = {32: "md5", 64: "sha256"}  # by their hex digits
# what a download raises: no network, no such file, cut off, not the published package
FAILURES = (OSError, RuntimeError, ValueError, EOFError, zlib.error, HTTPException)


@dataclass(frozen=True)
class Published:
    """The files of a dataset.

    Args:
        name: the dataset's name.
        files: their names and hashes. Of a name without ``.gz`` it is the unpacked content's, and a
            packed file will do, too.
        home: where they are kept, below the raw folder.
        servers: the URLs to download from where there is no mirror.
        download: brings what is at a URL below a folder; returns where the files then lie.
        file: what stands behind a mirror's URL; by default nothing, as ``download`` adds names.
    """

    name: str
    files: Mapping[str, str]
    home: str
    servers: Callable[[], Sequence[str]]
    download: Callable[[str, Path], Path]
    file: str = ""


def obtain(published: Published, raw: Raw) -> Path:
    """Bring all files to their home; returns it.

    Raises:
        UserError: a file can be had from no place; says how to bring it.
    """
    home = raw.folder / published.home
    remove_left_behind(home.glob(".*.tmp"))
    places = [home, *_places_below(published, raw.source)]
    missing = [file for file in published.files if not _bring(published, file, home, places)]
    if missing:
        _download_missing(published, missing, home, raw)
    return home


def _places_below(published: Published, source: Path | None) -> list[Path]:
    """Where files may lie in the user's folder: itself last, as datasets share file names."""
    if source is None:
        return []
    if not source.is_dir():
        raise UserError(f"--from (or TRAINSCAPE_RAW): no folder {str(source)!r}")
    return list(dict.fromkeys([source / published.name, source / published.home, source]))


def _bring(published: Published, file: str, home: Path, places: Sequence[Path]) -> bool:
    """Whether ``file`` is whole in ``home`` now, if need be taken from the first of ``places``."""
    names = [file] if file.endswith(".gz") else [file, f"{file}.gz"]
    for path in (place / name for place in places for name in names):
        unpack = path.name != file
        content = _content_if_whole(path, published.files[file], unpack) if path.is_file() else None
        if content is not None:
            if path != home / file:
                with replacing(home / file) as out:
                    out.write(content)
            return True
    return False


def _content_if_whole(path: Path, wanted: str, unpack: bool) -> bytes | None:
    """The content of ``path``, or None, with a line on stderr, where it is damaged."""
    try:
        with gzip.open(path) if unpack else path.open("rb") as file:
            content = file.read(MOST + 1)
        if len(content) > MOST:
            raise OSError(f"it holds more than {MOST} bytes")
    except (OSError, EOFError, zlib.error) as error:
        print(f"{path} is damaged or incomplete ({error}); not used", file=sys.stderr)
        return None
    kind = HASHES[len(wanted)]
    found = hashlib.new(kind, content, usedforsecurity=False).hexdigest()
    if found != wanted:
        print(
            f"{path} is damaged or incomplete ({len(content)} bytes{' unpacked' * unpack}, {kind} "
            f"{found}, published {wanted}); not used",
            file=sys.stderr,
        )
        return None
    return content


def _download_missing(published: Published, missing: list[str], home: Path, raw: Raw) -> None:
    """Download the missing files to ``home`` from the first server that has them whole."""
    problems = []
    for server in _servers(published, raw.mirror):
        try:
            # a folder of its own, so that `home` holds only what has been checked
            with scratch_folder(raw.folder) as scratch:
                problem, got = _download(published, server, scratch)
                missing = [file for file in missing if not _bring(published, file, home, got)]
        except OSError as error:
            raise UserError(f"{raw.folder} cannot be written: {error.strerror}") from error
        if not missing:
            return
        problems.append(f"{server}: {problem or 'not the published content'}")
    raise UserError(
        f"dataset {published.name!r}: cannot download {', '.join(missing)} "
        f"({'; '.join(problems)}); copy the files to {home}, or name their folder by --from or "
        "TRAINSCAPE_RAW, or another server by --mirror or TRAINSCAPE_MIRROR"
    )


def _servers(published: Published, mirror: str | None) -> Sequence[str]:
    """The URLs to try: the mirror's folder of the dataset's name and itself, or the public ones."""
    if mirror is None:
        return published.servers()
    if not mirror.startswith(("http://", "https://")):
        raise UserError(
            f"--mirror (or TRAINSCAPE_MIRROR): {mirror!r} is no URL; write it as 'https://host/folder'"
        )
    base = mirror.rstrip("/")
    return [f"{base}/{published.name}/{published.file}", f"{base}/{published.file}"]


def _download(published: Published, server: str, scratch: Path) -> tuple[str | None, list[Path]]:
    """Download below ``scratch``: what went wrong, or None, and where files may lie now."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # the libraries set none: a silent server would hang the job
    try:
        return None, [published.download(server, scratch)]
    except FAILURES as error:
        said = str(error).strip() or type(error).__name__
        return said.splitlines()[-1], [path for path in scratch.rglob("*") if path.is_dir()]
    finally:
        socket.setdefaulttimeout(before)


def single(file: str) -> Callable[[str, Path], Path]:
    """A download of one file, under the name ``file``, by torch; with a bar on a terminal."""

    def download(url: str, folder: Path) -> Path:
        from torch.hub import download_url_to_file

        download_url_to_file(url, str(folder / file), progress=sys.stderr.isatty())
        return folder

    return download
