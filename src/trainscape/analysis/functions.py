"""Workloads that minimise a function and have no data: what a cell of theirs ends with.

A file of its own that :mod:`trainscape.analysis` does not import: words of pages and pictures are
to make no table again.
"""

from __future__ import annotations

from trainscape import datasets
from trainscape.workloads import registry


def is_function(workload: str) -> bool:
    """Whether a workload is a function of its parameters: its dataset is a single example.

    Nothing is held out then and nothing can be generalised to, so no value of it is a test value.
    """
    return datasets.registry.get(registry.get(workload).dataset).train == 1


def outcome(workload: str) -> str:
    """What a cell ends with, in words.

    >>> outcome("digits-mlp"), outcome("valley")
    ('test accuracy', "function's value")
    """
    if is_function(workload):
        return "function's value"
    return f"test {registry.get(workload).metric.name}"
