"""Recordings repeat what was recorded, on whatever lies in the memory then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from kit import examples
from trainscape.engine.tape import record
from trainscape.engine.writer import Arena

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.engine.tape import Work

LOUD = "a step runs unrecorded"


class Case:
    """Work on an input that stays in its place, and its recording.

    Args:
        compute: makes the results from the input.
        shape: of the input.
        state: what the computation changes in place.
        arena: where the recording's outputs go.
    """

    def __init__(
        self,
        compute: Callable[[Tensor], Sequence[Tensor]],
        shape: tuple[int, ...] = (3, 5, 4),
        state: Sequence[Tensor] = (),
        arena: Arena | None = None,
    ) -> None:
        self.x = examples.seeded(shape)
        before = self.x.clone()
        self.work: Work = lambda: compute(self.x)
        self.recorded = record(self.work, arena or Arena(), state, self._vary)
        assert torch.equal(self.x, before), "the input is as it was"

    def _vary(self) -> None:
        self.x.copy_(self.x.flip(0))

    def check(self, exact: bool = True) -> None:
        """On new input, twice, the recording returns what the work does."""
        for seed in (7, 8):
            self.x.copy_(examples.seeded(tuple(self.x.shape), seed))
            expected = [tensor.clone() for tensor in self.work()]
            found = self.recorded()
            for ours, theirs in zip(found, expected, strict=True):
                if exact:
                    assert torch.equal(ours, theirs)
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def gradients(builder: Callable[[], nn.Module]) -> Callable[[Tensor], Sequence[Tensor]]:
    """The loss and gradients of three copies of a model, by vmap and autograd."""
    model = builder()
    params = {
        name: torch.stack([p.detach() * (1 + i) for i in range(3)]).requires_grad_()
        for name, p in model.named_parameters()
    }
    target = torch.arange(5) % 3

    def compute(x: Tensor) -> Sequence[Tensor]:
        with torch.enable_grad():

            def loss(state: dict[str, Tensor], x: Tensor) -> Tensor:
                return nn.functional.cross_entropy(functional_call(model, state, (x,)), target)

            losses = vmap(loss)(params, x)
            grads = torch.autograd.grad(losses.sum(), list(params.values()))
        return [losses.detach(), *grads]

    return compute


MODELS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(4, 3),
    "relu": lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)),
    "silu": lambda: nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 3)),
    "norm": lambda: nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)),
    "conv": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(4, 3)
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_recording_computes_what_was_recorded(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Losses and gradients of a model are those of vmap and autograd, on any later input."""
    torch.manual_seed(0)
    Case(gradients(MODELS[name])).check(exact=False)
    assert LOUD not in capfd.readouterr().err


def test_gradients_of_weights_are_laid_out_like_the_weights() -> None:
    """An update rule walks through both in the same order."""
    case = Case(gradients(MODELS["relu"]))
    assert all(tensor.is_contiguous() for tensor in case.recorded())


def test_calls_that_nobody_needs_are_dropped() -> None:
    """What is computed and thrown away is not computed again."""
    calls: list[int] = []

    def compute(x: Tensor) -> Sequence[Tensor]:
        calls.append(1)
        x.exp().sum()
        return [x.sin()]

    case = Case(compute)
    case.check()
    assert "exp" not in _kernels(case.recorded)
    assert "sin" in _kernels(case.recorded)
    assert len(calls) == 2 + 2, (
        "the recording, its trial and the check's own; the recording calls it no more"
    )


def _kernels(recorded: Callable[[], object]) -> str:
    """The kernels that a recording calls."""
    names = recorded.__globals__.values()
    return " ".join(str(value) for value in names if isinstance(value, torch._ops.OpOverload))


def test_results_have_memory_of_their_own() -> None:
    """A caller may write to a result: neither the input, nor a constant, nor another changes."""
    case = Case(lambda x: [x, x.detach(), torch.zeros(4), x.sin(), x.sin().expand(2, 3, 5, 4)])
    before = case.x.clone()
    found = case.recorded()
    kept = [tensor.clone() for tensor in found]
    for i, tensor in enumerate(found):
        tensor.fill_(9)
        for later, value in zip(found[i + 1 :], kept[i + 1 :], strict=True):
            assert torch.equal(later, value)
    assert torch.equal(case.x, before)
    case.check()


def test_what_is_written_to_in_place_stays_written_to() -> None:
    """State changes at every run, as running statistics do, and not while recorded."""
    state = torch.zeros(4)

    def compute(x: Tensor) -> Sequence[Tensor]:
        made = torch.zeros(4)
        made.add_(x.mean((0, 1)))
        state.mul_(0.5).add_(made)
        return [state * 2, made]

    case = Case(compute, state=[state])
    assert torch.equal(state, torch.zeros(4))
    for _ in range(3):
        before = state.clone()
        found = case.recorded()
        assert torch.equal(state, before * 0.5 + found[1])
        assert torch.equal(found[0], state * 2)


def test_memory_that_is_used_again_is_never_still_needed() -> None:
    """A long chain whose early results return late, some of them as views, comes out right."""

    def compute(x: Tensor) -> Sequence[Tensor]:
        first = x.sin()
        turned = first.transpose(1, 2)
        total = x
        for i in range(1, 12):
            total = (total * i).cos() + total.relu()
        return [turned + total.transpose(1, 2), first.relu(), total]

    Case(compute).check()


def test_tapes_of_one_arena_share_its_memory() -> None:
    """Recordings that never run at once take turns in the same memory, and stay right."""
    arena = Arena()
    first = Case(lambda x: [(x.sin() + 1).cos() * x], arena=arena)
    second = Case(lambda x: [(x.cos() - 1).exp() * x], arena=arena)
    assert first.recorded()[0].data_ptr() == second.recorded()[0].data_ptr()
    first.check()
    second.check()
    first.check()


def test_work_that_does_not_repeat_itself_runs_unrecorded(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A recording that differs from the work is not used, with a word on stderr."""
    count = [0.0]

    def compute(x: Tensor) -> Sequence[Tensor]:
        count[0] += 1
        return [x * count[0]]

    case = Case(compute)
    assert (
        "a step runs unrecorded, more slowly: the recording gives other numbers"
        in capfd.readouterr().err
    )
    assert torch.equal(case.recorded()[0], case.x * count[0])


def test_not_a_number_and_infinity_pass_through() -> None:
    """A trial that diverges has the same values in a recording."""
    case = Case(lambda x: [x.log(), (x * 0).reciprocal()])
    found, expected = case.recorded(), case.work()
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)
