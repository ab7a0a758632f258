"""Models of a pack that run one by one, for those that torch cannot run as one program.

Such are the recurrent layers of torch (``nn.RNN``, ``nn.GRU``, ``nn.LSTM``), and whatever looks at
a number of its own (``.item()``, an ``if``). Only the model's part of a step is done trial by
trial, in a plain loop; all else is as in other packs: the same update rules, rates and scores.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

from trainscape.compiled.call import LITERALS, Call, address
from trainscape.engine.model import MaskedDropout, Stack, build, drawn, repeats, state_of
from trainscape.engine.trial import PartError, judges, outputs, single
from trainscape.memory import out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trainscape.engine.model import Tensors
    from trainscape.engine.task import Task


class Apart(Stack):
    """A stack whose models are modules of their own, with their parameters in the stack's memory.

    Each keeps to itself whatever else it holds, so that it may do all that it may do in a loop of
    its own. Trials at the end that repeat the one before them, which only fill a pack up, are not
    run: they get the numbers of the trial that they repeat.
    """

    together: ClassVar[bool] = False

    def __init__(self, builder: Callable[[], nn.Module], width: int, example: Tensor) -> None:
        super().__init__(builder, width, example)
        self.models: list[nn.Module] = []
        self.trained: list[list[Tensor]] = []  # the parameters of each model
        self.slopes = [torch.zeros_like(block) for block in self.blocks]
        names = [name for group in self.groups for name in group]
        self.slope_of = dict(zip(names, self.pieces(self.slopes), strict=True))

    @torch.no_grad()
    def load(self, seeds: Sequence[int], count: int | None = None) -> None:
        super().load(seeds, count)
        memory = {**self.params, **self.buffers}
        self.models, self.trained = [], []
        for i, seed in enumerate(seeds[: self.count]):
            model = build(self.builder, seed).to(self.device)
            own = {**dict(model.named_parameters()), **dict(model.named_buffers())}
            for name, tensor in memory.items():
                own[name].data = tensor[i].detach()
            self.models.append(model)
            self.trained.append([own[name] for name in self.params])

    def step(self, task: Task, x: Tensor, y: Tensor, masks: Tensors) -> list[Tensor]:
        losses: list[Tensor] = []
        for i, model in enumerate(self.models):
            model.train()
            for name, mask in masks.items():
                model.get_submodule(name.removesuffix(".mask")).mask = mask[i]
            with torch.enable_grad():
                of = task.workload.loss
                loss = single("loss", of, of(self._output(task, model, x[i]), y[i]))
                made = torch.autograd.grad(loss, self.trained[i], materialize_grads=True)
            losses.append(loss.detach())
            for name, slope in zip(self.params, made, strict=True):
                self.slope_of[name][i].copy_(slope)
        for slope in self.slopes:
            slope[len(losses) :] = slope[len(losses) - 1]
        return [self._filled(losses), *self.slopes]

    @torch.no_grad()
    def values(self, task: Task, x: Tensor, y: Tensor) -> list[Tensor]:
        output = self.outputs(task, x)
        return self.judged(task, output, y) if task.workload.in_parts else [output]

    @torch.no_grad()
    def outputs(self, task: Task, x: Tensor) -> Tensor:
        return self._filled([self._output(task, model.eval(), x) for model in self.models])

    @torch.no_grad()
    def judged(self, task: Task, output: Tensor, y: Tensor) -> list[Tensor]:
        found = []
        for name, of in judges(task.workload).items():
            made = [of(output[i], y) for i in range(len(self.models))]
            # it may be a plain number
            values = [torch.as_tensor(value, device=self.device) for value in made]
            found.append(self._filled([single(name, of, value) for value in values]))
        return found

    def _output(self, task: Task, model: nn.Module, x: Tensor) -> Tensor:
        return outputs(partial(model, x), task.precision, self.device)

    def _filled(self, values: list[Tensor]) -> Tensor:
        """What trials have, (T, …), with the last one's for those that repeat it."""
        return torch.stack([*values, *values[-1:] * (self.width - len(values))])


@dataclass(frozen=True)
class Obstacle:
    """Why the trials of a task cannot run as one program.

    Args:
        layer: the innermost module that torch could not batch, '' for the model itself; None where
            it was not the model.
        kind: the module's class.
        error: what torch said.
        cure: what makes them fuse, where it is not the usual.
    """

    layer: str | None
    kind: type[nn.Module] | None
    error: Exception
    cure: str = ""


def obstacle(task: Task) -> Obstacle | None:
    """Whether models, loss and metric of a task can run as one program, tried on two examples.

    It depends on the workload and on torch alone.

    Raises:
        Exception: the workload cannot train by itself either; what it raised.
    """
    x, y = task.splits.train.x[:2], task.splits.train.y[:2]
    assigned = _tried_alone(task, x, y)
    _check_repeats(task, x)
    return assigned or _not_batched(task, x, y) or _kept_aside(task, x)


@torch.no_grad()
def _check_repeats(task: Task, x: Tensor) -> None:
    """Refuse a model that is another one when it is built again with one seed."""
    builder = task.workload.build
    first, again = (_answer(task, build(builder, 0).to(x.device), x) for _ in range(2))
    if not (repeats(builder) and _alike(first, again)):
        raise PartError(
            builder,
            "the model gets other weights when it is built again with one seed; draw them by torch",
        )


@torch.no_grad()
def _kept_aside(task: Task, x: Tensor) -> Obstacle | None:
    """What hangs on the seed and is neither parameter nor buffer, if a model has such a thing.

    Models that run as one program share it: that of the first.
    """
    first, other = (build(task.workload.build, seed).to(x.device) for seed in (0, 1))
    state = {name: value.clone() for name, value in state_of(other).items()}
    if _alike(_answer(task, other, x), _answer(task, first, x, state)):
        return None
    held, others = _held(first), _held(other)
    for (layer, name), value in held.items():
        module = first.get_submodule(layer)
        if name not in module._buffers and not _alike(value, others.get((layer, name))):
            reason = f"it draws tensor {name!r}, which is no buffer"
            return Obstacle(layer, type(module), ValueError(reason), f"make {name!r} a buffer")
    reason = "it draws numbers that are no buffers"
    return Obstacle("", None, ValueError(reason), "keep them in buffers")


def _answer(task: Task, model: nn.Module, x: Tensor, state: Tensors | None = None) -> Tensor:
    """The outputs of a model, with its own parameters and buffers or with another's."""
    model.eval()
    call = partial(functional_call, model, state, (x,)) if state else partial(model, x)
    return outputs(call, task.precision, x.device)


def _alike(a: Tensor, b: Tensor | None) -> bool:
    """Equal but for rounding."""
    if b is None or a.shape != b.shape or not a.is_floating_point():
        return b is not None and torch.equal(a, b)
    return torch.allclose(a, b, 1e-4, equal_nan=True)


def _not_batched(task: Task, x: Tensor, y: Tensor) -> Obstacle | None:
    """What keeps torch from running two trials as one program."""
    stack = Stack(task.workload.build, 2, x)
    stack.load([0, 1])
    inside = _watched(stack.template)
    xs, ys = (of.expand(2, *of.shape) for of in (x, y))
    masks = stack.open_masks(len(x))
    try:
        with warnings.catch_warnings():
            # of operations that torch batches one by one: on a CPU trials are compiled, not batched
            warnings.filterwarnings("ignore", "There is a performance drop")
            # at its second call a model may use what it kept of its first
            before = _seen(stack, task, xs, ys, masks)
            seen = _seen(stack, task, xs, ys, masks)
        if seen.foreign:
            reason = "it changes a tensor in place that is no buffer"
        elif seen.numbers <= before.numbers:
            return None
        else:
            reason = "it computes with other numbers from call to call"
        return Obstacle("", None, ValueError(reason))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        layer, kind = inside[-1] if inside else (None, None)
        return Obstacle(layer, kind, error)


class Watching(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Looks at every kernel call of its block.

    Args:
        own: tensors that may be written to.

    Attributes:
        numbers: what calls compute with besides tensors: kernels with their numbers, literals too.
        foreign: whether memory is written to that was there before and is none of ``own``.
    """

    def __init__(self, own: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.numbers: set[str] = set()
        self.foreign = False
        self.known = set(map(address, own))
        self.kept: list[Tensor] = []  # so that no address comes again

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # else torch imports its compiler to keep it away from __torch_dispatch__: 1.1 s a process
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = Call(func, args, kwargs or {})
        call.run()
        literal = f" {args[0].tolist()}" if call.name in LITERALS else ""
        self.numbers.add(f"{func} {_without_tensors((args, kwargs))}{literal}")
        self.foreign |= any(address(tensor) not in self.known for tensor in call.written)
        given = set(map(address, call.given))
        self.known.update(address(tensor) for tensor in call.made if address(tensor) not in given)
        self.kept += [*call.given, *call.made]
        return call.out


def _without_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_tensors(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(item) for item in value]
    return None if isinstance(value, Tensor) else value


def _seen(stack: Stack, task: Task, x: Tensor, y: Tensor, masks: Tensors) -> Watching:
    """What was seen of a step and an evaluation."""
    watching = Watching(stack.buffers.values())
    with out_of_memory(), watching:
        stack.step(task, x, y, masks)
        _score(stack, task, x[0], y[0])
    return watching


def _score(stack: Stack, task: Task, x: Tensor, y: Tensor) -> None:
    """Run an evaluation of examples (B, …)."""
    made = stack.values(task, x, y)
    if not task.workload.in_parts:
        stack.judged(task, made[0], y)


def _watched(model: nn.Module) -> list[tuple[str, type[nn.Module]]]:
    """The names and classes of the modules that are running, the innermost last."""
    inside: list[tuple[str, type[nn.Module]]] = []

    def leave(*_: object) -> None:
        inside.pop()

    for name, module in model.named_modules():
        enter = partial(inside.append, (name, type(module)))
        module.register_forward_pre_hook(lambda *_, enter=enter: enter())
        module.register_forward_hook(leave)
    return inside


def _tried_alone(task: Task, x: Tensor, y: Tensor) -> Obstacle | None:
    """Run the model by itself, as a plain loop would; what it assigns, if it keeps tensors so.

    Such a tensor is lost when models run as one program: only what is changed in place stays.
    """
    alone = Apart(task.workload.build, 1, x)
    alone.load([0])
    before, held = drawn(x.device), _held(alone.models[0])
    found: Obstacle | None = None
    for _ in range(2):
        alone.step(task, x[None], y[None], alone.open_masks(len(x)))
        _score(alone, task, x, y)
        found = found or _assigned(alone.models[0], held)
    _check_judges(task, alone, x, y)
    if before != drawn(x.device):
        raise RuntimeError("random operation")  # as vmap says of it
    return found


def _held(model: nn.Module) -> dict[tuple[str, str], Tensor]:
    """The tensors that modules hold besides parameters, by the module's name and their own."""
    return {
        (layer, name): value
        for layer, module in model.named_modules()
        if not isinstance(module, MaskedDropout)
        for name, value in {**vars(module), **module._buffers}.items()
        if isinstance(value, Tensor)
    }


def _assigned(model: nn.Module, before: dict[tuple[str, str], Tensor]) -> Obstacle | None:
    """The first tensor that is another one than before."""
    for (layer, name), value in _held(model).items():
        if value is not before.get((layer, name)):
            reason = f"it assigns tensor {name!r} in place of changing it"
            cure = f"make {name!r} a buffer and change it in place"
            return Obstacle(layer, type(model.get_submodule(layer)), ValueError(reason), cure)
    return None


@torch.no_grad()
def _check_judges(task: Task, alone: Apart, x: Tensor, y: Tensor) -> None:
    """Refuse a loss or metric that gives another value for the same outputs."""
    output = alone._output(task, alone.models[0].eval(), x)
    for name, of in judges(task.workload).items():
        first, again = (torch.as_tensor(of(output, y), device=x.device).double() for _ in "12")
        if not torch.allclose(first, again, rtol=1e-6, atol=0, equal_nan=True):  # of rounding
            raise PartError(
                of,
                f"the {name} gives another value when it is called again on the same outputs; "
                "it is to depend on them and the targets alone",
            )
