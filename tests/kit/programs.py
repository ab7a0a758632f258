"""Functions of torch compiled as programs, and held against torch itself.

Offers: :func:`one_thread`, a fixture; a test that imports it has it used.

A case is a function with what it is given: see :func:`case`, :func:`slopes` and :func:`trained`.
One call of :func:`agree` takes many: compilers are started seldom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from trainscape.compiled.compiler import NoCompiler, compiler
from trainscape.compiled.nodes import UnsupportedError
from trainscape.compiled.programs import compiled, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainscape.compiled.programs import Program

    Function = Callable[..., Any]
    Case = tuple[str, Function, list[Tensor]]

LAST = torch.channels_last


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """One thread and one seed for torch; such a test is skipped where there is no compiler."""
    try:
        compiler()
    except NoCompiler as missing:
        pytest.skip(str(missing))
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def numbers(*sizes: int, kind: torch.dtype = torch.float32) -> Tensor:
    """Random numbers: normal ones, or from -9 to 9, or truths."""
    if kind.is_floating_point:
        return torch.randn(sizes, dtype=kind)
    return torch.randint(0 if kind == torch.uint8 else -9, 10, sizes).to(kind)


def places(high: int, *sizes: int) -> Tensor:
    """Random places on an axis of length ``high``."""
    return torch.randint(0, high, sizes)


def case(name: str, function: Function, *given: Tensor) -> Case:
    """For :func:`agree`: a name, a function and what it is given.

    It returns tensors, and may write into what it is given.
    """
    return name, function, list(given)


def slopes(name: str, function: Function, *given: Tensor) -> Case:
    """A function with its gradients by all that is given and is a float."""
    for tensor in given:
        tensor.requires_grad_(tensor.is_floating_point())

    def both(*given: Tensor) -> list[Tensor]:
        with torch.enable_grad():
            outs = _tensors(function(*given))
            loss = sum(
                (out * torch.arange(out.numel()).add(1).cos().view(out.shape)).sum()
                for out in outs
                if out.requires_grad
            )
            wanted = [tensor for tensor in given if tensor.requires_grad]
            return [*outs, *torch.autograd.grad(loss, wanted)]  # type: ignore[arg-type]

    return name, both, list(given)


def trained(name: str, module: nn.Module, *given: Tensor) -> Case:
    """As :func:`slopes`, by a module's parameters, too; its buffers are compared as well."""
    own = [*module.parameters(), *module.buffers()]
    made = slopes(name, lambda *of: module(*of[: len(given)]), *given, *own)
    for buffer in module.buffers():
        buffer.requires_grad_(False)
    return made


def agree(*cases: Case, rtol: float = 2e-5) -> None:
    """Compile all cases as one program, and compare it with torch on other numbers.

    Args:
        cases: of :func:`case` and its like.
        rtol: how far numbers may lie apart, relative to the largest of a tensor.
    """
    roles: dict[str, Tensor] = {}
    outs: list[list[Tensor]] = []
    for name, function, given in cases:
        roles.update((f"{name} in {i}", tensor) for i, tensor in enumerate(given))
        copies = [tensor.detach().clone() for tensor in given]
        outs.append([torch.zeros_like(out.contiguous()) for out in _tensors(function(*given))])
        for tensor, copy in zip(given, copies, strict=True):
            tensor.detach().copy_(copy)
        roles.update((f"{name} out {i}", out) for i, out in enumerate(outs[-1]))

    def work() -> None:
        for (_, function, given), kept in zip(cases, outs, strict=True):
            for out, made in zip(kept, _tensors(function(*given)), strict=True):
                out.copy_(made.detach())

    with torch.no_grad():
        program = compiled(work, roles)
        for _, _, given in cases:
            for tensor in given:
                tensor.detach().copy_(_shuffled(tensor.detach()))
        begun = {name: tensor.detach().clone() for name, tensor in roles.items()}
        work()
        expected = {name: tensor.detach().clone() for name, tensor in roles.items()}
        for name, tensor in roles.items():
            tensor.detach().copy_(begun[name])
    run_on(program, roles)
    for name, tensor in roles.items():
        _same(name, tensor.detach(), expected[name], rtol)


def run_on(program: Program, roles: dict[str, Tensor]) -> None:
    """Run a program once, for the trial that these tensors are."""
    where = {name: shared(tensor, 1) for name, tensor in roles.items()}
    program.run(program.addresses(where, 1))


def refusal(function: Function, *given: Tensor) -> str:
    """Why a function is not compiled."""
    roles = {f"in {i}": tensor for i, tensor in enumerate(given)}
    with torch.no_grad(), pytest.raises(UnsupportedError) as refused:
        compiled(lambda: function(*given), roles)
    return str(refused.value)


def _tensors(value: Any) -> list[Tensor]:
    """The tensors that a function returns: one, or several in tuples, or none."""
    if isinstance(value, Tensor):
        return [value]
    return [tensor for item in value or () for tensor in _tensors(item)]


def _shuffled(tensor: Tensor) -> Tensor:
    """The numbers of a tensor, elsewhere; floats are larger by a little, too."""
    flat = tensor.reshape(-1)[torch.randperm(tensor.numel())].view(tensor.shape)
    return flat * 1.03125 if flat.is_floating_point() else flat


def _same(name: str, found: Tensor, expected: Tensor, rtol: float) -> None:
    if not found.is_floating_point():
        assert torch.equal(found, expected), name
        return
    scale = expected[expected.isfinite()].abs().max().item() if expected.isfinite().any() else 0
    rtol = rtol if found.dtype == torch.float32 else 1e-12
    close = torch.isclose(found, expected, rtol=rtol, atol=rtol * scale, equal_nan=True)
    assert close.all(), f"{name}: {found[~close][:4]} in place of {expected[~close][:4]}"
