"""LAMB by algorithm 2 of You and others, 2020, line by line.

``pytorch_optimizer``'s leaves out the correction of the moments, caps ‖w‖ at 10 and adds ε to ‖d‖:
no hyperparameters make it the paper's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from trainscape.optimizers.lamb import LAMB


class Paper(torch.optim.Optimizer):
    """The algorithm for one tensor at a time."""

    def __init__(self, rule: LAMB, params: Sequence[Tensor], lr: float) -> None:
        super().__init__(params, {"lr": lr})
        self.rule = rule
        self.t = 0

    @torch.no_grad()
    def step(self, _closure: Any = None) -> None:  # type: ignore[override]
        """One iteration of its loop over t, and of that over the layers."""
        self.t += 1
        for group in self.param_groups:
            for x in group["params"]:
                self._layer(x, x.grad, group["lr"])

    def _layer(self, x: Tensor, g: Tensor, eta: float) -> None:
        rule, state = self.rule, self.state[x]
        m = rule.beta1 * state.get("m", 0.0) + (1 - rule.beta1) * g
        v = rule.beta2 * state.get("v", 0.0) + (1 - rule.beta2) * g**2
        state["m"], state["v"] = m, v
        m_hat = m / (1 - rule.beta1**self.t)
        v_hat = v / (1 - rule.beta2**self.t)
        d = m_hat / (v_hat.sqrt() + rule.eps) + rule.weight_decay * x
        x_norm, d_norm = (x**2).sum().sqrt(), (d**2).sum().sqrt()
        x -= eta * (x_norm / d_norm if x_norm > 0 and d_norm > 0 else 1) * d


def reference(optimizer: LAMB, params: Sequence[Tensor], lr: float) -> torch.optim.Optimizer:
    """The paper's algorithm."""
    return Paper(optimizer, params, lr)
