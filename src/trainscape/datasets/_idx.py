"""Image datasets that torchvision downloads as four idx files: MNIST and its kin.

The files are kept where torchvision looks for them, ``data/raw/MNIST/raw/``. torchvision itself
checks the packed files only, and only on download: it would go on to train on an unpacked file that
was cut short.
"""

from __future__ import annotations

import gzip
from functools import partial
from typing import TYPE_CHECKING, Any

from trainscape.datasets._base import Arrays, Raw
from trainscape.datasets._raw import Published, obtain
from trainscape.datasets._values import Values

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

IMAGES = Values("uint8", (28, 28), 0, 255)
LABELS = Values("int64", (), 0, 9)


def idx_images(name: str, kind: str, md5: Mapping[str, str], raw: Raw) -> Arrays:
    """The arrays of an idx dataset: from files that are there, else by torchvision's download.

    Args:
        name: the dataset's name, such as ``mnist``.
        kind: torchvision's class, such as ``MNIST``.
        md5: the files, either unpacked or ``.gz``, and their md5: training images and labels, test
            images and labels.
        raw: where to look.

    Raises:
        UserError: a file can be had from nowhere; says how to bring it.
    """
    published = Published(
        name, md5, f"{kind}/raw", partial(_mirrors, kind), partial(_download, kind)
    )
    home = obtain(published, raw)
    x_train, y_train, x_test, y_test = (_parse(_unpacked(home / file)) for file in md5)
    return Arrays(x_train, y_train.astype("int64"), x_test, y_test.astype("int64"))


def _mirrors(kind: str) -> list[str]:
    from torchvision import datasets

    public: list[str] = getattr(datasets, kind).mirrors
    return public


def _download(kind: str, mirror: str, root: Path) -> Path:
    """Let torchvision download the dataset from one server below ``root``."""
    from torchvision import datasets

    # torchvision names its folder after the class, and takes the servers from it
    fetch: Any = type(kind, (getattr(datasets, kind),), {"mirrors": [mirror]})
    fetch(root, train=False, download=True)
    return root / kind / "raw"


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _parse(content: bytes) -> NDArray[np.uint8]:
    """An idx file's array: two zero bytes, the type (8: uint8), the rank, the shape, the values."""
    import numpy as np

    rank = content[3]
    shape = np.frombuffer(content, ">u4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
