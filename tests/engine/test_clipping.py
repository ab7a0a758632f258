"""Gradients that are clipped by their norm over all parameters, in packs and trial by trial."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from kit import examples
from kit.crowds import parts
from kit.examples import OPTIMIZERS, seeded, task, train, trained, trial
from kit.plain_loop import LR, batches, plain
from trainscape.cells.imported import Imported
from trainscape.engine.group import clip, norms_of
from trainscape.engine.model import build
from trainscape.engine.unfused import Single

if TYPE_CHECKING:
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial


def odd(**options: Any) -> Task:
    """A network of odd layers on 36 images, 16 a step."""
    return task(examples.named(examples.odd), examples.images(40), 16, **options)


def clipped(optimizer: str, longest: float | None, lr: float | None = None, seed: int = 3) -> Trial:
    """A trial whose gradients are clipped."""
    one = trial(optimizer, LR.get(optimizer, 0.002) if lr is None else lr, seed)
    return replace(one, optimizer=replace(one.optimizer, clip_norm=longest))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_clipping_is_that_of_a_plain_loop(optimizer: str) -> None:
    """Both engines train as a loop with ``clip_grad_norm_`` does, clipping some steps alone."""
    of = odd(budget={"epochs": 5})
    norms: list[float] = []
    plain(clipped(optimizer, 1e9), of, norms=norms)
    longest = sorted(norms)[len(norms) * 3 // 4]
    one = clipped(optimizer, longest)
    norms = []
    expected = plain(one, of, norms=norms)
    assert min(norms) < longest < max(norms)
    neighbours = [trial(optimizer, 0.01, 1), clipped(optimizer, 0.01, seed=3)]
    found = train([one, *neighbours], of)
    assert (
        found[0].train_loss
        != train([replace(one, optimizer=neighbours[0].optimizer)], of)[0].train_loss
    )
    for name, values in expected.items():
        assert getattr(found[0], name) == pytest.approx(values, rel=2e-4)
    if one.optimizer.reference([nn.Parameter(torch.zeros(2, 2))], 0.1) is not None:
        record = Single(of, one).train(lambda _: None)
        for name, values in expected.items():
            assert getattr(record, name) == pytest.approx(values, rel=1e-5)


def test_an_optimizer_that_evaluates_the_model_is_clipped_each_time() -> None:
    """L-BFGS trains as in a plain loop whose closure clips."""
    of = odd(validation=0.0)
    spec = {"name": "torch", "torch": "torch.optim.LBFGS", "max_iter": 3, "clip_norm": 0.05}
    lbfgs = Imported.of(spec)
    assert (lbfgs.clip_norm, lbfgs.arguments) == (0.05, {"max_iter": 3})
    one = replace(trial("sgd", 0.5, schedule="constant"), optimizer=lbfgs)
    record = Single(of, one).train(lambda _: None)
    model = build(of.workload.build, one.seed).train()
    optimizer = torch.optim.LBFGS(model.parameters(), 0.5, max_iter=3)
    losses = []
    for x, y in islice(batches(of, one.seed, drop_last=False), of.plan.total):

        def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
            optimizer.zero_grad()
            loss = of.workload.loss(model(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            clip_grad_norm_(model.parameters(), 0.05)
            return loss

        losses.append(optimizer.step(closure).item())  # type: ignore[no-untyped-call]
    means = [sum(part) / len(part) for part in (losses[: of.plan.epoch], losses[of.plan.epoch :])]
    assert record.train_loss == pytest.approx(means, rel=1e-5)


@pytest.mark.parametrize("name", ["odd", "silu", "dropout"])
def test_clipped_trials_are_the_same_in_every_pack(name: str) -> None:
    """At widths 1 to 33, beside clipped and unclipped trials of any rule: the same bits."""
    of = task(examples.named(getattr(examples, name)), examples.images(31), 16, {"steps": 4})
    limits = (0.03, None, 1.0, 0.3)
    trials = [
        clipped(OPTIMIZERS[i % len(OPTIMIZERS)], limits[i % 4], 0.001 * (1 + i), i % 3)
        for i in range(33)
    ]
    together = trained(trials, of)
    assert trained(trials[::-1], of) == together[::-1]
    for part in parts():
        assert trained(trials[part], of) == together[part]


def test_a_clipped_neighbour_changes_nothing() -> None:
    """Without clipping of its own a trial is what it is in a pack without any."""
    of = odd()
    bare = [trial("adam", 0.01 * (1 + i), i) for i in range(3)]
    beside = [clipped("adam", 0.1), clipped("sgd", 1e-3)]
    assert trained([*bare, *beside], of)[:3] == trained(bare, of)


def test_a_clipped_trial_that_diverges_does_so_alone() -> None:
    """A norm that is not finite makes its own trial's weights so, as in a plain loop."""
    of = odd()
    lost, kept = clipped("sgd", 1.0, 1e30), clipped("sgd", 1.0, 0.1)
    found = trained([lost, kept], of)
    assert (found[0].record.status, found[1].record.status) == ("diverged", "ok")
    assert found[1] == trained([kept], of)[0]


@pytest.mark.parametrize("shapes", [[(7,)], [(5, 3), (4,)], [(1000,), (33, 70), (1,)]])
@pytest.mark.parametrize("longest", [1e-3, 2.0, 1e3])
def test_a_gradient_is_scaled_as_torch_scales_it(
    shapes: list[tuple[int, ...]], longest: float
) -> None:
    """The norm of all parameters together, and what becomes of each, one trial at a time."""
    grads = [seeded((6, *shape), i) for i, shape in enumerate(shapes)]
    alone = [[nn.Parameter(torch.zeros(shape)) for shape in shapes] for _ in range(6)]
    expected = []
    for i, params in enumerate(alone):
        for param, grad in zip(params, grads, strict=True):
            param.grad = grad[i].clone()
        expected.append(clip_grad_norm_(params, longest))
    norms = norms_of(grads)
    torch.testing.assert_close(norms[:, 0], torch.stack(expected))
    clip(grads, norms, longest)
    for i, params in enumerate(alone):
        for param, grad in zip(params, grads, strict=True):
            torch.testing.assert_close(grad[i], param.grad)


@pytest.mark.parametrize("numbers", [1, 3, 16, 37, 511, 512, 1531, 4810])
def test_a_norm_has_the_same_bits_at_any_width(numbers: int) -> None:
    """Wherever a trial lies, and whatever the layout of the gradients."""
    grads = [seeded((33, numbers)), seeded((5, 33, 7), 1).transpose(0, 1)]
    whole = norms_of(grads)
    for part in parts():
        assert torch.equal(norms_of([grad[part] for grad in grads]), whole[part])
        copies = [grad[part].clone() for grad in grads]
        assert torch.equal(norms_of(copies), whole[part])
