"""Initial weights have the same bits on every CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from trainscape.engine.initial import Portable
from trainscape.engine.model import build, state_of
from trainscape.hashing import sha256

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = """
import json, sys, torch
sys.path.append(sys.argv[1])
from engine.test_initial import drawn
print(json.dumps([torch.backends.cpu.get_cpu_capability(), drawn()]))
"""


def layer(init: Callable[[Tensor], object]) -> Callable[[], nn.Module]:
    """A model's function: a layer whose weights are filled by ``init``."""

    def made() -> nn.Module:
        linear = nn.Linear(40, 30)
        init(linear.weight)
        return linear

    return made


def holding(draw: Callable[[], Tensor]) -> Callable[[], nn.Module]:
    """A model's function: a layer with the weights that ``draw`` returns."""

    def made() -> nn.Module:
        linear = nn.Linear(40, 30)
        linear.weight = nn.Parameter(draw())
        return linear

    return made


MODELS: dict[str, Callable[[], nn.Module]] = {
    "Linear": lambda: nn.Linear(40, 30),
    "Conv2d": lambda: nn.Conv2d(3, 8, 3),
    "Embedding": lambda: nn.Embedding(20, 30),
    "MultiheadAttention": lambda: nn.MultiheadAttention(16, 2),
    "normal_": layer(nn.init.normal_),
    "kaiming_normal_": layer(nn.init.kaiming_normal_),
    "xavier_uniform_": layer(nn.init.xavier_uniform_),
    "trunc_normal_": layer(nn.init.trunc_normal_),
    "orthogonal_": layer(nn.init.orthogonal_),
    "exponential_": layer(lambda weight: weight.data.exponential_()),
    "randn": holding(lambda: torch.randn(30, 40)),
    "randn_like": holding(lambda: torch.randn_like(torch.zeros(30, 40))),
    "normal": holding(lambda: torch.normal(torch.zeros(30, 40), 2.0)),
}


def drawn() -> dict[str, str]:
    """A hash of every model's weights."""
    found = {}
    for name, builder in MODELS.items():
        weights = state_of(build(builder, seed=1))
        assert all(value.dtype == torch.float32 for value in weights.values()), name
        found[name] = sha256({key: value.tolist() for key, value in weights.items()})
    return found


def test_the_instruction_set_changes_no_initial_weight() -> None:
    """Torch is told to use the code of a lesser CPU, which by itself draws other numbers."""
    here = torch.backends.cpu.get_cpu_capability()
    if here == "DEFAULT":
        pytest.skip("torch knows no other code for this CPU")
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(Path(__file__).parents[1])],
        env={**os.environ, "ATEN_CPU_CAPABILITY": "default"},
        capture_output=True,
        text=True,
        check=True,
    )
    there, weights = json.loads(done.stdout)
    assert there == "DEFAULT"
    assert weights == drawn()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_draws_keep_their_distribution_and_type(dtype: torch.dtype) -> None:
    """Means and spreads of a hundred thousand numbers are those that were asked for."""
    torch.manual_seed(0)
    with Portable():
        normal = torch.empty(100_000, dtype=dtype).normal_(1.0, 2.0)
        uniform = torch.empty(100_000, dtype=dtype).uniform_(-1.0, 3.0)
        generated = torch.randn(100_000, dtype=dtype, generator=torch.Generator().manual_seed(1))
    assert normal.dtype == uniform.dtype == generated.dtype == dtype
    assert normal.double().mean().item() == pytest.approx(1.0, abs=0.03)
    assert normal.double().std().item() == pytest.approx(2.0, abs=0.03)
    assert uniform.double().mean().item() == pytest.approx(1.0, abs=0.02)
    assert -1.0 <= uniform.min().item() < uniform.max().item() <= 3.0
    assert generated.double().std().item() == pytest.approx(1.0, abs=0.02)


def test_a_generator_of_the_model_s_own_is_used() -> None:
    """Equal generators give equal numbers, whatever the common one has drawn."""
    with Portable():
        first = torch.empty(50).uniform_(-1, 1, generator=torch.Generator().manual_seed(3))
        torch.rand(7)
        again = torch.empty(50).uniform_(-1, 1, generator=torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
