"""digits: 1,797 scans of handwritten digits, 8×8, pixels 0 to 16. Needs no network.

Source: E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits, UCI machine learning
repository, 1998 (its test set); scikit-learn ships the file.

Split: the scans in the order of the file, sorted by class without changing that order within one;
every fifth, from the first on, is a test example. That is 360 of 1,797, 35 to 37 of each class, and
no random generator decides it. Both splits keep the file's order.
"""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

from trainscape.datasets import Arrays, Raw, Values, dataset
from trainscape.errors import UserError


@dataset(
    "digits",
    train=1437,
    test=360,
    sha256="ce28db2119b9508f769e5b1a6b015b67f923a016535e91da88cab2e844585be4",
    x=Values("uint8", (8, 8), 0, 16),
    y=Values("int64", (), 0, 9),
)
def make(_: Raw) -> Arrays:
    """Images uint8 (N, 8, 8), labels int64 (N,)."""
    import numpy as np

    with gzip.open(_shipped()) as file:
        table = np.loadtxt(file, delimiter=",")  # (1797, 65): 64 pixels and the label
    x, y = table[:, :-1].astype(np.uint8).reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    test = np.zeros(len(y), dtype=bool)
    test[np.argsort(y, kind="stable")[::5]] = True
    return Arrays(x[~test], y[~test], x[test], y[test])


def _shipped() -> Path:
    """The file inside scikit-learn, found without importing it (that takes seconds)."""
    spec = find_spec("sklearn")
    for place in spec.submodule_search_locations or () if spec else ():
        path = Path(place) / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return path
    raise UserError("dataset 'digits': scikit-learn, which ships it, is not installed whole")
