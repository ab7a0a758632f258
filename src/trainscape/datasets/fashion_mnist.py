"""fashion-mnist: 70,000 pictures of ten kinds of clothing, 28×28, grey levels 0 to 255.

Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking
machine learning algorithms, 2017, https://arxiv.org/abs/1708.07747.
"""

from __future__ import annotations

from trainscape.datasets import Arrays, Raw, dataset
from trainscape.datasets._idx import IMAGES, LABELS, idx_images

MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


@dataset(
    "fashion-mnist",
    train=60_000,
    test=10_000,
    sha256="250dc01a9b6e1cfbbd0369a29e8abbbbeae37b9961c284ddd9fd75b6e1232c0d",
    x=IMAGES,
    y=LABELS,
)
def make(raw: Raw) -> Arrays:
    """Images uint8 (N, 28, 28), labels int64 (N,)."""
    return idx_images("fashion-mnist", "FashionMNIST", MD5, raw)
