"""Many copies of one model: parameters and buffers stacked on a leading axis of trials.

The model stays a plain ``nn.Module``. Dropout modules are replaced by ones that multiply with a
mask they are given, so that no module draws random numbers while it trains.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.dropout import _DropoutNd

from trainscape.engine import streams
from trainscape.engine.initial import Portable
from trainscape.engine.trial import judges, outputs, single

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainscape.engine.task import Task

    Tensors = dict[str, Tensor]
    Dropouts = dict[str, tuple[float, torch.Size]]

CHANNELWISE = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout)
SUPPORTED = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


LARGE = 512  # numbers from which on a parameter is a block of its own


class MaskedDropout(nn.Module):
    """Dropout by a given mask: in training the input times ``mask``, which is 0 or 1/(1 − p).

    Args:
        p: the share of elements (or channels) that is dropped.
        channelwise: whether whole channels are dropped, as by ``nn.Dropout2d``.
    """

    mask: Tensor

    def __init__(self, p: float, channelwise: bool) -> None:
        super().__init__()
        self.p = p
        self.channelwise = channelwise
        self.register_buffer("mask", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask if self.training else x

    def mask_shape(self, x: torch.Size) -> torch.Size:
        """The shape of the mask of one example, for inputs of shape ``x``, (B, …)."""
        return torch.Size([*x[1:2], *(1 for _ in x[2:])]) if self.channelwise else x[1:]


def build(builder: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A fresh model with the initial weights of ``seed``, drawn on the CPU for every device.

    Raises:
        ValueError: it is no model, or has a kind of dropout that has no masked form.
    """
    with torch.random.fork_rng(devices=[]), Portable():
        torch.manual_seed(streams.derive(seed, "weights"))
        model = builder()
    if not isinstance(model, nn.Module):
        given = "nothing" if model is None else f"a {type(model).__name__}"
        raise ValueError(f"the model's function returns {given} and is to return an nn.Module")
    # with duplicates: a module that stands in two places draws a mask of its own in each
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if isinstance(module, _DropoutNd):
            if type(module) not in SUPPORTED:
                known = ", ".join(f"nn.{kind.__name__}" for kind in SUPPORTED)
                raise ValueError(f"nn.{type(module).__name__} has no masked form; use {known}")
            masked = MaskedDropout(module.p, isinstance(module, CHANNELWISE))
            if not name:
                return masked
            model.set_submodule(name, masked)
    return model


class Stack:
    """The models of a pack, in memory that stays where it is.

    Args:
        builder: makes a model.
        width: how many models, T.
        example: an input (B, …) on the device to train on, to learn mask shapes.
        laid: whether weights lie in memory as the compiled step takes them, outputs side by side.

    Attributes:
        blocks: every trial's parameters, (T, n) each, which update rules change: a large parameter
            is a block of its own, small ones lie side by side.
        params: views of the blocks, (T, *shape) each, which autograd differentiates.
        buffers: frozen parameters among them, (T, *shape) each.
        dropouts: of each dropout p and the shape of its mask for one example.
        together: whether the models run as one program, which can be recorded and captured.

    Raises:
        ValueError: the model uses dropout in a way that has no masked form.
    """

    together: ClassVar[bool] = True

    def __init__(
        self, builder: Callable[[], nn.Module], width: int, example: Tensor, laid: bool = False
    ) -> None:
        self.builder = builder
        self.width = width
        self.template = build(builder, 0)
        self.orders = _orders(self.template) if laid else {}
        self.dropouts = dropouts_of(build(builder, 0), example)
        self.device = example.device
        own = state_of(self.template)
        trained = {n: p for n, p in self.template.named_parameters() if p.requires_grad}
        self.groups = _groups(trained)
        self.blocks: list[Tensor] = []
        views: Tensors = {}
        for names in self.groups:
            sizes = [trained[name].numel() for name in names]
            dtype = trained[names[0]].dtype
            block = torch.empty(width, sum(sizes), dtype=dtype, device=self.device)
            self.blocks.append(block)
            for name, part in zip(names, torch.split(block, sizes, dim=1), strict=True):
                piece = self._shaped(name, part, trained[name].shape)
                views[name] = piece.detach().requires_grad_()
        self.params = {name: views[name] for name in trained}
        self.buffers = {
            name: torch.empty(width, *tensor.shape, dtype=tensor.dtype, device=self.device)
            for name, tensor in own.items()
            if name not in trained
        }
        self._initial: dict[int, Tensors] = {}

    @torch.no_grad()
    def load(self, seeds: Sequence[int], count: int | None = None) -> None:
        """Bring every model to the initial state of its seed.

        Args:
            seeds: one for each model.
            count: how many models count; the others repeat the last of them. By default all.
        """
        self.count = len(seeds) if count is None else count
        for seed in seeds:
            if seed not in self._initial:
                self._initial[seed] = state_of(build(self.builder, seed))
        for name, tensor in {**self.params, **self.buffers}.items():
            tensor.copy_(torch.stack([self._initial[seed][name] for seed in seeds]))

    @property
    def flat(self) -> Tensor:
        """A copy of every trial's parameters side by side, (T, P), in the model's order."""
        parts = [p.detach().reshape(self.width, -1) for p in self.params.values()]
        return torch.cat(parts, dim=1)

    def pieces(self, blocks: Sequence[Tensor]) -> list[Tensor]:
        """Tensors (T, n) laid out like the blocks, as views (T, *shape), a parameter each."""
        found = []
        for names, block in zip(self.groups, blocks, strict=True):
            shapes = [self.params[name].shape[1:] for name in names]
            parts = torch.split(block, [shape.numel() for shape in shapes], dim=1)
            found += [
                self._shaped(name, part, shape)
                for name, part, shape in zip(names, parts, shapes, strict=True)
            ]
        return found

    def _shaped(self, name: str, part: Tensor, shape: torch.Size) -> Tensor:
        """A parameter's piece of a block, (T, n), as a view (T, *shape)."""
        order = self.orders.get(name)
        if order is None:
            return part.view(-1, *shape)
        back = sorted(range(len(order)), key=lambda k: order[k])
        return part.view(-1, *(shape[k] for k in order)).permute(0, *(1 + k for k in back))

    def flattened(self, by_name: Tensors) -> list[Tensor]:
        """What single models have of each parameter, (*shape), laid out like the blocks: (n,)."""
        return [
            torch.cat([self._flat(name, by_name[name]) for name in names])
            if len(names) > 1
            else self._flat(names[0], by_name[names[0]])
            for names in self.groups
        ]

    def _flat(self, name: str, value: Tensor) -> Tensor:
        order = self.orders.get(name)
        return (value if order is None else value.permute(order)).reshape(-1)

    def masks(self, keys: Tensors, step: Tensor, batch: int) -> Tensors:
        """Dropout masks (S, B, …) of one step, one per seed.

        Args:
            keys: by layer, int64 (S,).
            step: the training step, int64 (1,).
            batch: B.
        """
        masks = dropout_masks(self.dropouts, keys, step, batch, self.blocks[0].dtype)
        return {f"{name}.mask": mask for name, mask in masks.items()}

    def open_masks(self, batch: int) -> Tensors:
        """Masks (T, B, …) that drop nothing, to be filled or tried."""
        return {
            f"{name}.mask": self.blocks[0].new_ones(self.width, batch, *shape)
            for name, (_, shape) in self.dropouts.items()
        }

    @torch.enable_grad()
    def step(self, task: Task, x: Tensor, y: Tensor, masks: Tensors) -> list[Tensor]:
        """The training losses (T,) of the trials' own batches (T, B, …), and their gradients.

        Returns:
            The losses, then for every block its gradient, in memory that the caller may write to.
        """
        output = outputs(partial(self.forward, x, masks, True), task.precision, self.device)
        loss = task.workload.loss
        losses = single("loss", loss, vmap(loss)(output, y), axes=1)
        return [losses.detach(), *self.gradients(losses)]

    @torch.no_grad()
    def values(self, task: Task, x: Tensor, y: Tensor) -> list[Tensor]:
        """What examples (B, …), the same for every trial, come to.

        Their losses and metrics (T,); or, where these are of a whole split, the outputs (T, B, …).
        """
        output = self.outputs(task, x)
        return self.judged(task, output, y) if task.workload.in_parts else [output]

    @torch.no_grad()
    def outputs(self, task: Task, x: Tensor) -> Tensor:
        """The outputs (T, B, …) for examples (B, …), the same for every trial, without dropout."""
        # expanded, never shared: one product over all trials would round by the pack's width
        xs = x.expand(self.width, *x.shape)
        return outputs(partial(self.forward, xs, {}, False), task.precision, self.device)

    @torch.no_grad()
    def judged(self, task: Task, output: Tensor, y: Tensor) -> list[Tensor]:
        """The losses and metrics (T,) of outputs (T, B, …) for the same targets (B, …)."""
        ys = y.expand(self.width, *y.shape)
        return [
            single(name, of, vmap(of)(output, ys), axes=1)
            for name, of in judges(task.workload).items()
        ]

    def forward(self, x: Tensor, masks: Tensors, training: bool) -> Tensor:
        """Outputs (T, B, …) of every trial's model for its own inputs (T, B, …)."""
        self.template.train(training)

        def one(state: Tensors, x: Tensor) -> Tensor:
            output: Tensor = functional_call(self.template, state, (x,))
            return output

        output: Tensor = vmap(one)({**self.params, **self.buffers, **masks}, x)
        return output

    def gradients(self, losses: Tensor) -> list[Tensor]:
        """The gradients of the trials' own losses (T,), block by block, T in front."""
        made = torch.autograd.grad(losses.sum(), list(self.params.values()), materialize_grads=True)
        by_name = dict(zip(self.params, made, strict=True))
        found: list[Tensor] = []
        for names in self.groups:
            parts = [by_name[name].reshape(self.width, -1) for name in names]
            block = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
            # update rules write to it: autograd may hand out one tensor for two parameters
            lent = any(block.data_ptr() == other.data_ptr() for other in found)
            found.append(block.clone() if lent else block.contiguous())
        return found


def dropout_masks(
    dropouts: Dropouts, keys: Tensors, step: Tensor, batch: int, dtype: torch.dtype
) -> Tensors:
    """The dropout masks (S, B, …) of one step, by layer.

    Args:
        dropouts: of each layer p and the shape of its mask for one example.
        keys: by layer, int64 (S,), one per seed.
        step: the training step, int64 (1,).
        batch: B.
        dtype: of the masks.
    """
    masks = {}
    for name, (p, shape) in dropouts.items():
        size = batch * shape.numel()
        kept = streams.uniform_bits(keys[name], step, size) >= round(p * (1 << 24))
        mask = kept.to(dtype) * (1 / (1 - p) if p < 1 else 0.0)
        masks[name] = mask.view(-1, batch, *shape)
    return masks


def state_of(model: nn.Module) -> Tensors:
    """The parameters and buffers of a model; masks come with every step."""
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name, module in model.named_modules():
        if isinstance(module, MaskedDropout):
            del state[f"{name}.mask".removeprefix(".")]
    return {name: tensor.detach() for name, tensor in state.items()}


def _orders(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """The axes of weights in the order of memory, by parameter, where it is not torch's.

    Products run along the outputs of a layer, so these are to lie side by side.
    """
    kinds = {nn.Linear: (1, 0), nn.Conv2d: (2, 3, 1, 0)}
    return {
        f"{name}.weight".removeprefix("."): kinds[type(module)]
        for name, module in model.named_modules()
        if type(module) in kinds
    }


def _groups(trained: Mapping[str, Tensor]) -> list[list[str]]:
    """Which parameters share a block: the small ones of a type."""
    groups = [[name] for name, param in trained.items() if param.numel() >= LARGE]
    small = [name for name, param in trained.items() if param.numel() < LARGE]
    for dtype in dict.fromkeys(trained[name].dtype for name in small):
        groups.append([name for name in small if trained[name].dtype == dtype])
    return groups


def dropouts_of(model: nn.Module, example: Tensor) -> Dropouts:
    """Run a model once, to see what each dropout that it uses is given.

    Returns:
        By layer, p and the shape of its mask for one example.

    Raises:
        ValueError: it uses a dropout in a way that has no masked form.
    """
    layers = {n: m for n, m in model.named_modules() if isinstance(m, MaskedDropout)}
    seen: list[tuple[nn.Module, torch.Size]] = []
    for layer in layers.values():
        layer.register_forward_pre_hook(lambda m, args: seen.append((m, args[0].shape)))
    if layers:
        with torch.no_grad():
            model.train()(example.cpu())
    found = {}
    for name, layer in layers.items():
        shapes = [shape for m, shape in seen if m is layer]
        if len(shapes) > 1:
            raise ValueError(f"dropout {name!r} is used {len(shapes)} times; make one for each use")
        for shape in shapes:
            if shape[:1] != example.shape[:1]:
                raise ValueError(f"dropout {name!r} is given {tuple(shape)}; put examples first")
            found[name] = layer.p, layer.mask_shape(shape)
    return found


def repeats(builder: Callable[[], nn.Module]) -> bool:
    """Whether a builder gives the same weights when it is called again with one seed."""
    first, again = (state_of(build(builder, 0)) for _ in range(2))
    return first.keys() == again.keys() and all(
        torch.equal(first[name].nan_to_num(), again[name].nan_to_num()) for name in first
    )


def drawn(device: torch.device) -> tuple[object, ...]:
    """The states of the generators that a model could draw from: torch's, Python's and numpy's."""
    own = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()
    _, words, place, *_ = np.random.get_state(legacy=True)
    return own.numpy().tobytes(), random.getstate(), np.asarray(words).tobytes(), place


def drawing_layer(
    builder: Callable[[], nn.Module], example: Tensor
) -> tuple[str, type[nn.Module]] | None:
    """The name and class of the innermost module that draws random numbers in training, if any.

    Args:
        builder: makes the model.
        example: an input (B, …).
    """
    model = build(builder, 0).train()
    found: list[tuple[str, type[nn.Module]]] = []
    before: list[object] = []  # the generators' state when the modules that are running began

    def leave(name: str, module: nn.Module, *_: object) -> None:
        if before.pop() != drawn(torch.device("cpu")):
            found.append((name, type(module)))

    for name, module in model.named_modules():
        module.register_forward_pre_hook(lambda *_: before.append(drawn(example.cpu().device)))
        module.register_forward_hook(partial(leave, name))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        model(example.cpu())
    return found[0] if found else None
