"""A user's folder: what plugins in it register and import is forgotten after the test."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from trainscape import datasets, optimizers, schedules, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGISTRIES = [kind.registry for kind in (datasets, optimizers, schedules, workloads)]
for registry in REGISTRIES:
    for name in registry.names():  # before any test: a module registers its entry but once
        registry.get(name)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder."""
    for registry in REGISTRIES:
        for table in ("_entries", "_sources"):
            monkeypatch.setattr(registry, table, dict(getattr(registry, table)))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
