"""A dataset, a workload and an optimizer of your own."""

from dataclasses import dataclass

from trainscape.datasets import npz_dataset
from trainscape.optimizers import Optimizer, register
from trainscape.workloads import workload

npz_dataset("rings", "rings.npz")  # the path is relative to this file


@workload("rings-mlp", dataset="rings", target=0.95)
def build():
    """2-16-2, a plain module; dropout and batch norm would work, too."""
    from torch import nn

    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))


@register("sign")
@dataclass(frozen=True)
class Sign(Optimizer):
    """w ← w − lr · sign(m), where m is a running mean of the gradient."""

    decay: float = 0.9

    def init(self, param):
        return {"mean": param.new_zeros(param.shape)}

    def update(self, param, grad, state, lr, now):
        mean = state["mean"].lerp_(grad, 1 - self.decay)
        param.sub_(mean.sign().mul_(lr))
