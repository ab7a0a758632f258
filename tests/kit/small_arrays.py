"""A dataset of a few bytes, and fixtures that keep the tests of datasets apart."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit.registries import kept
from trainscape.datasets import Arrays, registry
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMES = [field.name for field in fields(Arrays)]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test is led elsewhere by the caller's own variables."""
    for name in ("TRAINSCAPE_RAW", "TRAINSCAPE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """What a test registers is gone after it."""
    with kept(registry):
        yield


def small(**changes: Any) -> Arrays:
    """Four small arrays in MNIST's form."""
    draw = np.random.default_rng(0)
    arrays = Arrays(
        draw.integers(0, 256, (6, 4, 4), dtype=np.uint8),
        np.arange(6, dtype=np.int64),
        draw.integers(0, 256, (3, 4, 4), dtype=np.uint8),
        np.arange(3, dtype=np.int64),
    )
    return replace(arrays, **changes)


def same(one: Arrays, other: Arrays) -> bool:
    """Whether values, shapes and types are equal."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in NAMES]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def refusal(call: Callable[[], object]) -> str:
    """The message of the UserError that ``call`` raises; it must be one line."""
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)
