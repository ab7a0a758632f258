"""point: one example that says nothing, for workloads that minimise a function of their parameters.

It is the training and the test split: a step sees all the data, and the test loss is the function.
"""

from __future__ import annotations

from trainscape.datasets import Arrays, Raw, Values, dataset


@dataset(
    "point",
    train=1,
    test=1,
    sha256="30983e6749afd59754bae85b0bc7ed1764b2b6c2c7eabd82004533c8e4293a5d",
    x=Values("float32", (1,), 0, 0),
    y=Values("float32", (), 0, 0),
)
def make(_: Raw) -> Arrays:
    """A zero float32 (1, 1) as input and a zero float32 (1,) as target."""
    import numpy as np

    x, y = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    return Arrays(x, y, x, y)
