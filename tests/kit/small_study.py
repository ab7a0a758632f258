"""A small study whose step times are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape import source, study

if TYPE_CHECKING:
    from trainscape.study import Study

ROOT = source.PACKAGE.parents[1]
GRID = {"optimizer": ["sgd", "adam"], "batch_size": [16, 64], "lr": [0.1], "schedule": ["constant"]}
RAW = {"grid": GRID, "throughput": {"within": 0.2, "block": 0.001}, "device": "cpu"}


def make(**changes: Any) -> Study:
    """The tests' study, with keys of it or of its grid replaced."""
    axes = {key: value for key, value in changes.items() if key in GRID}
    rest = {key: value for key, value in changes.items() if key not in GRID}
    return study.parse({**RAW, **rest, "grid": {**GRID, **axes}}, "test")
