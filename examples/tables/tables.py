"""Datasets from a CSV file and from a pandas DataFrame, split into training and test."""

from pathlib import Path

import numpy as np

from trainscape.datasets import Arrays, dataset
from trainscape.workloads import workload


def every_fifth(count):
    """Which rows are test examples. Of sorted rows it takes a fair share of every class."""
    return np.arange(count) % 5 == 4


@dataset("iris")  # known by its content: an edited file is another dataset
def iris():
    """Lengths and widths in cm, float32 (N, 4), and species as labels 0 to 2, int64 (N,)."""
    rows = np.loadtxt(Path(__file__).with_name("iris.csv"), str, delimiter=",", skiprows=1)
    x = rows[:, :4].astype("float32")
    y = np.unique(rows[:, 4], return_inverse=True)[1]  # the names in alphabetical order
    test = every_fifth(len(y))
    return Arrays(x[~test], y[~test], x[test], y[test])


@dataset(  # pinned: made once, then read from data/wine.npz
    "wine",
    train=143,
    test=35,
    sha256="cd2f540f06a8a33492d27b56d7f27db0feb2cf3a749da9e9d246e77720b3bc81",
)
def wine():
    """Thirteen measures of wines, float32 (N, 13), and growers as labels 0 to 2, int64 (N,)."""
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame  # or pandas.read_csv, read_parquet, …
    test = every_fifth(len(frame))
    y = frame.pop("target").to_numpy("int64")
    x = (frame / frame[~test].max()).to_numpy("float32")  # scaled by what may be seen
    return Arrays(x[~test], y[~test], x[test], y[test])


@workload("iris-mlp", dataset="iris", target=0.9, mean=3.5, std=2)
def iris_mlp():
    """4-16-3; inputs are brought near 0 and 1 by (x − mean) / std."""
    from torch import nn

    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))


@workload("wine-mlp", dataset="wine", target=0.9)
def wine_mlp():
    """13-16-3."""
    from torch import nn

    return nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
