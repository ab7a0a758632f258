"""A cell: one (workload, optimizer, batch size, lr, schedule) combination with all its seeds.

Knows identity only: canonical JSON, digest, path. What goes into a digest besides the cell itself
(data, torch, source) is handed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from trainscape.hashing import SHORT, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

TORCH = "torch"  # the name of an optimizer that an import path stands for
PATH = re.compile(
    r"(?P<workload>[^/]+)/(?P<optimizer>[^/]+)/"
    r"bs(?P<batch_size>\d+)-lr(?P<lr>\d[\d.]*(?:e[+-]\d+)?)-(?P<schedule>.+)-(?P<sha>[0-9a-f]{12})\.json"
)


@dataclass(frozen=True)
class Part:
    """An optimizer or a schedule as a study names it.

    Args:
        name: the registry's name.
        params: every hyperparameter, defaults included.
        label: what tables, figures and paths call it; no part of its identity.
    """

    name: str
    params: Mapping[str, Any]
    label: str = field(compare=False)

    def spec(self) -> dict[str, Any]:
        """The part as plain data, without its label."""
        return {"name": self.name, **self.params}


@dataclass(frozen=True)
class Cell:
    """Everything that decides a cell's numbers, besides data and code.

    Args:
        workload: the workload's name.
        optimizer: the optimizer and its hyperparameters.
        batch_size: examples a step.
        lr: the peak learning rate.
        schedule: the schedule and its hyperparameters.
        seeds: one trial each.
        budget: ``{"epochs": n}`` or ``{"steps": n}``.
        validation: the share of the training split that is held out, 0 for none.
        evaluate_every: training examples between evaluations, in passes over the training split.
        precision: of the arithmetic: ``fp32``, ``tf32`` or ``bf16``.
        trace_every: steps between recorded training losses, 0 for none.
        last_batch: of an epoch, where it is not full: ``keep`` or ``drop``.
        order: of the examples in an epoch: ``shuffle``, or ``fixed`` as the dataset holds them.
        detailed: whether records hold ``outcomes`` and ``noise``.
        split: which training examples are held out: ``fixed``, the same ones for every seed, or
            ``per-seed``.
    """

    workload: str
    optimizer: Part
    batch_size: int
    lr: float
    schedule: Part
    seeds: tuple[int, ...]
    budget: Mapping[str, int]
    validation: float
    evaluate_every: float
    precision: str
    trace_every: int = 0
    last_batch: str = "keep"
    order: str = "shuffle"
    detailed: bool = False
    split: str = "fixed"

    def spec(self) -> dict[str, Any]:
        """The cell as plain data: what its file states and its digest covers."""
        return {
            "workload": self.workload,
            "optimizer": self.optimizer.spec(),
            "batch_size": self.batch_size,
            "lr": self.lr,
            "schedule": self.schedule.spec(),
            "seeds": list(self.seeds),
            "budget": dict(self.budget),
            "validation": self.validation,
            "evaluate_every": self.evaluate_every,
            "precision": self.precision,
            "last_batch": self.last_batch,
            "order": self.order,
            **({"trace_every": self.trace_every} if self.trace_every else {}),
            **({"detailed": True} if self.detailed else {}),
            **({"split": self.split} if self.split != "fixed" else {}),
        }

    def digest(self, identity: Mapping[str, str]) -> str:
        """The sha256 of the cell and of ``identity``: the data, torch and source it trains with."""
        return sha256({"cell": self.spec(), "identity": dict(identity)})

    def path(self, digest: str) -> str:
        """Where the cell lives below ``cells/``; :func:`parse_path` turns it back."""
        stem = f"bs{self.batch_size}-lr{self.lr!r}-{self.schedule.label}-{digest[:SHORT]}"
        return f"{self.workload}/{self.optimizer.label}/{stem}.json"

    def __str__(self) -> str:
        return (
            f"{self.workload} {self.optimizer.label} batch {self.batch_size} "
            f"lr {self.lr!r} {self.schedule.label}" + (" on fresh seeds" if self.detailed else "")
        )


@dataclass(frozen=True)
class TrialRecord:
    """The history of one seed: an entry per evaluation, fewer if it diverged.

    Args:
        seed: the trial's seed.
        status: ``ok``, ``diverged`` or ``oom``.
        diverged_at: the step (from 1) whose loss or weights were first not finite, else None.
        train_loss: the mean of the batch losses since the evaluation before.
        fit_loss, fit_metric: of the last evaluation alone, on as many training examples as the test
            split has: comparable with test values, which the running ``train_loss`` is not.
        val_loss, val_metric: on the validation split; empty without one.
        test_loss, test_metric: on the test split.
        trace: the training loss of every so many steps, from the first on; if the trial diverged,
            of the steps up to and including ``diverged_at``, whose own is left out where it is not
            finite.
        path: the parameters before the first step and at every evaluation, for workloads whose path
            is kept.
        outcomes: of a detailed cell, the metric of every single test example after the last step
            (:mod:`trainscape.cells.outcomes`); empty if the trial did not come to its end, and
            where the metric is no mean over examples.
        noise: of a detailed cell, at every evaluation [m, M]: of the gradients gᵢ of the first 64
            training examples of the seed's order in epoch 0, each by itself, without dropout and at
            the weights that train, the mean of ‖gᵢ‖² and ‖mean gᵢ‖². Empty where the loss is no
            mean over examples, where examples meet in the model (batch normalisation), and where a
            number is not finite.
    """

    seed: int
    status: str
    diverged_at: int | None
    train_loss: list[float] = field(default_factory=list)
    fit_loss: list[float] = field(default_factory=list)
    fit_metric: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_metric: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_metric: list[float] = field(default_factory=list)
    trace: list[float] = field(default_factory=list)
    path: list[list[float]] = field(default_factory=list)
    outcomes: str | list[float] = ""
    noise: list[list[float]] = field(default_factory=list)

    @classmethod
    def untrained(cls, seed: int, status: str) -> TrialRecord:
        """The record of a trial that has no history."""
        return cls(seed, status, None)


def import_path(optimizer: Mapping[str, Any]) -> str | None:
    """The import path in an optimizer's spec; None if its name is a registry's."""
    return str(optimizer["torch"]) if optimizer["name"] == TORCH else None


def parse_path(path: str | PurePosixPath) -> dict[str, Any]:
    """The axes' values and the short digest from a cell's path.

    Raises:
        ValueError: the path is not a cell's.
    """
    match = PATH.fullmatch("/".join(PurePosixPath(path).parts[-3:]))
    if not match:
        raise ValueError(f"{path} is not the path of a cell")
    found: dict[str, Any] = match.groupdict()
    return {**found, "batch_size": int(found["batch_size"]), "lr": float(found["lr"])}
