"""Datasets, one file each: arrays with a pinned content hash, kept as ``data/<name>.npz``."""

from trainscape.datasets._base import Arrays, Dataset, Raw, registry
from trainscape.datasets._made import dataset
from trainscape.datasets._npz import npz_dataset
from trainscape.datasets._store import digest, load, prepare
from trainscape.datasets._url import url_dataset
from trainscape.datasets._values import Values, joined, span, values_of

__all__ = [
    "Arrays",
    "Dataset",
    "Raw",
    "Values",
    "dataset",
    "digest",
    "joined",
    "load",
    "npz_dataset",
    "prepare",
    "registry",
    "span",
    "url_dataset",
    "values_of",
]
