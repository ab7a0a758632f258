"""Nested plain data as a flat list of names and values in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def facts(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Every value of ``data`` as (dotted name, value in words), in order.

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
    """A value, or a list of values, as a reader would write it."""
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
    known = {name: words(value) for name, value in hardware.items()}
    on_gpu = known.get("gpu", "none") != "none" and known.get("device") != "cpu"
    cpu = "{cpu} ({cores} cores, {isa}), {threads} threads".format(**known)
    return f"{known['gpu'] if on_gpu else cpu}, torch {known['torch']}"
