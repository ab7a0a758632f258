"""What a detailed trial is asked beside its history: outcomes of examples, noise of gradients.

Packs ask by :mod:`trainscape.engine.questions`.

Nothing here changes a trial: it is asked between steps, outside of what is recorded and captured,
and draws no random numbers. What a trial answers does not depend on what it trains with: outcomes
are made trial by trial, and gradients along axes of their own, in slices whose size is the model's.

Source of the noise: S. McCandlish, J. Kaplan, D. Amodei and the OpenAI Dota team, An empirical
model of large-batch training, 2018, https://arxiv.org/abs/1812.06162, appendix A.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from trainscape.cells.outcomes import packed
from trainscape.engine.model import build
from trainscape.engine.trial import CHUNK, outputs, single

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.engine.model import Tensors
    from trainscape.engine.task import Task

EXAMPLES = 64  # whose gradients are taken: the first of the seed's order in epoch 0
ROOM = 1 << 28  # bytes that gradients of single examples may take at once
BYTES = 16  # a number of them takes at most, with what is made of it
TOGETHER = CHUNK // EXAMPLES  # trials a slice has at most: more leave the cache, and are slower


def batch(task: Task, seed: int) -> tuple[Tensor, Tensor]:
    """The stated examples of a seed, inputs (n, …) and targets: 64, or all if there are fewer."""
    train = task.splits.train
    rows = task.order(seed, 0)[:EXAMPLES].to(train.x.device)
    return train.x[rows], train.y[rows]


def has_noise(task: Task) -> bool:
    """Whether a batch's gradient is the mean of its examples' own.

    It is not where the loss is no mean over examples, nor where examples meet in the model: in
    batch normalisation, and wherever else training changes a buffer.
    """
    if not hasattr(task.workload.loss, "example_mean"):
        return False
    model = build(task.workload.build, 0).train()
    if any(isinstance(module, _BatchNorm) for module in model.modules()):
        return False
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.no_grad():
        model(task.splits.train.x[:2].cpu())
    return all(torch.equal(b, before[name]) for name, b in model.named_buffers())


def finite(noise: list[list[float]]) -> list[list[float]]:
    """The entries; none at all where one is not finite, which no file can hold."""
    numbers = torch.tensor(noise, dtype=torch.float64)
    return noise if bool(numbers.isfinite().all()) else []


def outcomes(
    task: Task, output: Callable[[Tensor], Sequence[Tensor] | Tensor]
) -> list[str | list[float]]:
    """The metric of each test example, by trial, as a record holds it.

    Args:
        task: its metric is to be a mean over examples: of any other, a trial has no outcomes.
        output: gives each trial's outputs (B, …) for examples (B, …).
    """
    of, test = task.workload.metric.compute, task.splits.test
    if not hasattr(of, "example_mean"):
        return []
    chunks: list[list[Tensor]] = []
    for x, y in zip(torch.split(test.x, CHUNK), torch.split(test.y, CHUNK), strict=True):
        chunks.append([each(of, made, y).double() for made in output(x)])
    return [packed(torch.cat(values).tolist()) for values in zip(*chunks, strict=True)]


@torch.no_grad()
def each(of: Callable[[Tensor, Tensor], Any], output: Tensor, y: Tensor) -> Tensor:
    """A metric of each example by itself, (B,).

    Args:
        of: the metric.
        output: a model's outputs (B, …).
        y: the targets (B, …).
    """

    def one(made: Tensor, target: Tensor) -> Tensor:
        return torch.as_tensor(of(made[None], target[None]), device=output.device)

    try:
        return vmap(one)(output, y)
    except torch.OutOfMemoryError:
        raise
    except Exception:  # a metric that looks at a number: it depends on the workload alone
        return torch.stack([one(made, target) for made, target in zip(output, y, strict=True)])


def noise_together(
    task: Task, model: nn.Module, params: Tensors, others: Tensors, x: Tensor, y: Tensor
) -> Tensor:
    """The noise of the gradients of trials whose models torch can run as one program.

    Args:
        task: what they share.
        model: one such, whose own weights do not matter.
        params: those that train by name, (S, …), one for each trial.
        others: whatever else the models hold, in the same way.
        x: each trial's examples (S, n, …).
        y: their targets (S, n, …).

    Returns:
        By trial m, the mean of ‖gᵢ‖² over the examples' gradients gᵢ, and M, ‖mean gᵢ‖²: (S, 2)
        float64, in the loss's unit over the weights', squared. A gradient's norm is taken in the
        gradient's own precision: to make float64 of all doubles what the measurement costs.
    """
    model.eval()

    def loss(own: Tensors, rest: Tensors, x: Tensor, y: Tensor) -> Tensor:
        def forward() -> Tensor:
            made: Tensor = functional_call(model, {**own, **rest}, (x[None],))
            return made

        of = task.workload.loss
        return single("loss", of, of(outputs(forward, task.precision, x.device), y[None]))

    slopes = vmap(vmap(grad(loss), (None, None, 0, 0)))
    rows = _rows(sum(param[0].numel() for param in params.values()))
    trials, count = y.shape[:2]
    # filled up to whole vectors: torch rounds the last numbers of a tensor otherwise
    whole = torch.arange(EXAMPLES, device=y.device) % count
    squares: list[list[Tensor]] = [[] for _ in range(trials)]
    sums: list[Tensor | float] = [0.0] * trials
    for at in torch.split(whole, rows)[: -(-count // rows)]:
        made = slopes(params, others, x[:, at], y[:, at])
        flat = torch.cat([made.pop(name).reshape(trials, len(at), -1) for name in params], 2)
        counted = min(len(at), count - rows * len(squares[0]))
        for i in range(trials):  # sums over several trials at once would round by their number
            own = flat[i, :counted]
            norms = torch.linalg.vector_norm(own, dim=1)
            squares[i].append(norms.double().square())
            sums[i] = sums[i] + own.sum(0).double()
    found = [
        torch.stack([torch.cat(each_).mean(), torch.as_tensor(total / count).square().sum()])
        for each_, total in zip(squares, sums, strict=True)
    ]
    return torch.stack(found)


def noise_alone(
    task: Task, model: nn.Module, params: Sequence[Tensor], x: Tensor, y: Tensor
) -> list[float]:
    """The noise of one trial's gradients, m and M, example by example: for any model at all.

    Args:
        task: the trial's.
        model: the trial's own; left in evaluation mode.
        params: of the model, those that train.
        x: the examples (n, …).
        y: their targets (n, …).
    """
    model.eval()
    of, squares, sums = task.workload.loss, [], [torch.zeros(())] * len(params)
    # cuDNN's recurrent layers have no way back in evaluation mode
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        for i in range(len(y)):
            made = outputs(partial(model, x[i : i + 1]), task.precision, x.device)
            loss = single("loss", of, of(made, y[i : i + 1]))
            slopes = torch.autograd.grad(loss, list(params), materialize_grads=True)
            parts = [slope.double() for slope in slopes]
            squares.append(sum(part.square().sum().item() for part in parts))
            sums = [a.to(b) + b for a, b in zip(sums, parts, strict=True)]
    mean_square = sum((part / len(y)).square().sum().item() for part in sums)
    return [sum(squares) / len(y), mean_square]


def _rows(numbers: int) -> int:
    """How many examples a slice holds of each of two trials whose models have so many numbers."""
    held = ROOM // (2 * BYTES * max(numbers, 1))
    return min(EXAMPLES, 1 << max(held.bit_length() - 1, 0))


def trials_at_once(numbers: int) -> int:
    """How many trials a slice holds, of models that have so many numbers."""
    return min(TOGETHER, max(2, ROOM // (BYTES * EXAMPLES * max(numbers, 1))))
