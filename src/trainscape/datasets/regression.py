"""regression: 2,000 points of a noisy linear function of ten variables. Needs no network.

The training split is article 2's, number for number::

    np.random.seed(0)
    X = np.random.rand(1000, 10)
    y = X.dot(np.random.rand(10, 1)) + np.random.rand(1000, 1)

The noise is uniform in [0, 1]: its mean of 1/2 is the function's offset, and its variance of 1/12
the mean squared error that no model goes below on unseen examples. The article has no test split;
ours is 1,000 more examples by the same weights, drawn after those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.datasets import Arrays, Raw, Values, dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataset(
    "regression",
    train=1000,
    test=1000,
    sha256="6db9290d83c1d885afee67ff0f9335a048054dadf7081870c42f8b281ecbda18",
    x=Values("float32", (10,), 0, 1),
    y=Values("float32", (1,), 1.1, 4.22),
)
def make(_: Raw) -> Arrays:
    """Inputs float32 (N, 10), targets float32 (N, 1), as the article's network is given them."""
    import numpy as np

    draw = np.random.RandomState(0)  # its streams are frozen: the same in every version of numpy
    x_train, weights = draw.rand(1000, 10), draw.rand(10, 1)
    y_train = _product(x_train, weights) + draw.rand(1000, 1)
    x_test = draw.rand(1000, 10)
    y_test = _product(x_test, weights) + draw.rand(1000, 1)
    return Arrays(*(array.astype(np.float32) for array in (x_train, y_train, x_test, y_test)))


def _product(x: Floats, weights: Floats) -> Floats:
    """The product x · weights, (N, 1), column by column: a library's rounds as it likes."""
    total: Floats = x[:, :1] * weights[0]
    for i in range(1, len(weights)):
        total = total + x[:, i : i + 1] * weights[i]
    return total
