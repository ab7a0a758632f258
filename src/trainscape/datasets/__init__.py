"""Datasets, one file each: arrays with a pinned content hash, kept as ``data/<name>.npz``."""

from trainscape.datasets._base import Arrays, Dataset, Raw, dataset, registry
from trainscape.datasets._npz import npz_dataset
from trainscape.datasets._store import digest, load, prepare
from trainscape.datasets._url import url_dataset

__all__ = [
    "Arrays",
    "Dataset",
    "Raw",
    "dataset",
    "digest",
    "load",
    "npz_dataset",
    "prepare",
    "registry",
    "url_dataset",
]
