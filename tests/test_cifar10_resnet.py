"""cifar10-resnet: the network's form, and what batch normalisation does in it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from trainscape.workloads import cifar10_resnet, registry


@pytest.fixture
def model() -> nn.Module:
    """The network with the weights of seed 0."""
    torch.manual_seed(0)
    return registry.get("cifar10-resnet").build()


def images(count: int) -> torch.Tensor:
    """Random bytes as the engine hands them to the model: float32 in [0, 1], (B, 32, 32, 3)."""
    entry = registry.get("cifar10-resnet")
    raw = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    scaled = (torch.as_tensor(raw).float() / 255 - entry.mean) / entry.std
    assert scaled.max() == 1
    return scaled


def test_parameters_are_counted(model: nn.Module) -> None:
    """As many parameters as are stated: seven 3×3 and two 1×1 convolutions, norms, 64-10."""
    wide = 3 * 16 + 16 * 16 * 2 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64
    norms = 2 * (3 * 16 + 3 * 32 + 3 * 64)
    expected = 9 * wide + (16 * 32 + 32 * 64) + norms + 64 * 10 + 10
    assert sum(p.numel() for p in model.parameters()) == expected == 78_042


def test_logits_of_one_image_and_of_many(model: nn.Module) -> None:
    """Channels come last in the data: (B, 32, 32, 3) gives ten finite logits each."""
    for count in (1, 3):
        output = model.eval()(images(count))
        assert output.shape == (count, 10)
        assert output.isfinite().all()


def test_colours_are_scaled_one_by_one(model: nn.Module) -> None:
    """An image of the data's mean colour enters as zeros, one deviation above as ones."""
    mean, std = torch.tensor(cifar10_resnet.MEAN), torch.tensor(cifar10_resnet.STD)
    flat = torch.stack([mean, mean + std]).view(2, 1, 1, 3).expand(2, 32, 32, 3)
    assert isinstance(model, nn.Sequential)
    entered = model[0](flat)
    assert entered.shape == (2, 3, 32, 32)
    assert entered[0].abs().max() < 1e-6
    assert (entered[1] - 1).abs().max() < 1e-5


def test_convolutions_keep_the_scale(model: nn.Module) -> None:
    """Their weights have the variance 2 / fan-out, as He et al. draw them, and no bias."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.out_channels * math.prod(layer.kernel_size)
            assert layer.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)
            assert layer.bias is None


def test_statistics_are_the_training_batches(model: nn.Module) -> None:
    """Training moves the running statistics; evaluation reads them and leaves them as they are."""
    x = images(8)
    before = {name: b.clone() for name, b in model.named_buffers()}
    trained = model.train()(x).detach()
    after = {name: b.clone() for name, b in model.named_buffers()}
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if "running" in name or "num_batches" in name}
    assert not torch.allclose(model.eval()(x), trained)
    assert all(torch.equal(b, after[name]) for name, b in model.named_buffers())


def test_initial_loss_is_a_guess(model: nn.Module) -> None:
    """A fresh network's loss is that of ten equally likely classes, within a third."""
    entry = registry.get("cifar10-resnet")
    loss = entry.loss(model.train()(images(100)), torch.arange(100) % 10).item()
    assert loss == pytest.approx(math.log(10), rel=1 / 3)
