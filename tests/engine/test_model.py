"""Many copies of one model, and dropout by masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from kit import examples
from trainscape import workloads
from trainscape.engine import streams
from trainscape.engine.model import MaskedDropout, Stack, build

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = workloads.registry.names()
FIXED_START = ("quadratic", "valley")


def stack(builder: Callable[[], nn.Module], seeds: list[int], *shape: int) -> Stack:
    """The stacked models of some seeds, for inputs of a shape (B, …)."""
    made = Stack(builder, len(seeds), torch.zeros(shape))
    made.load(seeds)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_weights_depend_on_the_seed_alone(name: str) -> None:
    """The same seed gives the same weights, whatever was drawn before; another seed, others.

    A workload that shows the path of its few weights starts each seed at the same point.
    """
    workload = workloads.registry.get(name)
    make = workload.build
    torch.manual_seed(1)
    first = nn.utils.parameters_to_vector(build(make, 0).parameters())
    torch.manual_seed(2)
    assert torch.equal(first, nn.utils.parameters_to_vector(build(make, 0).parameters()))
    other = nn.utils.parameters_to_vector(build(make, 1).parameters())
    assert torch.equal(first, other) == (name in FIXED_START)


def test_weights_never_change() -> None:
    """A seed's weights are the ones that all results so far started from."""
    first = next(build(workloads.registry.get("digits-mlp").build, 0).parameters())
    expected = torch.tensor([-0.098412469, 0.101947457, 0.103569597])
    torch.testing.assert_close(first[0, :3], expected, rtol=0, atol=1e-7)


def test_every_dropout_is_replaced() -> None:
    """No module that draws is left, also where one stands in two places or is the whole model."""

    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            drop = nn.Dropout(0.25)
            self.a, self.b = nn.Sequential(nn.Linear(2, 2), drop), nn.Sequential(drop)

    model = build(Shared, 0)
    masked = [m for m in model.modules() if isinstance(m, MaskedDropout)]
    assert len(masked) == 2, "two places, two masks"
    assert not [m for m in model.modules() if isinstance(m, nn.Dropout)]
    assert isinstance(build(lambda: nn.Dropout2d(0.5), 0), MaskedDropout)


def test_a_stack_computes_what_each_model_computes() -> None:
    """Outputs and gradients of every trial are those of its own model on its own input."""
    seeds = [4, 0, 4]
    together = stack(examples.odd, seeds, 2, 8, 8)
    x = examples.seeded((3, 5, 8, 8))
    output = together.forward(x, {}, training=True)
    losses = output.square().mean((1, 2))
    gradients = together.gradients(losses)
    for i, seed in enumerate(seeds):
        model = build(examples.odd, seed)
        alone = model(x[i])
        torch.testing.assert_close(output[i], alone)
        grads = torch.autograd.grad(alone.square().mean(), list(model.parameters()))
        expected = dict(zip(together.params, grads, strict=True))
        for names, block in zip(together.groups, gradients, strict=True):
            flat = torch.cat([expected[name].flatten() for name in names])
            torch.testing.assert_close(block[i].flatten(), flat)


def test_updates_of_the_blocks_are_updates_of_the_weights() -> None:
    """Every weight is a view of its place in a block, and every place is some weight's."""
    together = stack(examples.dropout, [0, 1], 2, 8, 8)
    assert [len(names) for names in together.groups] == [1, 5], "a large one, and small ones"
    for block in together.blocks:
        block.zero_()
    assert all(p.abs().sum() == 0 for p in together.params.values())
    sizes = [block.shape[1] for block in together.blocks]
    assert sum(p[0].numel() for p in together.params.values()) == sum(sizes)
    assert list(together.params) == [name for name, _ in together.template.named_parameters()]


def masks(seeds: list[int], step: int, examples_: int = 50) -> dict[str, Tensor]:
    """The masks of the dropout example, for some seeds at a step."""
    together = stack(examples.dropout, [0], 2, 8, 8)
    keys = {
        layer: torch.tensor([streams.derive(seed, "dropout", layer) for seed in seeds])
        for layer in together.dropouts
    }
    return together.masks(keys, torch.tensor([step]), examples_)


def test_masks_have_the_shape_and_the_share_that_dropout_drops() -> None:
    """Dropout drops features, Dropout2d channels, each with its p, scaled to keep the mean."""
    made = masks([0, 1], 3, 400)
    assert {name: mask.shape for name, mask in made.items()} == {
        "3.mask": (2, 400, 5, 1, 1),
        "7.mask": (2, 400, 37),
    }
    for mask, p in ((made["3.mask"], 0.3), (made["7.mask"], 0.5)):
        assert sorted(set(mask.flatten().tolist())) == pytest.approx([0, 1 / (1 - p)])
        dropped = (mask == 0).double()
        assert abs(dropped.mean().item() - p) < 5 * (p * (1 - p) / mask.numel()) ** 0.5


def test_masks_depend_on_seed_layer_and_step_alone() -> None:
    """Another seed or step changes every mask; other seeds and the batch's size don't."""
    one, other = masks([0], 3), masks([0], 4)
    among = masks([2, 0, 1], 3)
    for name, mask in one.items():
        assert not torch.equal(mask, other[name])
        assert torch.equal(among[name][1], mask[0])
        assert not torch.equal(among[name][0], mask[0])
        assert torch.equal(masks([0], 3, 20)[name][0], mask[0, :20])


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_of_nothing_and_of_everything(p: float) -> None:
    """With p = 0 the input stays, with p = 1 zeros do, not NaN: as ``nn.Dropout`` has it."""
    together = stack(lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout(p)), [0], 2, 3)
    mask = together.masks({"1": torch.tensor([1])}, torch.tensor([0]), 4)["1.mask"]
    assert torch.equal(mask, torch.full((1, 4, 2), 1 - p))


def test_dropout_is_off_in_evaluation() -> None:
    """Without training the outputs are those of the model without its dropout."""
    together = stack(examples.dropout, [0], 2, 8, 8)
    x = examples.seeded((1, 4, 8, 8))
    bare = nn.Sequential(
        *[m for m in build(examples.dropout, 0).children() if not isinstance(m, MaskedDropout)]
    )
    torch.testing.assert_close(together.forward(x, {}, training=False)[0], bare(x[0]))


def test_finding_mask_shapes_leaves_statistics_alone() -> None:
    """The pass that finds the shapes does not count as training for BatchNorm."""

    def builder() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))

    together = stack(builder, [0, 1], 6, 3)
    assert together.buffers["1.num_batches_tracked"].tolist() == [0, 0]
    assert torch.equal(together.buffers["1.running_mean"], torch.zeros(2, 4))
    assert set(together.buffers) == {
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    }
