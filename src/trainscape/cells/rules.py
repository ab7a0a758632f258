"""Tries plugins' update rules before any job starts: whether each rule is what it says it is.

The engine gives an element-wise rule the parameters of a model side by side, and any rule those of
other trials beside. A rule that heeds more than it may would train silently as another: one that
divides by a norm would divide by that of whatever lies side by side.

A rule is tried on a few numbers, in milliseconds. Which have passed is kept, since torch takes a
second to import: other processes of a run, and later runs, try nothing until a rule's source, its
hyperparameters or torch change.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainscape import optimizers, source
from trainscape.cells.cell import TORCH
from trainscape.errors import UserError
from trainscape.files import recalled, remember
from trainscape.hardware import torch_version
from trainscape.hashing import sha256
from trainscape.user_lines import line_where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    from trainscape.cells.cell import Part
    from trainscape.optimizers import Optimizer

PASSED = Path(".snakemake/trainscape/rules.json")  # relative to the project
MOST = 200  # rules to keep: then only those of this study are kept

# A gradient for each step, ten times as long as the one before: a rule may heed what is longer or
# shorter than some limit, and a part of the numbers is shorter than all by more than that.
SCALES = [10.0**k for k in range(-4, 5)]
RATES = (0.5, 0.3, 1.0)  # of three trials
# A trial's gradients beside those of the next: a rule may ask whether any number is above a limit.
BESIDE = (1.0, 0.1, 10.0)
FLAT = (24,)  # numbers of a parameter
SHAPES = (FLAT, (4, 6), (4, 3, 2, 1))
CUT = 7  # of 24 numbers: no vector and no row of a matrix ends there
ROUNDING = 1e-6  # of the parameters themselves
ALIKE = 1e-4  # of a step, for element-wise rules
NEAR = 2e-2  # for others: products round by how many there are, in bfloat16 by so much

WHOLE = (
    "is not element-wise: a parameter comes out otherwise in one piece than in two, or in another "
    "shape; set elementwise = False, and reduce over the axes after the first"
)
MIXED = (
    "mixes trials: one comes out otherwise beside others than alone; reduce over the axes after "
    "the first, as in param.flatten(1).norm(dim=1)"
)
DRAWN = (
    "comes out otherwise when it is called again: it may draw no random numbers and remember "
    "nothing but its state; write such a rule as a torch.optim.Optimizer, and name its import path"
)


class Point(NamedTuple):
    """What a rule has made.

    Args:
        function: that made it: ``init``, ``update`` or ``evaluated``.
        value: a step, a state or weights, (T, …).
        size: the largest of the parameters meanwhile, which rounds a step.
    """

    function: str
    value: Tensor
    size: float


class Cut(NamedTuple):
    """Another way to give a rule the same numbers.

    Args:
        numbers: makes it of a tensor (T, n) that is shaped like the parameters.
        trials: makes it of a tensor with one number per trial.
        fault: what is wrong where a rule makes something else of them.
    """

    numbers: Callable[[Tensor], Tensor]
    trials: Callable[[Tensor], Tensor]
    fault: str


def try_rules(parts: Sequence[Part]) -> None:
    """Try the rules of plugins among a study's optimizers.

    A rule that raises on whole parameters is left to training, which names the line.

    Args:
        parts: as ``grid.optimizer`` lists them.

    Raises:
        UserError: a rule heeds more than it may.
    """
    keys = {i: _key(part) for i, part in enumerate(parts) if _is_users(part)}
    if not keys:
        return
    passed = _stored()
    if passed.issuperset(keys.values()):
        return
    for i in keys:
        rule = optimizers.registry.make(parts[i].spec())
        if why := fault(rule):
            raise UserError(f"grid.optimizer[{i}] ({rule}): {why}")
    _store(passed, set(keys.values()))


def fault(rule: Optimizer) -> str | None:
    """What is wrong with a rule, with its line; None for one that is what it says, or raises."""
    import torch

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for shape in (FLAT,) if rule.elementwise else SHAPES:
            start, slopes = _numbers(shape)
            try:
                whole = list(_points(rule, start, slopes, _rates(start)))
            except Exception:  # such as one that takes matrices alone
                continue
            for cut in _cuts(rule):
                if name := _differing(rule, whole, cut, start, slopes):
                    return f"{line_where(getattr(rule, name))}{name}() {cut.fault}"
    return None


def _cuts(rule: Optimizer) -> Iterator[Cut]:
    """Every way to give a rule the same numbers of which it must make the same."""
    yield Cut(_same, _same, DRAWN)
    if rule.elementwise:
        for columns in (slice(CUT), slice(CUT, None)):
            yield Cut(_part(slice(None), columns), _same, WHOLE)
        yield Cut(lambda x: x.view(-1, *SHAPES[1]), lambda x: x.view(-1, 1, 1), WHOLE)
    for rows in (slice(1), slice(1, None)):
        yield Cut(_part(rows), _part(rows), MIXED)


def _same(x: Tensor) -> Tensor:
    return x


def _part(*where: slice) -> Callable[[Tensor], Tensor]:
    return lambda x: x[where]


def _differing(
    rule: Optimizer, whole: Sequence[Point], cut: Cut, start: Tensor, slopes: Sequence[Tensor]
) -> str | None:
    """The function of a rule that makes something else of numbers that are cut; None if none."""
    alike = ALIKE if rule.elementwise else NEAR
    rates = cut.trials(_rates(start))
    try:
        parts = _points(rule, cut.numbers(start), [cut.numbers(slope) for slope in slopes], rates)
        for expected, found in zip(whole, parts, strict=True):
            own = cut.numbers if expected.value.shape == start.shape else cut.trials
            gap = (found.value - own(expected.value)).abs().nan_to_num(0.0, 0.0).max().item()
            step = expected.value.abs().nan_to_num(0.0, 0.0).max().item()
            if gap > alike * step + ROUNDING * expected.size:
                return expected.function
    except Exception:
        return "update"
    return None


def _points(
    rule: Optimizer, start: Tensor, slopes: Iterable[Tensor], lr: Tensor
) -> Iterator[Point]:
    """All that a rule makes in a few steps, in its order.

    Args:
        rule: what to try.
        start: the parameters, (T, …).
        slopes: the gradients of every step.
        lr: each trial's, (T, 1, …).
    """
    param = start.clone()
    state = rule.init(param)
    yield from (Point("init", own, 0.0) for own in _states(param, state))
    for k, slope in enumerate(slopes, 1):
        before, size = param.clone(), param.abs().max().item()
        rule.update(param, slope.clone(), state, lr, rule.now(k, param))
        yield Point("update", param - before, size)
        yield from (Point("update", own, size) for own in _states(param, state))
        weights = rule.evaluated(param, state)
        if weights is not None:
            yield Point("evaluated", weights, size)


def _states(param: Tensor, state: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """Copies of the states that are shaped like the parameters, or hold a number per trial."""
    for own in state.values():
        if own.shape in (param.shape, param[..., :1].shape):
            yield own.clone()


def _numbers(shape: tuple[int, ...]) -> tuple[Tensor, list[Tensor]]:
    """Parameters (T, …) and the gradients of every step, whose parts differ in size."""
    import torch

    drawn = torch.Generator().manual_seed(0)
    start, *slopes = torch.randn(1 + len(SCALES), len(RATES), *shape, generator=drawn)
    beside = torch.tensor(BESIDE).view(-1, *[1] * len(shape))
    sizes = torch.logspace(-1, 1, math.prod(shape)).view(shape) * beside
    return start, [slope * sizes * scale for slope, scale in zip(slopes, SCALES, strict=True)]


def _rates(like: Tensor) -> Tensor:
    return like.new_tensor(RATES).view(-1, *[1] * (like.dim() - 1))


def _is_users(part: Part) -> bool:
    """Whether a plugin has registered the part."""
    return part.name != TORCH and not optimizers.registry.ships(part.name)


def _key(part: Part) -> str:
    """Changes with all that decides whether a rule passes."""
    code = source.closure([optimizers.registry.source(part.name)])
    own = source.file_hash(Path(__file__))
    return sha256({"rule": part.spec(), "source": code, "torch": torch_version(), "trial": own})


def _stored() -> set[str]:
    found = recalled(PASSED)
    return {key for key in found if isinstance(key, str)} if isinstance(found, list) else set()


def _store(before: set[str], passed: set[str]) -> None:
    """Keep what has passed."""
    both = before | passed
    remember(PASSED, sorted(both if len(both) <= MOST else passed))
