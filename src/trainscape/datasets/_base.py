"""What a dataset is: four arrays, made once, known by the sha256 of their content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.registry import Registry

if TYPE_CHECKING:  # numpy is imported where arrays are touched: listing a grid does not need it
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Arrays:
    """The training and test examples: ``x`` uint8 images (N, H, W[, C]), ``y`` int64 labels (N,).

    A user's own dataset may hold any dtype and shape, the first axis being the example.
    """

    x_train: NDArray[np.generic]
    y_train: NDArray[np.generic]
    x_test: NDArray[np.generic]
    y_test: NDArray[np.generic]


@dataclass(frozen=True)
class Raw:
    """Where a maker finds the published files, in the order it looks.

    Args:
        folder: where raw files are kept (``data/raw``); what is there already is used first.
        source: a folder of the user's that holds the files, or None.
        mirror: a URL to download from instead of the public ones, or None.
    """

    folder: Path
    source: Path | None = None
    mirror: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A dataset and how to make it.

    Args:
        name: its name, also its file's: ``data/<name>.npz``.
        train: examples in the training split (validation is taken from it).
        test: examples in the test split.
        sha256: the hash of the content (:func:`trainscape.datasets.digest`).
        make: makes the arrays from the raw files.
    """

    name: str
    train: int
    test: int
    sha256: str
    make: Callable[[Raw], Arrays]


registry: Registry[Dataset] = Registry("dataset", "trainscape.datasets", separator="-")


def dataset(
    name: str, *, train: int, test: int, sha256: str
) -> Callable[[Callable[[Raw], Arrays]], Callable[[Raw], Arrays]]:
    """Register the decorated function as the maker of the dataset ``name``."""

    def decorate(make: Callable[[Raw], Arrays]) -> Callable[[Raw], Arrays]:
        registry.add(name, Dataset(name, train, test, sha256, make), make.__code__.co_filename)
        return make

    return decorate
