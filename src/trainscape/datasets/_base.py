"""What a dataset is: four arrays, made once, known by a sha256.

That is the hash of their content or, where the content was not at hand when the dataset was written
down, of the published hashes of the files that they are made from.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.registry import Registry

if TYPE_CHECKING:  # numpy is imported where arrays are touched: listing a grid does not need it
    from collections.abc import Callable, Mapping
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
        sha256: what cells know the data by.
        make: makes the arrays from the raw files.
        pinned: whether ``sha256`` is the hash of the content
            (:func:`trainscape.datasets.digest`); else of what the content is made from, and the
            file states its content's own.
    """

    name: str
    train: int
    test: int
    sha256: str
    make: Callable[[Raw], Arrays]
    pinned: bool = True


registry: Registry[Dataset] = Registry("dataset", "trainscape.datasets", separator="-")


def dataset(
    name: str,
    *,
    train: int,
    test: int,
    sha256: str = "",
    made_from: Mapping[str, object] | None = None,
) -> Callable[[Callable[[Raw], Arrays]], Callable[[Raw], Arrays]]:
    """Register the decorated function as the maker of the dataset ``name``.

    Args:
        name: what workloads call it.
        train: examples in the training split.
        test: examples in the test split.
        sha256: the hash of the content.
        made_from: in its place, all that decides the content: the hashes of the raw files, which
            the maker checks, and the version of the recipe.
    """
    identity = sha256 if made_from is None else derived(made_from)

    def decorate(make: Callable[[Raw], Arrays]) -> Callable[[Raw], Arrays]:
        entry = Dataset(name, train, test, identity, make, pinned=made_from is None)
        registry.add(name, entry, make.__code__.co_filename)
        return make

    return decorate


def derived(made_from: Mapping[str, object]) -> str:
    """The sha256 of plain data, by its canonical JSON: sorted keys, no spaces."""
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
