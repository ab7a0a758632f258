"""Whether an update rule is what it says it is, tried before any job."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import torch

from kit.own_folder import folder as folder  # autouse, once it is here
from trainscape import optimizers
from trainscape.cells import grid, rules
from trainscape.cells.rules import DRAWN, MIXED, WHOLE, fault
from trainscape.errors import UserError
from trainscape.optimizers import Optimizer
from trainscape.study import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    Step = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Rule(Optimizer):
    """w ← w − lr · step(g, w)."""

    name: ClassVar[str] = "rule"
    step: Any = None

    def __post_init__(self) -> None:
        """Takes a function, which is no hyperparameter."""

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: object
    ) -> None:
        param.sub_(lr * self.step(grad, param))


@dataclass(frozen=True)
class WholeRule(Rule):
    """The same for each parameter of T trials."""

    elementwise: ClassVar[bool] = False


# Rules that say they are element-wise and heed more than an element.
HEEDING: dict[str, Step] = {
    "the norm": lambda g, _: g / g.norm(),
    "each trial's norm": lambda g, _: g / g.flatten(1).norm(dim=1, keepdim=True).view(-1, 1),
    "a norm that is too long": lambda g, _: g * (100 / g.norm()).clamp(max=1.0),
    "a norm that is short": lambda g, _: g if g.norm() > 0.01 else -g,
    "the weights' norm": lambda g, w: g * w.norm(),
    "the mean": lambda g, _: g - g.mean(-1, keepdim=True),
    "the largest": lambda g, _: g / g.abs().max(),
    "an order": lambda g, _: g.sort(-1).values,
    "a running sum": lambda g, _: g.cumsum(-1),
    "a product": lambda g, w: (g @ w.transpose(-1, -2)) @ g,
    "the place": lambda g, _: g * torch.linspace(0, 1, g.shape[-1]),
    "the first": lambda g, _: g - g[..., :1],
    "the neighbour": lambda g, _: g + g.roll(1, -1),
    "the size": lambda g, _: g * g.numel(),
    "the dimensions": lambda g, _: g if g.dim() > 2 else 2 * g,
    "two dimensions": lambda g, _: torch.einsum("tn->tn", g),
    "pairs": lambda g, _: g.reshape(-1, 2).flip(1).reshape(g.shape),
}
MIXING: dict[str, Step] = {
    "the norm over all trials": lambda g, _: g / g.norm(),
    "the mean over trials": lambda g, _: g - g.mean(0, keepdim=True),
    "the first trial": lambda g, _: g + g[:1],
    "the number of trials": lambda g, _: g / len(g),
    "a wrong axis": lambda g, _: g / g.flatten(1).norm(dim=0).view(1, *g.shape[1:]),
    **{
        f"a limit of {limit:g} for the largest": lambda g, _, limit=limit: (  # type: ignore[misc]
            g.sign() if g.abs().max() > limit else g
        )
        for limit in (1e-3, 0.03, 0.1, 1, 100, 1e3)
    },
}
ELEMENTS: dict[str, Step] = {
    "plain": lambda g, _: g,
    "a sign": lambda g, _: g.sign(),
    "bounds": lambda g, w: g.clamp(-1, 1) + 0.1 * w,
    "functions that round by place": lambda g, w: g.sigmoid() + w.abs() ** 0.3 + g.tanh(),
    "half the digits": lambda g, _: g.bfloat16().float(),
    "what is not a number": lambda g, _: g / torch.zeros_like(g),
    "an error, which training tells of": lambda g, _: g.missing,  # type: ignore[attr-defined]
}
TRIALS: dict[str, Step] = {
    **ELEMENTS,
    "each trial's norm": lambda g, _: g / g.flatten(1).norm(dim=1).view(-1, *[1] * (g.dim() - 1)),
    "the dimensions": lambda g, _: g if g.dim() > 2 else 2 * g,
    "products of rounded numbers": lambda g, _: (
        (g.bfloat16() @ g.bfloat16().transpose(-1, -2) @ g.bfloat16()).float()
        if g.dim() == 3
        else g
    ),
    "matrices alone": lambda g, _: torch.bmm(torch.bmm(g, g.mT), g),
}


@pytest.mark.parametrize("heeded", HEEDING)
def test_a_rule_that_is_not_element_wise_is_told_so(heeded: str) -> None:
    """Whatever it heeds beside the element, the line says what to do."""
    assert fault(Rule(HEEDING[heeded])) == f"update() {WHOLE}"


@pytest.mark.parametrize("mixed", MIXING)
def test_a_rule_that_mixes_trials_is_told_so(mixed: str) -> None:
    """A rule for whole parameters may not reduce over the first axis."""
    assert fault(WholeRule(MIXING[mixed])) == f"update() {MIXED}"


def test_an_element_wise_rule_that_mixes_trials_alone_is_told_so() -> None:
    """Parameters cut in two would not show it."""
    assert fault(Rule(lambda g, _: g - g.mean(0, keepdim=True))) == f"update() {MIXED}"


@pytest.mark.parametrize("elements", ELEMENTS)
def test_an_element_wise_rule_passes(elements: str) -> None:
    """Also where vectors round otherwise than single numbers, and where it is not finite."""
    assert fault(Rule(ELEMENTS[elements])) is None


@pytest.mark.parametrize("trials", TRIALS)
def test_a_rule_for_whole_parameters_passes(trials: str) -> None:
    """Whatever it does with each trial's parameter, its shape included."""
    assert fault(WholeRule(TRIALS[trials])) is None


@pytest.mark.parametrize("name", optimizers.registry.names())
def test_the_packages_rules_pass(name: str) -> None:
    """With their states, scalars and averages; they are not tried in a study."""
    assert fault(optimizers.registry.get(name)()) is None


def test_a_rule_that_draws_or_remembers_is_told_so() -> None:
    """What it makes may depend on its arguments alone."""
    calls: list[int] = []

    def counted(g: Tensor, _: Tensor) -> Tensor:
        calls.append(1)
        return g * len(calls)

    assert fault(Rule(lambda g, _: g + torch.randn_like(g))) == f"update() {DRAWN}"
    assert fault(Rule(counted)) == f"update() {DRAWN}"


def test_trying_draws_no_numbers_of_the_process() -> None:
    """The generators stand where they stood."""
    before = torch.get_rng_state()
    fault(Rule(lambda g, _: g + torch.randn_like(g)))
    assert torch.equal(torch.get_rng_state(), before)


@dataclass(frozen=True)
class Stateful(Rule):
    """Parts of a rule that heed other elements."""

    first: Any = None
    average: Any = None
    number: Any = None

    def init(self, param: Tensor) -> dict[str, Tensor]:
        kept = {"kept": self.first(param)} if self.first else {}
        return {**kept, "total": param.new_zeros(param[..., :1].shape)}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: object
    ) -> None:
        if self.number:
            state["total"].add_(self.number(grad, lr))
        param.sub_(lr * grad)

    def evaluated(self, param: Tensor, state: dict[str, Tensor]) -> Tensor | None:
        return self.average(param) if self.average else None


@pytest.mark.parametrize(
    ("part", "function"), [("first", "init"), ("average", "evaluated"), ("number", "update")]
)
def test_every_function_of_a_rule_is_tried(part: str, function: str) -> None:
    """States that do not matter yet, and weights to evaluate at; the line names the function."""
    takes_two = part == "number"
    wrong: Any = (lambda g, _: g.sum(-1, keepdim=True)) if takes_two else (lambda w: w - w.mean())
    right: Any = (lambda _, lr: lr.square()) if takes_two else (lambda w: 2 * w)
    assert fault(Stateful(**{part: wrong})) == f"{function}() {WHOLE}"
    assert fault(Stateful(**{part: right})) is None


PLUGIN = """
from dataclasses import dataclass
from trainscape.optimizers import Optimizer, register

@register("clipped")
@dataclass(frozen=True)
class Clipped(Optimizer):
    longest: float = 1.0

    def update(self, param, grad, state, lr, now):
        scale = (self.longest / grad.norm()).clamp(max=1.0)
        param.sub_(lr * grad * scale)
"""
PASSING = PLUGIN.replace("grad.norm()", "grad.abs()")


def cells(**given: Any) -> None:
    """List a study with the plugin's rule."""
    axes = {"optimizer": ["sgd", {"name": "clipped", **given}], "lr": [0.1]}
    grid.cells(parse({"plugins": ["mine.py"], "grid": axes}, "params.yaml"))


def test_a_plugins_rule_is_refused_before_any_job(folder: Path) -> None:
    """The line names the place in the study, the rule, its file and line, and the cure."""
    (folder / ".snakemake").mkdir()
    (folder / "mine.py").write_text(PLUGIN)
    with pytest.raises(UserError) as refused:
        cells()
    assert str(refused.value) == f"grid.optimizer[1] (clipped): mine.py, line 10: update() {WHOLE}"
    assert not rules.PASSED.exists()


def test_a_rule_that_has_passed_is_not_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its hyperparameters change, or the file that keeps it is lost or damaged."""
    (folder / ".snakemake").mkdir()
    (folder / "mine.py").write_text(PASSING)
    tried: list[Optimizer] = []
    monkeypatch.setattr(rules, "fault", tried.append)
    for expected in (1, 1):
        cells()
        assert len(tried) == expected
    cells(longest=2)
    assert len(tried) == 2
    cells()
    assert len(tried) == 2
    assert len(json.loads(rules.PASSED.read_text())) == 2
    rules.PASSED.write_text("{")
    cells()
    assert len(tried) == 3


LISTED = """
import sys
from trainscape.cells import grid
from trainscape.study import parse
axes = {"optimizer": ["sgd", "clipped"], "lr": [0.1]}
grid.cells(parse({"plugins": ["mine.py"], "grid": axes}, "params.yaml"))
print("torch" in sys.modules)
"""


def test_a_process_that_finds_a_rule_has_passed_loads_no_torch(folder: Path) -> None:
    """The first process of a run tries it, the others list the study as quickly as ever."""
    (folder / ".snakemake").mkdir()
    (folder / "mine.py").write_text(PASSING)
    said = [
        subprocess.run([sys.executable, "-c", LISTED], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [one.stdout.strip() for one in said] == ["True", "False"]
