"""Made-up data in the shapes of digits and MNIST: step times do not depend on what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainscape.datasets import Arrays
from trainscape.engine.data import prepare

if TYPE_CHECKING:
    import torch

    from trainscape.engine.data import Splits
    from trainscape.workloads import Workload

SIDES = {"digits": 8, "mnist": 28}
BRIGHTEST = {"digits": 17, "mnist": 256}
CLASSES = 10


def arrays(dataset: str, train: int, test: int) -> Arrays:
    """Noisy copies of one random image per class: something to learn, and always the same."""
    side, high = SIDES[dataset], BRIGHTEST[dataset]
    draw = np.random.default_rng(0)
    labels = draw.integers(0, CLASSES, train + test)
    shown = draw.integers(0, high // 2, (CLASSES, side, side))[labels]
    images = (shown + draw.integers(0, high // 2, shown.shape)).astype(np.uint8)
    return Arrays(images[:train], labels[:train], images[train:], labels[train:])


def splits(
    workload: Workload, train: int, test: int, device: torch.device, validation: float = 0.0
) -> Splits:
    """Such data, scaled for a workload."""
    return prepare(arrays(workload.dataset, train, test), workload, validation, device)
