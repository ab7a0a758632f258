"""Workloads that are judged by a loss: article 2's regression, and functions to descend on."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from trainscape import datasets, study, workloads
from trainscape.cells import grid
from trainscape.datasets import Arrays, Raw
from trainscape.engine import device, run

if TYPE_CHECKING:
    from trainscape.cells.cell import TrialRecord

DECAY = {"name": "exponential", "rate": 0.99, "every": "1 steps", "staircase": True}


def arrays(name: str) -> Arrays:
    """A dataset that needs no download."""
    return datasets.registry.get(name).make(Raw(Path()))


def descent(workload: str, **grid_: object) -> list[list[TrialRecord]]:
    """The records of full-batch gradient descent, a cell after the other; 40 steps."""
    raw = {
        "workloads": [workload],
        "budget": {"steps": 40},
        "seeds": 2,
        "validation": 0,
        "grid": {"optimizer": ["sgd"], "batch_size": [1], "lr": [0.1], **grid_},
    }
    specs = [cell.spec() for cell in grid.cells(study.parse(raw, "test"))]
    steps, records = run.train_cells(specs, arrays("point"), device.choose("cpu"))
    assert steps == list(range(1, 41)), "evaluate_every: 1 is every step of one example"
    return records


class TestRegression:
    """Article 2's data and network."""

    def test_data_are_the_articles(self) -> None:
        """The training split is what the article's four lines of numpy make, to float32."""
        state = np.random.get_state()
        np.random.seed(0)
        x = np.random.rand(1000, 10)
        y = x.dot(np.random.rand(10, 1)) + np.random.rand(1000, 1)
        np.random.set_state(state)
        made = arrays("regression")
        assert np.array_equal(made.x_train, x.astype(np.float32))
        assert made.y_train.shape == (1000, 1)
        assert made.y_train == pytest.approx(y.astype(np.float32), rel=1e-7)

    def test_both_splits_have_one_law(self) -> None:
        """Weights fitted to one split leave the noise's variance, 1/12, on the other."""
        made = arrays("regression")
        x, unseen = (np.c_[x, np.ones(len(x))] for x in (made.x_train, made.x_test))
        weights = np.linalg.lstsq(x, made.y_train.astype(float), rcond=None)[0]
        assert np.mean((unseen @ weights - made.y_test) ** 2) == pytest.approx(1 / 12, rel=0.1)
        assert weights[-1] == pytest.approx(0.5, abs=0.1), "the noise's mean"

    def test_content_is_pinned(self) -> None:
        """Whatever numpy makes them, both made datasets have their pinned content."""
        for name in ("regression", "point"):
            assert datasets.digest(arrays(name)) == datasets.registry.get(name).sha256

    def test_network_starts_as_keras_does(self) -> None:
        """10-64-32-1, weights uniform in Glorot's bounds, biases zero."""
        torch.manual_seed(0)
        model = workloads.registry.get("regression").build()
        layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
        assert [(m.in_features, m.out_features) for m in layers] == [(10, 64), (64, 32), (32, 1)]
        for layer in layers:
            bound = math.sqrt(6 / (layer.in_features + layer.out_features))
            assert 0.9 * bound < layer.weight.abs().max() <= bound
            assert not layer.bias.any()

    @pytest.mark.parametrize("shape", [(3,), (3, 2), (1, 1)])
    def test_shapes_that_would_broadcast_are_refused(self, shape: tuple[int, ...]) -> None:
        """Outputs (3, 1) are compared with targets (3, 1) and no others."""
        loss = workloads.registry.get("regression").loss
        output = torch.tensor([[1.0], [2.0], [4.0]])
        assert loss(output, torch.zeros(3, 1)).item() == 7.0
        with pytest.raises(ValueError, match="give them one shape"):
            loss(output, torch.zeros(shape))

    def test_reaches_its_target(self) -> None:
        """Adam at 0.01 brings the validation error below the target within 50 epochs, not below
        the noise.
        """
        raw = {
            "workloads": ["regression"],
            "budget": {"epochs": 50},
            "seeds": 1,
            "grid": {"optimizer": ["adam"], "batch_size": [32], "lr": [0.003]},
        }
        (cell,) = grid.cells(study.parse(raw, "test"))
        _, [[record]] = run.train_cells([cell.spec()], arrays("regression"), device.choose("cpu"))
        target = workloads.registry.get("regression").target
        assert 0.07 < min(record.val_metric) < target < record.val_metric[0]
        assert record.val_metric == record.val_loss


class TestQuadratic:
    """Article 4's (w + 1)² from w = 5."""

    def test_rows_are_the_articles(self) -> None:
        """The losses that the article prints for steps 0, 1, 2 and 39, digit by digit."""
        loss = descent("quadratic", schedule=[DECAY])[0][0].test_loss
        printed = [f"{loss[k]:.6g}" for k in (0, 1, 2, 39)]
        assert printed == ["23.04", "14.8194", "9.57903", "1.82229e-05"]

    def test_every_step_is_the_recurrence(self) -> None:
        """W ← w − 0.1·0.99^k · 2 (w + 1), written out in float64; train losses are those before."""
        record = descent("quadratic", schedule=[DECAY])[0][0]
        w, before, after = 5.0, [], []
        for k in range(40):
            before.append((w + 1) ** 2)
            w -= 0.1 * 0.99**k * 2 * (w + 1)
            after.append((w + 1) ** 2)
        assert record.test_loss == pytest.approx(after, rel=1e-4)
        assert record.train_loss == pytest.approx(before, rel=1e-4)

    def test_path_is_the_articles(self) -> None:
        """The points that the article prints after steps 0, 1, 2 and 39, from the start on."""
        path = descent("quadratic", schedule=[DECAY])[0][0].path
        assert len(path) == 41
        printed = [f"{w:.6g}" for k in (0, 1, 2, 3, 40) for w in path[k]]
        assert printed == ["5", "3.8", "2.8496", "2.095", "-0.995731"]

    def test_diverges_beyond_lr_1(self) -> None:
        """Below lr 1 descent comes nearer, above it moves away: 1 is stable's end."""
        (near, *_), (far, *_) = descent("quadratic", lr=[0.99, 1.01])
        assert near.test_loss[-1] < near.test_loss[0] < 36 < far.test_loss[0] < far.test_loss[-1]


class TestValley:
    """Article 3's narrow valley."""

    def test_every_step_is_the_recurrence(self) -> None:
        """Momentum in (x² + 20 y²)/2 from (−5, −2), written out in float64."""
        record = descent("valley", optimizer=["momentum"], lr=[0.05])[0][0]
        w, v, path, after = np.array([-5.0, -2.0]), np.zeros(2), [], []
        curvature = np.array([1.0, 20.0])
        for _ in range(40):
            path.append(w)
            v = 0.9 * v + curvature * w
            w = w - 0.05 * v
            after.append((curvature * w**2).sum() / 2)
        assert record.test_loss == pytest.approx(after, rel=1e-3)
        assert np.array(record.path[:-1]) == pytest.approx(np.array(path), abs=1e-5)

    def test_narrowness_bounds_the_rate(self) -> None:
        """Plain descent is stable up to 2/κ = 0.1; momentum 0.9 bears 0.15."""
        (near, *_), (far, *_) = descent("valley", lr=[0.099, 0.101])
        assert near.test_loss[-1] < near.test_loss[0]
        assert far.test_loss[-1] > 100
        (heavy, *_), *_ = descent("valley", optimizer=["momentum"], lr=[0.15])
        assert heavy.test_loss[-1] < heavy.test_loss[0]


@cache
def runs(workload: str) -> list[TrialRecord]:
    """Two seeds of one cell."""
    return descent(workload)[0]


@pytest.mark.parametrize("workload", ["quadratic", "valley"])
def test_no_seed_changes_a_descent(workload: str) -> None:
    """The start is the workload's and the batch is all data: seeds tell the same history."""
    first, second = (vars(record) for record in runs(workload))
    assert {**first, "seed": 0} == {**second, "seed": 0}
    assert first["val_loss"] == []
