"""Muon by Jordan's description, matrix by matrix, and ``torch.optim.AdamW`` for what is none.

``torch.optim.Muon`` multiplies in bfloat16 and takes matrices only: a test of its own compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from trainscape.optimizers.muon import Muon


class Described(torch.optim.Optimizer):
    """The description for one matrix at a time; AdamW inside, for everything else."""

    def __init__(self, rule: Muon, params: Sequence[Tensor], lr: float) -> None:
        super().__init__(params, {"lr": lr})
        self.rule = rule
        others = [p for p in params if p.dim() < 2] or [torch.zeros(1)]
        self.adamw = torch.optim.AdamW(
            others,
            lr,
            (rule.adamw_beta1, rule.adamw_beta2),
            rule.adamw_eps,
            rule.adamw_weight_decay,
        )

    @torch.no_grad()
    def step(self, _closure: Any = None) -> None:  # type: ignore[override]
        """One step of every matrix, then of the rest."""
        group = self.param_groups[0]
        for w in group["params"]:
            if w.dim() >= 2:
                self._matrix(
                    w.view(len(w), -1), w.grad.view(len(w), -1), self.state[w], group["lr"]
                )
        self.adamw.param_groups[0]["lr"] = group["lr"] * self.rule.adamw_lr
        self.adamw.step()

    def _matrix(self, w: Tensor, g: Tensor, state: dict[str, Any], lr: float) -> None:
        rule, (m, n) = self.rule, w.shape
        b = rule.momentum * state.get("b", 0.0) + (1 - rule.momentum) * g
        state["b"] = b
        x = (1 - rule.momentum) * g + rule.momentum * b if rule.nesterov else b
        x = x / (torch.linalg.matrix_norm(x) + rule.eps)
        a1, a3, a5 = rule.ns_coefficients
        for _ in range(rule.ns_steps):
            x = a1 * x + a3 * x @ x.T @ x + a5 * x @ x.T @ x @ x.T @ x
        scales = {"original": max(1, m / n) ** 0.5, "match_rms_adamw": 0.2 * max(m, n) ** 0.5}
        w -= lr * rule.weight_decay * w
        w -= lr * scales[rule.adjust_lr_fn] * x


def reference(optimizer: Muon, params: Sequence[Tensor], lr: float) -> torch.optim.Optimizer:
    """The description."""
    return Described(optimizer, params, lr)
