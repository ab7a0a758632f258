"""Make rings.npz, points of two noisy rings: `python examples/rings/make_rings.py`."""

from pathlib import Path

import numpy as np

rng = np.random.default_rng(0)
radius = np.repeat([1.0, 2.0], 300) + rng.normal(0, 0.2, 600)
angle = rng.uniform(0, 2 * np.pi, 600)
x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype("float32")
y = np.repeat([0, 1], 300)
order = rng.permutation(600)
x, y = x[order], y[order]
np.savez(
    Path(__file__).with_name("rings.npz"),
    x_train=x[:500],
    y_train=y[:500],
    x_test=x[500:],
    y_test=y[500:],
)
