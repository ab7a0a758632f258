"""kmnist: 70,000 scans of ten cursive Japanese characters, 28×28, grey levels 0 to 255.

Source: T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto and D. Ha, Deep learning for
classical Japanese literature, 2018, https://arxiv.org/abs/1812.01718.
"""

from __future__ import annotations

from trainscape.datasets import Arrays, Raw, dataset
from trainscape.datasets._idx import IMAGES, LABELS, idx_images

# of the packed files, as they were published
MD5 = {
    "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
    "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
    "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
    "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
}


@dataset("kmnist", train=60_000, test=10_000, made_from={**MD5, "recipe": 1}, x=IMAGES, y=LABELS)
def make(raw: Raw) -> Arrays:
    """Images uint8 (N, 28, 28), labels int64 (N,)."""
    return idx_images("kmnist", "KMNIST", MD5, raw)
