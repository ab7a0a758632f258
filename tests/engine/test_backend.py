"""What a machine is called that decides last bits, and whether it rounds by the width of a pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from kit.examples import trial
from trainscape.engine import backend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.engine.trial import Trial


def test_the_backend_names_what_decides_last_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the instruction set of a CPU, the compute capability of a GPU, a fixed width."""
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert backend.name(cpu) == "cpu-avx2"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert backend.name(cuda) == "cuda-sm90"
    assert backend.name(cuda, 512) == "cuda-sm90-w512"


@pytest.mark.parametrize(("place", "expected"), [(0, True), (1, True), (2, False)])
def test_a_machine_rounds_by_the_width_if_a_bit_of_two_trials_does(
    place: int, expected: bool
) -> None:
    """The last bit of either of the first two counts; what lies beside them does not."""
    crowd = [trial(seed=seed) for seed in range(5)]

    def step(trials: Sequence[Trial]) -> torch.Tensor:
        weights = torch.ones(len(trials), 3)
        if len(trials) > 3:
            weights[place, 2] = torch.nextafter(weights[place, 2], torch.tensor(2.0))
        return weights

    assert backend.rounds_by_width(step, crowd, crowd[:3]) == expected
