"""mnist-cnn: MNIST, two convolutions and dropout: the network of the study cnn-batch-size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import workload

if TYPE_CHECKING:
    from torch import nn


# 0.1307 and 0.3081: mean and standard deviation of the training images' grey levels in [0, 1].
# 0.1135: the share of the ones among the test digits; a constant prediction is right so often.
@workload("mnist-cnn", dataset="mnist", target=0.985, mean=0.1307, std=0.3081, chance=0.1135)
def build() -> nn.Module:
    """Two 3×3 convolutions, 2×2 pooling, 9216-128-10; 1,199,882 parameters.

    Inputs (B, 28, 28), logits (B, 10): their cross-entropy is the article's log-softmax with
    negative log-likelihood.
    """
    from torch import nn

    return nn.Sequential(
        nn.Unflatten(
            1, (1, 28)
        ),  # (B, 28, 28) -> (B, 1, 28, 28): images come without a channel axis
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout2d(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        # The article writes dropout2d here. On (B, features) that drops single features, as plain
        # dropout does, and torch warns of the ambiguity.
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
