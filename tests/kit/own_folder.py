"""A user's folder: what plugins in it register and import is forgotten after the test."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit.registries import kept
from trainscape import datasets, optimizers, schedules, workloads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGISTRIES = [kind.registry for kind in (datasets, optimizers, schedules, workloads)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    with kept(*REGISTRIES):
        yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
