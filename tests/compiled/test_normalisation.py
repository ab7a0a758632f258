"""Layers that normalise, compiled: in training and frozen."""

from __future__ import annotations

from torch import Tensor, nn

from kit.programs import LAST, agree, numbers, trained
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_norms_of_layers() -> None:
    """In training and frozen, with the statistics that they keep."""

    def frozen(module: nn.Module, *given: Tensor) -> nn.Module:
        module(*given)
        return module.eval()

    agree(
        trained("LayerNorm", nn.LayerNorm(6), numbers(2, 4, 6)),
        trained("LayerNorm of two axes", nn.LayerNorm((4, 6), elementwise_affine=False),
                numbers(2, 4, 6)),
        trained("LayerNorm of all", nn.LayerNorm(6), numbers(6)),
        trained("RMSNorm", nn.RMSNorm(6), numbers(2, 4, 6)),
        trained("GroupNorm", nn.GroupNorm(2, 4), numbers(3, 4, 3, 2)),
        trained("GroupNorm, last", nn.GroupNorm(4, 4, affine=False),
                numbers(2, 4, 3, 3).contiguous(memory_format=LAST)),
        trained("InstanceNorm", nn.InstanceNorm2d(3, affine=True), numbers(2, 3, 4, 4)),
        trained("InstanceNorm with statistics", nn.InstanceNorm1d(3, track_running_stats=True),
                numbers(2, 3, 4)),
        trained("BatchNorm1d", nn.BatchNorm1d(4), numbers(5, 4)),
        trained("BatchNorm1d of sequences", nn.BatchNorm1d(4, affine=False), numbers(2, 4, 3)),
        trained("BatchNorm2d", nn.BatchNorm2d(4, momentum=0.3), numbers(3, 4, 2, 2)),
        trained("BatchNorm2d, last", nn.BatchNorm2d(3),
                numbers(2, 3, 4, 4).contiguous(memory_format=LAST)),
        trained("BatchNorm, no statistics", nn.BatchNorm1d(4, track_running_stats=False),
                numbers(5, 4)),
        trained("BatchNorm2d, frozen", frozen(nn.BatchNorm2d(4), numbers(3, 4, 2, 2)),
                numbers(3, 4, 2, 2)),
        trained("BatchNorm1d, frozen", frozen(nn.BatchNorm1d(4), numbers(3, 4)), numbers(3, 4)),
        trained("Conv and BatchNorm", nn.Sequential(nn.Conv2d(2, 3, 3, bias=False),
                nn.BatchNorm2d(3), nn.ReLU()), numbers(2, 2, 5, 5)),
        rtol=1e-4,
    )  # fmt: skip
