"""Keeping datasets: ``data/<name>.npz`` is written whole and never read unchecked.

Where a dataset is known by what it is made from, the file states that and its own content's hash.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from pathlib import Path

from trainscape.datasets._base import Arrays, Dataset, Raw, registry
from trainscape.datasets._fit import NAMES
from trainscape.errors import UserError
from trainscape.files import replacing

STATED = ("made_from", "content")


class DamagedError(Exception):
    """A file does not hold its dataset's content. Its text is the reason."""


def digest(arrays: Arrays) -> str:
    """The sha256 of the content: name, dtype, shape and bytes of each array, in a fixed order.

    It depends on neither numpy's version, the container, the memory layout nor the byte order.
    """
    import numpy as np

    total = hashlib.sha256()
    for name in NAMES:
        array = np.asarray(getattr(arrays, name))
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        total.update(f"{name} {array.dtype.str} {'x'.join(map(str, array.shape))}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def load(dataset: str | Dataset, folder: Path) -> Arrays:
    """The arrays of ``folder/<name>.npz``, their content checked.

    Raises:
        UserError: the file is missing, truncated or altered; says how to replace it.
    """
    entry = registry.get(dataset) if isinstance(dataset, str) else dataset
    path = folder / f"{entry.name}.npz"
    if not path.exists():
        raise UserError(f"{path} is missing; make it with: trainscape data {entry.name}")
    try:
        return _checked(entry, path)
    except DamagedError as reason:
        raise UserError(
            f"{path} {reason}; replace it with: trainscape data {entry.name}"
        ) from reason


def prepare(
    name: str,
    folder: Path,
    raw: Path,
    source: Path | None = None,
    mirror: str | None = None,
    *,
    afresh: bool = False,
) -> Path:
    """Make ``folder/<name>.npz``, unless it is there and right: then it is not touched.

    Args:
        name: the dataset.
        folder: where datasets are kept (``data``).
        raw: where raw files are kept (``data/raw``).
        source: a folder that holds the raw files; by default what ``TRAINSCAPE_RAW`` names.
        mirror: a URL to download from; by default what ``TRAINSCAPE_MIRROR`` names.
        afresh: whether to write a file with the right content again, to the byte.

    Returns:
        The file.

    Raises:
        UserError: no such dataset, its raw files cannot be had, or what was made from them is not
            the pinned content.
    """
    entry = registry.get(name)
    path = folder / f"{name}.npz"
    if path.exists():
        try:
            arrays = _checked(entry, path)
            if afresh:
                _write(arrays, _stated(entry, arrays), path)
            return path
        except DamagedError as reason:
            print(f"{path} {reason}; it is made again", file=sys.stderr)
    if source is None and (named := os.environ.get("TRAINSCAPE_RAW")):
        source = Path(named)
    mirror = mirror or os.environ.get("TRAINSCAPE_MIRROR") or None
    arrays = entry.made(Raw(raw, source, mirror))
    made = digest(arrays)
    if entry.pinned and made != entry.sha256:
        raise UserError(
            f"dataset {name!r}: what was made has the content hash {made}, "
            f"not the pinned {entry.sha256}; {path} is not written"
        )
    for split, wanted in (("train", entry.train), ("test", entry.test)):
        found = len(getattr(arrays, f"y_{split}"))
        if found != wanted:
            raise UserError(f"dataset {name!r}: has {found} {split} examples, not {wanted}")
    _write(arrays, _stated(entry, arrays), path)
    return path


def _stated(entry: Dataset, arrays: Arrays) -> dict[str, str]:
    """What the file of a dataset states beside its arrays, where its content is not pinned."""
    return {} if entry.pinned else {"made_from": entry.sha256, "content": digest(arrays)}


def _write(arrays: Arrays, stated: dict[str, str], path: Path) -> None:
    """Write the arrays and what is stated of them, equal content as equal bytes, on any machine."""
    import numpy as np

    # Not compressed: deflate's output differs between builds of zlib, so the file's hash in
    # dvc.lock would change with the machine. The container's dates are constant (1980).
    with replacing(path) as file:
        np.savez(file, **{name: getattr(arrays, name) for name in NAMES}, **stated)  # type: ignore[arg-type]


def _checked(entry: Dataset, path: Path) -> Arrays:
    """The arrays in ``path``.

    Raises:
        DamagedError: it does not hold the dataset's content.
        UserError: it cannot be read at all.
    """
    import numpy as np

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = Arrays(*(file[name] for name in NAMES))
            stated = {name: str(file[name]) for name in (() if entry.pinned else STATED)}
        hashed = digest(arrays)
    except MemoryError:
        raise  # which says nothing of the file
    # Bytes of unknown origin: the readers of zip and npy can raise nearly anything on them, and
    # whatever they raise means the same.
    except Exception as error:
        raise DamagedError(f"is damaged or incomplete ({type(error).__name__})") from error
    source, stored = stated.get("made_from", entry.sha256), stated.get("content", entry.sha256)
    if source != entry.sha256:
        raise DamagedError("was made from other files, or by another recipe")
    if hashed != stored:
        word = "pinned" if entry.pinned else "stated"
        raise DamagedError(f"has the content hash {hashed}, not the {word} {stored}")
    return arrays
