"""What a dataset is: four arrays, made once, known by a sha256.

That is the hash of their content or, where the content was not at hand when the dataset was written
down, of the published hashes of the files that they are made from.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trainscape.errors import UserError
from trainscape.registry import Registry
from trainscape.user_lines import telling

if TYPE_CHECKING:  # numpy is imported where arrays are touched: listing a grid does not need it
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from trainscape.datasets._values import Values


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
        origin: what a user mends where the content is unfit: a file, or a function.
        values: what each array holds, by its name; empty where only making it would tell.
    """

    name: str
    train: int
    test: int
    sha256: str
    make: Callable[[Raw], Arrays]
    pinned: bool = True
    origin: str = ""
    values: Mapping[str, Values] = field(default_factory=dict)

    def made(self, raw: Raw) -> Arrays:
        """The arrays, made anew; what a user's function raises is told with its line.

        Raises:
            UserError: they cannot be made, or are unfit to be trained on.
        """
        with telling(f"dataset {self.name!r}"):
            return self.make(raw)

    def refusal(self, reason: str) -> UserError:
        """The error for content that is unfit: it names the dataset and what to mend."""
        return UserError(f"dataset {self.name!r}: {self.origin}{': ' * bool(self.origin)}{reason}")


registry: Registry[Dataset] = Registry("dataset", "trainscape.datasets", separator="-")


def derived(made_from: Mapping[str, object]) -> str:
    """The sha256 of plain data, by its canonical JSON: sorted keys, no spaces."""
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
