"""What the arithmetic is called that decides last bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from trainscape.engine import backend

if TYPE_CHECKING:
    import pytest


def test_the_backend_names_what_decides_last_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of torch's kernels: a CPU's instruction set and maker, a GPU's capability, a fixed width."""
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(backend, "maker", lambda: "amd")
    assert backend.name(cpu) == "cpu-torch-avx2-amd"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert backend.name(cuda) == "cuda-sm90"
    assert backend.name(cuda, 512) == "cuda-sm90-w512"
