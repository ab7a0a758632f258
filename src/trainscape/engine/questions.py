"""A pack's detailed trials are asked what they are asked beside their history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainscape.engine import pulse
from trainscape.engine.apart import Apart
from trainscape.engine.detail import (
    batch,
    finite,
    has_noise,
    noise_alone,
    noise_together,
    outcomes,
    trials_at_once,
)
from trainscape.engine.laid import Laid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.cells.cell import TrialRecord
    from trainscape.engine.model import Stack, Tensors
    from trainscape.engine.task import Task


class Questions:
    """What the trials of a pack are asked.

    Args:
        task: what they share.
        stack: their models.
    """

    def __init__(self, task: Task, stack: Stack) -> None:
        self.task, self.stack = task, stack
        self.noisy = has_noise(task)

    def begin(self, seeds: Sequence[int]) -> None:
        """Start with trials of these seeds, the stack's."""
        self.seeds = list(seeds[: self.stack.count])
        self.noise: list[list[list[float]]] = []  # by evaluation, then by trial
        self.outcomes: list[str | list[float]] = []

    def look(self, step: int) -> None:
        """Measure the noise of every trial's gradients, after ``step`` steps."""
        if not self.noisy:
            return
        pulse.doing(f"measuring the gradients' noise after step {step}")
        batches = {seed: batch(self.task, seed) for seed in dict.fromkeys(self.seeds)}
        x, y = ([batches[seed][k] for seed in self.seeds] for k in (0, 1))
        self.noise.append(_noise_of_stack(self.task, self.stack, x, y))

    def score(self) -> None:
        """Take the outcomes of the test examples, at the weights that are to be scored."""
        pulse.doing("scoring each test example")
        count = self.stack.count
        self.outcomes = outcomes(self.task, lambda x: self.stack.outputs(self.task, x)[:count])

    def added(self, record: TrialRecord, i: int) -> TrialRecord:
        """A record with what the trial in place ``i`` answered, as far as the record goes."""
        i = min(i, self.stack.count - 1)  # those behind repeat the last
        noise = finite([entry[i] for entry in self.noise[: len(record.test_loss)]])
        ended = record.status == "ok" and self.outcomes
        return replace(record, noise=noise, outcomes=self.outcomes[i] if ended else "")


def _noise_of_stack(
    task: Task, stack: Stack, x: Sequence[Tensor], y: Sequence[Tensor]
) -> list[list[float]]:
    """The noise of each trial's gradients, on its own examples."""
    if isinstance(stack, Laid):
        return stack.noise(task, x, y)
    if isinstance(stack, Apart):
        models = zip(stack.models, stack.trained, x, y, strict=True)
        return [noise_alone(task, *each_) for each_ in models]
    found: list[list[float]] = []
    size = trials_at_once(sum(param[0].numel() for param in stack.params.values()))
    for start in range(0, len(x), size):
        part = list(range(start, min(start + size, len(x))))
        pair = [*part, *part[-1:] * (len(part) == 1)]  # one alone takes another path through BLAS
        at = torch.tensor(pair, device=stack.device)
        params, others = _taken(stack.params, at), _taken(stack.buffers, at)
        xs, ys = (torch.stack([of[i] for i in pair]) for of in (x, y))
        made = noise_together(task, stack.template, params, others, xs, ys)
        found += made[: len(part)].tolist()
    return found


def _taken(tensors: Mapping[str, Tensor], at: Tensor) -> Tensors:
    return {name: tensor.detach().index_select(0, at) for name, tensor in tensors.items()}
