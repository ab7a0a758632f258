"""Layers for images, compiled: convolution, framing and pooling of torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kit.programs import LAST, agree, case, numbers, slopes, trained
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_convolutions() -> None:
    """Of many shapes, by input, weights and bias."""

    def images(*sizes: int) -> Tensor:
        return numbers(*sizes)

    agree(
        trained("one channel", nn.Conv2d(1, 5, 3, padding=1), images(2, 1, 7, 6)),
        trained("plain", nn.Conv2d(3, 4, 3), images(2, 3, 7, 6)),
        trained("last", nn.Conv2d(3, 4, 3).to(memory_format=LAST),
                images(2, 3, 7, 6).contiguous(memory_format=LAST)),
        trained("stride", nn.Conv2d(3, 4, (3, 2), stride=(2, 3), padding=(1, 0)),
                images(2, 3, 7, 8)),
        trained("dilation", nn.Conv2d(3, 2, 3, padding=2, dilation=2, bias=False),
                images(2, 3, 7, 6)),
        trained("groups", nn.Conv2d(4, 6, 3, groups=2, padding=1, stride=2), images(2, 4, 7, 6)),
        trained("depthwise", nn.Conv2d(5, 5, 3, groups=5, padding=1), images(2, 5, 4, 4)),
        trained("pointwise", nn.Conv2d(3, 4, 1), images(2, 3, 5, 5)),
        trained("one pixel", nn.Conv2d(3, 4, 3, padding=1), images(2, 3, 1, 1)),
        trained("one image", nn.Conv2d(3, 1, 3), images(1, 3, 5, 5)),
        trained("no batch", nn.Conv2d(3, 2, 3), images(3, 5, 5)),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_convolutions_of_other_forms() -> None:
    """Along one axis, framed in other ways, of parts of tensors, in a row."""

    def framed(kind: Any) -> nn.Module:
        return nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=kind)

    class Viewed(nn.Module):
        """As older code flattens: torch needs no copy for it."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3)
            self.out = nn.Linear(12, 2)

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.out(functional.max_pool2d(self.conv(x), 2).view(len(x), -1))
            return made

    agree(
        trained("1d", nn.Conv1d(3, 4, 3, padding=1), numbers(2, 3, 8)),
        trained("1d strided", nn.Conv1d(4, 6, 3, stride=2, dilation=2, groups=2), numbers(2, 4, 9)),
        *(trained(kind, framed(kind), numbers(2, 2, 5, 4)) for kind in
          ("reflect", "replicate", "circular")),
        trained("1d reflect", nn.Conv1d(2, 3, 3, padding=1, padding_mode="reflect"),
                numbers(2, 2, 5)),
        trained("1d replicate", nn.Conv1d(2, 3, 3, padding=1, padding_mode="replicate"),
                numbers(2, 2, 5)),
        trained("same", nn.Conv2d(2, 3, 4, padding="same"), numbers(2, 2, 5, 5)),
        trained("wider", nn.Upsample(scale_factor=2), numbers(2, 3, 3, 2)),
        trained("viewed", Viewed(), numbers(2, 2, 6, 6)),
        slopes("sliced", lambda x, w: functional.conv2d(x[:, 1:, ::2], w.transpose(0, 1)),
               numbers(2, 4, 9, 5), numbers(3, 2, 3, 3)),
        slopes("expanded", lambda x, w: functional.conv2d(x[:, :1].expand(2, 3, 5, 5), w),
               numbers(2, 2, 5, 5), numbers(2, 3, 3, 3)),
        trained("in a row", nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(4, 3, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
                nn.Linear(12, 2)), numbers(2, 1, 8, 8)),
    )  # fmt: skip


def test_pooling() -> None:
    """Ties too: of equal numbers torch takes the first."""
    ties = torch.randint(0, 3, (2, 3, 6, 6)).float()
    agree(
        trained("max", nn.MaxPool2d(2), numbers(2, 3, 5, 6)),
        trained("max of ties", nn.MaxPool2d(3, 2, 1), ties),
        trained("max of zeros", nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), -numbers(2, 1, 4, 4)),
        trained("max, overlapping", nn.MaxPool2d((3, 2), (1, 2), (1, 0)), numbers(2, 3, 5, 6)),
        trained("max 1d", nn.MaxPool1d(2), numbers(2, 3, 7)),
        case("max 1d, no gradient", lambda x: functional.max_pool1d(x, 3, 1, 1), numbers(2, 3, 7)),
        trained("mean", nn.AvgPool2d(2), numbers(2, 3, 5, 6)),
        trained("mean, padded", nn.AvgPool2d(3, 2, 1), numbers(2, 3, 5, 6)),
        trained("mean 1d", nn.AvgPool1d(2), numbers(2, 3, 7)),
        trained("mean of all", nn.AdaptiveAvgPool2d(1), numbers(2, 3, 5, 6)),
        trained("mean of all, 1d", nn.AdaptiveAvgPool1d(1), numbers(2, 3, 7)),
        trained("last", nn.MaxPool2d(2), numbers(2, 3, 4, 4).contiguous(memory_format=LAST)),
        slopes("sliced", lambda x: functional.max_pool2d(x[:, ::2, 1:], 2), numbers(2, 5, 5, 6)),
    )
