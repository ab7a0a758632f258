"""What every test needs before torch's first matrix product, and where shared helpers are found."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trainscape.user_lines import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

# MKL reads this once, at its first call, and some tests multiply matrices before they choose a
# device: without it their last bits depend on the alignment of their operands.
os.environ["MKL_CBWR"] = "AUTO,STRICT"

# Compiles a step in half the time, and changes no bit (tests/engine/test_golden.py).
os.environ.setdefault("TRAINSCAPE_CFLAGS", "-O1")

sys.path.append(str(Path(__file__).parent))
pytest.register_assert_rewrite("kit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it is asked for."""
    if "TRAINSCAPE_SLOW" in os.environ:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip("takes minutes; set TRAINSCAPE_SLOW=1 to run it"))


@pytest.fixture(autouse=True)
def no_plugin_stays() -> Iterator[None]:
    """A test that leaves a plugin of its own folder loaded fails, and not those that come after it.

    They share its process; ``kit.own_folder`` forgets plugins.
    """
    before = set(sys.modules)
    yield
    new = {name for name in sys.modules if name not in before and name.startswith(PLUGIN)}
    files = [Path(str(sys.modules[name].__file__)) for name in new]
    assert all(file.is_relative_to(Path(__file__).parent) for file in files), files


@pytest.fixture
def counters_in_double() -> Iterator[None]:
    """Float64 as the default type, in which torch.optim keeps products such as NAdam's of μ."""
    import torch

    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
