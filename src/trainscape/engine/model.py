"""Many copies of one model: parameters and buffers stacked on a leading axis of trials.

The model stays a plain ``nn.Module``. Dropout modules are replaced by ones that multiply with a
mask they are given, so that no module draws random numbers while it trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.dropout import _DropoutNd

from trainscape.engine import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Tensors = dict[str, Tensor]

CHANNELWISE = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.FeatureAlphaDropout)
SUPPORTED = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


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
        ValueError: the model has a kind of dropout that has no masked form.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(streams.derive(seed, "weights"))
        model = builder()
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


@dataclass
class Stack:
    """The models of a pack.

    ``flat`` (T, P) holds every trial's parameters side by side, so that an update rule is a few
    operations on one tensor; ``params`` are views of it, (T, *shape) each, which autograd
    differentiates. ``buffers``, with frozen parameters among them, are (T, *shape) each.
    ``dropouts`` holds of each dropout p and the shape of its mask for one example.
    """

    template: nn.Module
    flat: Tensor
    grad: Tensor
    params: Tensors
    buffers: Tensors
    dropouts: dict[str, tuple[float, torch.Size]]

    @classmethod
    def of(cls, builder: Callable[[], nn.Module], seeds: Sequence[int], example: Tensor) -> Stack:
        """One model per entry of ``seeds``; ``example`` (B, …) is an input, to learn mask shapes.

        Raises:
            ValueError: the model uses dropout in a way that has no masked form.
        """
        models = {seed: build(builder, seed) for seed in dict.fromkeys(seeds)}
        template = models[seeds[0]]
        params = _stacked([dict(models[s].named_parameters()) for s in seeds], example.device)
        buffers = _stacked([dict(models[s].named_buffers()) for s in seeds], example.device)
        for name, module in template.named_modules():
            if isinstance(module, MaskedDropout):
                del buffers[f"{name}.mask"]  # masks come with every step
        for name, param in template.named_parameters():
            if not param.requires_grad:
                buffers[name] = params.pop(name)
        flat = torch.cat([p.reshape(len(seeds), -1) for p in params.values()], dim=1)
        parts = torch.split(flat, [p[0].numel() for p in params.values()], dim=1)
        views = {
            name: part.view(p.shape).detach().requires_grad_()
            for (name, p), part in zip(params.items(), parts, strict=True)
        }
        dropouts = _dropouts(build(builder, seeds[0]), example)
        return cls(template, flat, torch.empty_like(flat), views, buffers, dropouts)

    def masks(self, keys: Tensors, step: int, batch: int) -> Tensors:
        """Dropout masks (S, B, …) of one step, one per seed; ``keys[layer]`` int64 (S,)."""
        masks = {}
        for name, (p, shape) in self.dropouts.items():
            size = batch * shape.numel()
            kept = streams.uniform_bits(keys[name], step, size) >= round(p * (1 << 24))
            mask = kept.to(self.flat.dtype) * (1 / (1 - p) if p < 1 else 0.0)
            masks[f"{name}.mask"] = mask.view(-1, batch, *shape)
        return masks

    def forward(self, x: Tensor, masks: Tensors, training: bool) -> Tensor:
        """Outputs (T, B, …) of every trial's model for its own inputs (T, B, …)."""
        self.template.train(training)

        def one(state: Tensors, x: Tensor) -> Tensor:
            output: Tensor = functional_call(self.template, state, (x,))
            return output

        output: Tensor = vmap(one)({**self.params, **self.buffers, **masks}, x)
        return output

    def backward(self, losses: Tensor) -> Tensor:
        """The gradients (T, P) of the trials' own losses (T,)."""
        grads = torch.autograd.grad(
            losses.sum(), list(self.params.values()), materialize_grads=True
        )
        return torch.cat([g.reshape(len(losses), -1) for g in grads], dim=1, out=self.grad)


def _stacked(each: Sequence[Tensors], device: torch.device) -> Tensors:
    """The trials' tensors of one name as one, (T, …)."""
    return {name: torch.stack([e[name].detach() for e in each]).to(device) for name in each[0]}


def _dropouts(model: nn.Module, example: Tensor) -> dict[str, tuple[float, torch.Size]]:
    """Run a model once, to see what each dropout that it uses is given."""
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
