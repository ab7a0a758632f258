"""How many cores a test's children may use.

Offers: :func:`one_core`, a fixture.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def one_core() -> Iterator[None]:
    """One core for the test's children: two threads crawl where other tests run beside them.

    Each worker of a parallel test session takes another.
    """
    if not hasattr(os, "sched_setaffinity"):  # macOS cannot be told
        yield
        return
    usable = os.sched_getaffinity(0)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.sched_setaffinity(0, {sorted(usable)[worker % len(usable)]})
    yield
    os.sched_setaffinity(0, usable)
