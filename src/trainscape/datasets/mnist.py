"""mnist: 70,000 scans of handwritten digits, 28×28, grey levels 0 to 255.

Source: Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

from trainscape.datasets import Arrays, Raw, dataset
from trainscape.datasets._idx import IMAGES, LABELS, idx_images

MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


@dataset(
    "mnist",
    train=60_000,
    test=10_000,
    sha256="7cd417484108fcd3fb4afd803abb813ab5227eb017ffede532fdbb151fff1d2d",
    x=IMAGES,
    y=LABELS,
)
def make(raw: Raw) -> Arrays:
    """Images uint8 (N, 28, 28), labels int64 (N,)."""
    return idx_images("mnist", "MNIST", MD5, raw)
