"""The rival's program and what it is given; most of it where jax is installed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from benchmarks import eager, jax_grid, jax_peer, jax_rival, synthetic
from benchmarks.floors import Work
from benchmarks.grid import Grid
from benchmarks.jax_peer import Peer, PeerError
from benchmarks.jax_rival import Rival, Way
from benchmarks.steps import Case, needs
from kit.examples import CPU
from trainscape import workloads

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.datasets import Arrays

NEEDS_JAX = pytest.mark.skipif(jax_peer.missing() is not None, reason=jax_peer.MISSING)
SPEC: dict[str, Any] = {
    "workload": "digits-mlp",
    "optimizer": {"name": "adam"},
    "batch_size": 16,
    "lr": 0.01,
    "schedule": {"name": "cosine"},
    "budget": {"epochs": 2},
    "evaluate_every": 1,
    "validation": 0.25,
}


def test_a_linear_layer_behind_a_convolution_takes_its_inputs_by_place() -> None:
    """Weights in the rival's layout give, channels last, what torch's give channels first."""
    model = workloads.registry.get("digits-cnn").build()
    last = list(model.parameters())[4]
    found = jax_peer.layout(model, [p.detach().numpy()[None] for p in model.parameters()])
    x = torch.randn(3, 32, 2, 2)
    ours = x.flatten(1) @ last.detach().T
    theirs = x.permute(0, 2, 3, 1).flatten(1).numpy() @ found[4][0]
    np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-5, atol=1e-5)
    assert [part.shape for part in found[:2]] == [(1, 3, 3, 1, 16), (1, 16)]


def test_models_are_as_far_apart_as_they_went() -> None:
    """The distance from ours over the way of ours, the largest of all models; lost ones count."""
    before = [np.zeros((2, 3)), np.zeros((2, 1))]
    ours = [np.full((2, 3), 2.0), np.zeros((2, 1))]
    theirs = [ours[0] + np.array([[0.0], [1.0]]), ours[1]]
    assert jax_rival.moved_apart(before, ours, ours) == 0
    assert jax_rival.moved_apart(before, ours, theirs) == pytest.approx(0.5)
    theirs[0][0, 0] = np.nan
    assert jax_rival.moved_apart(before, ours, theirs) == np.inf


def test_ways_are_few_models_many_models_and_one_by_one() -> None:
    """A case that holds few has two ways."""
    assert [way.name for way in jax_rival.ways(128)] == ["lax.map", "vmap 16", "vmap 128"]
    assert [way.name for way in jax_rival.ways(8)] == ["lax.map", "vmap 8"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workload": "cifar10-resnet"}, "no model cifar10-resnet"),
        ({"optimizer": {"name": "lars"}}, "no rule lars"),
        ({"optimizer": {"name": "adam", "beta1": 0.8}}, "adam at its defaults"),
        ({"evaluate_every": 0.5}, "evaluates after each"),
        ({"schedule": {"name": "plateau"}}, "no schedule plateau"),
    ],
)
def test_a_grid_that_the_program_cannot_train_is_refused(
    changes: dict[str, Any], words: str
) -> None:
    """It says what is missing."""
    assert jax_grid.refused([(SPEC, 0)]) is None
    assert words in str(jax_grid.refused([({**SPEC, **changes}, 0)]))


def test_without_jax_the_way_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is trained, and it says how to install it."""
    monkeypatch.setattr(jax_peer, "missing", lambda: jax_peer.MISSING)
    [way], outcomes = Grid(tmp_path, {"name": "x"}).jax(1, tmp_path)
    assert way.seconds is None
    assert way.how == f"skipped: {jax_peer.MISSING}"
    assert outcomes == []


@NEEDS_JAX
def test_a_process_answers_refuses_and_is_stopped() -> None:
    """What fails is said in a line; one that takes too long is ended."""
    with Peer(jax_peer.last_core()) as peer:
        assert peer.ask("hello")["platform"] == "cpu"
        with pytest.raises(PeerError, match="FileNotFoundError"):
            peer.ask("steps", file="nowhere", model="x", optimizer="x", at_once=1, width=1)
        assert peer.ask("hello")["jax"]
        with pytest.raises(PeerError, match="stopped after 0 s"):
            peer.ask("hello", limit=0)


@NEEDS_JAX
@pytest.mark.parametrize(
    "workload",
    ["digits-mlp", "digits-cnn", pytest.param("mnist-cnn", marks=pytest.mark.slow)],
)
def test_every_model_does_our_work(workload: str, tmp_path: Path) -> None:
    """Its weights and losses after some steps are ours, one by one and side by side."""
    case = Case(workload, "momentum", 4, 2)
    least = replace(needs(case), flops=1e12)  # a call of the fewest steps
    with Rival(case, tmp_path, CPU, least, 0.01) as rival:
        assert rival.steps == jax_rival.FEWEST
        assert set(rival.found) == {"lax.map", "vmap 2"}
        for way in rival.found.values():
            assert way["agrees"], way
        assert rival(2) > 0


@NEEDS_JAX
def test_a_way_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The others go on in another process; the fastest of them is chosen."""
    slow = Way("slow", 1, 2)
    asked = Peer.ask

    def ask(self: Peer, do: str, limit: float = 100, **words: Any) -> dict[str, Any]:
        late = do == "steps" and words["at_once"] == 1
        return asked(self, do, 0 if late else limit, **words)

    monkeypatch.setattr(Peer, "ask", ask)
    fast = [Way("one", 2, 2), slow, Way("two", 2, 2)]
    work = Work(1e12, 1.0)
    with Rival(Case("digits-mlp", "adam", 4, 2), tmp_path, CPU, work, 0.01, among=fast) as rival:
        assert rival.found["slow"] == {"error": "stopped after 0 s"}
        assert rival.way.name in ("one", "two")
        assert rival(1) > 0


@NEEDS_JAX
def test_every_rule_trains_a_trial_as_the_eager_loop_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Validation losses at the end are equal; the last batch of an epoch is a short one."""
    made: Arrays = synthetic.arrays("digits", 120, 30)
    monkeypatch.setattr("trainscape.datasets.load", lambda *_: made)
    splits = synthetic.splits(workloads.registry.get("digits-mlp"), 120, 30, CPU, 0.25)
    lrs = {"adam": 0.01, "adamw": 0.01, "rmsprop": 0.001}
    jobs = [
        ({**SPEC, "optimizer": {"name": name}, "lr": lrs.get(name, 0.05)}, seed)
        for name in jax_grid.RULES
        for seed in (0, 3)
    ]
    found = jax_grid.train(jobs, tmp_path, tmp_path / "jax")
    ours = [eager.train(spec, seed, splits).val_loss for spec, seed in jobs]
    assert found.losses == pytest.approx(ours, rel=1e-3)
    assert min(found.start, found.compile, found.run) > 0
    assert set(found.at_once) == {16}
