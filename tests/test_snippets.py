"""A cell as text to paste: what is pasted does what was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import yaml

from kit import small_study
from trainscape import optimizers, schedules
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.snippets import NEAR, in_torch, scheduler, snippets
from trainscape.schedules import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.cells.cell import Part

CLOCK = Clock(epoch=9, total=135)
LR = 0.037
EVERY = [name for name in optimizers.registry.names() if name != "test"]


def run(text: str) -> dict[str, Any]:
    """What pasted text defines, with a model at hand."""
    known: dict[str, Any] = {"torch": torch, "model": torch.nn.Linear(2, 1)}
    exec(text.replace("{lr}", str(LR)), known)
    return known


def part(entry: Any) -> Part:
    """The optimizer that a study names so."""
    return Layout(small_study.make(optimizer=[entry])).grid[0].optimizer


@pytest.mark.parametrize("name", EVERY)
def test_an_optimizer_is_pytorchs_with_the_same_hyperparameters(name: str) -> None:
    """The pasted line makes what the rule's own counterpart is; without one it says so."""
    text = in_torch(part(name))
    wanted = optimizers.registry.get(name)().reference([torch.nn.Parameter(torch.ones(1))], LR)
    if wanted is None:
        assert text == f"# torch.optim has no {name}: its rule is trainscape's own"
        return
    made = run(text)["optimizer"]
    assert type(made) is type(wanted)
    assert made.defaults == wanted.defaults


def test_hyperparameters_and_clipping_are_written() -> None:
    """What a study sets is in the line, and what the engine does before a step is said."""
    text = in_torch(part({"name": "adam", "beta1": 0.8, "clip_norm": 0.5}))
    assert run(text)["optimizer"].defaults["betas"] == (0.8, 0.999)
    assert "clip_grad_norm_(model.parameters(), 0.5)" in text


def test_an_import_path_is_imported() -> None:
    """An optimizer of another module is called by its path."""
    text = in_torch(part({"torch": "torch.optim.ASGD", "label": "average", "lambd": 0.1}))
    assert run(text)["optimizer"].defaults["lambd"] == 0.1


@pytest.mark.parametrize("name", schedules.registry.names())
@pytest.mark.parametrize("warmup", [None, "10%"])
def test_a_schedule_gives_the_rates_that_were_trained_with(name: str, warmup: str | None) -> None:
    """Step by step within the stated distance; a schedule that reacts says what to use."""
    rule = schedules.registry.make({"name": name, **({"warmup": warmup} if warmup else {})})
    text = scheduler(rule, CLOCK, "mine")
    if rule.reacts:
        assert "ReduceLROnPlateau" in text
        return
    known = run("optimizer = torch.optim.SGD(model.parameters(), lr={lr})\n" + text)
    rates = []
    for _ in range(CLOCK.total):
        rates.append(known["optimizer"].param_groups[0]["lr"])
        known["optimizer"].step()
        if "scheduler" in known:
            known["scheduler"].step()
    apart = np.abs(np.array(rates) / LR - rule.table(CLOCK))
    assert apart.max() <= 2 * NEAR


def test_the_yaml_of_a_cell_is_its_part_of_the_study() -> None:
    """Entries are written as the study has them, on one line; steps are those of the run."""
    warm = {"name": "cosine", "warmup": "10%", "label": "warm"}
    layout = Layout(small_study.make(optimizer=["sgd"], schedule=[warm]))
    made = snippets(layout)
    assert made["optimizer"]["sgd"]["yaml"] == "sgd"
    assert yaml.safe_load(made["schedule"]["warm"]["yaml"]) == warm
    steps = (layout.study.budget.epochs or 0) * -(-1150 // 64)
    assert f"steps = {steps}  # of your run: warm" in made["factor"]["digits-mlp"]["warm"]["64"]


def test_what_torch_said_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second report loads no torch for it; another value, version or source asks again."""
    (tmp_path / ".snakemake").mkdir()
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []
    real = in_torch

    def counted(part: Part) -> str:
        asked.append(part.label)
        return real(part)

    monkeypatch.setattr("trainscape.pipeline.snippets.in_torch", counted)
    rules = ["sgd", {"name": "adam", "label": "slow"}, {"torch": "torch.optim.ASGD", "label": "a"}]
    first = snippets(Layout(small_study.make(optimizer=rules)))
    assert asked == ["sgd", "slow", "a"]
    assert snippets(Layout(small_study.make(optimizer=rules))) == first
    assert asked == ["sgd", "slow", "a"]
    changed = {"name": "adam", "beta1": 0.8, "label": "slow"}
    made = snippets(Layout(small_study.make(optimizer=["sgd", changed])))
    assert "0.8" in made["optimizer"]["slow"]["torch"]
    assert asked[3:] == ["slow"]
    monkeypatch.setattr("trainscape.pipeline.snippets.torch_version", lambda: "another")
    snippets(Layout(small_study.make(optimizer=["sgd"])))
    assert asked[4:] == ["sgd"]
    for damaged in ("{", "[]", '{"a": 1}'):
        (tmp_path / ".snakemake/trainscape/torch.json").write_text(damaged)
        assert snippets(Layout(small_study.make(optimizer=rules)))["optimizer"]["sgd"]
