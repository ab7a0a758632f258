"""The worked example of engine.md: one step of a tiny network, and the C that is made of it.

``python docs/engine_step.py`` writes engine_step.c; ``make docs`` does so, too.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional

from trainscape.compiled.recording import Recording
from trainscape.compiled.text import written

# four inputs, three classes, two examples; outputs lie side by side in memory
weight, bias = torch.zeros(4, 3).t(), torch.zeros(3)
x, y = torch.rand(2, 4), torch.tensor([0, 2])
gradient, velocity = torch.zeros(4, 3).t(), torch.zeros(4, 3).t()


def step() -> None:
    """A batch's gradient, and the update of the weight by momentum."""
    own = weight.detach().requires_grad_()
    loss = functional.cross_entropy(functional.linear(x, own, bias).relu(), y)
    gradient.copy_(torch.autograd.grad(loss, [own])[0])
    velocity.mul_(0.9).add_(gradient)
    weight.sub_(velocity, alpha=0.1)


def text() -> str:
    """The functions, and the calls of a step."""
    with Recording() as recording:
        step()
    found = written(recording.nodes, recording.made, recording.constants)
    calls = "".join(f"    {call}\n" for call in found.calls)
    return "\n".join(found.functions) + f"\nvoid work(char **slots) {{\n{calls}}}\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".c").write_text(text(), encoding="utf-8")
