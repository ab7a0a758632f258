"""Nested plain data as a flat list of names and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def facts(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Every leaf of ``data`` as (dotted name, words), in order.

    >>> facts({"grid": {"lr": [0.1, 0.01]}, "seeds": 3, "gpu": None})
    [('grid.lr', '0.1, 0.01'), ('seeds', '3'), ('gpu', 'none')]
    """
    found: list[tuple[str, str]] = []
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            found += facts(value, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", words(value)))
    return found


def words(value: Any) -> str:
    """A leaf, or a list of them, as a reader would write it."""
    if value is None or value in ([], {}, ()):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {words(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return ", ".join(words(item) for item in value)
    return str(value)


def machine(hardware: Mapping[str, Any]) -> str:
    """The machine that step times were measured on, in a few words; empty if on none.

    >>> machine({"cpu": "EPYC", "cores": 2, "isa": "avx2", "threads": 2, "torch": "2.15.0"})
    'EPYC (2 cores, avx2), 2 threads, torch 2.15.0'
    """
    if not hardware:
        return ""
    told = {name: words(value) for name, value in hardware.items()}
    where = "{cpu} ({cores} cores, {isa}), {threads} threads".format(**told)
    if told.get("gpu", "none") != "none" and told.get("device") != "cpu":
        where = told["gpu"]
    return f"{where}, torch {told['torch']}"
