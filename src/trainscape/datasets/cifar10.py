"""cifar10: 60,000 photographs of ten kinds of animals and vehicles, 32×32, in colour.

Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.datasets import Arrays, Raw, Values, dataset
from trainscape.datasets._raw import Published, obtain, single
from trainscape.files import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path

ARCHIVE = "cifar-10-python.tar.gz"
MD5 = {ARCHIVE: "c58f30108f718f92721af3b95e74349a"}


@dataset(
    "cifar10",
    train=50_000,
    test=10_000,
    made_from={**MD5, "recipe": 1},
    x=Values("uint8", (32, 32, 3), 0, 255),
    y=Values("int64", (), 0, 9),
)
def make(raw: Raw) -> Arrays:
    """Images uint8 (N, 32, 32, 3), labels int64 (N,)."""
    home = obtain(Published("cifar10", MD5, "", _servers, single(ARCHIVE), ARCHIVE), raw)
    return _read(home / ARCHIVE)


def _servers() -> list[str]:
    from torchvision.datasets import CIFAR10

    return [str(CIFAR10.url)]


def _read(archive: Path) -> Arrays:
    """The arrays by torchvision's own reader; the pickles are the published ones."""
    import numpy as np
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import extract_archive

    with scratch_folder(archive.parent) as folder:
        extract_archive(str(archive), str(folder))
        train, test = (CIFAR10(folder, train=split) for split in (True, False))
    y_train, y_test = (np.array(split.targets, np.int64) for split in (train, test))
    return Arrays(train.data, y_train, test.data, y_test)
