"""Ask and tell: the next cells to train, from what the earlier ones came to."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from trainscape.search.samplers import distributions, study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import Trial

    from trainscape.search.space import Space

REPEATS = 5  # proposals in a row of cells that are there, until one is drawn at random


class Search:
    """One search over one grid, asked for cells and told what they came to.

    Every cell is proposed once. A proposal that was made before is told its value again, so that
    the sampler moves on, and the next is asked for; after REPEATS of them in a row a cell is drawn
    at random from those that are left. What is proposed depends on the arguments and on what was
    told, and on nothing else.

    Args:
        space: the grid.
        method: a key of :data:`trainscape.search.METHODS`.
        direction: of the metric, ``max`` or ``min``.
        seed: of the sampler and of the random draws.
    """

    def __init__(self, space: Space, method: str, direction: str, seed: int) -> None:
        self._space = space
        self._study = study(method, direction, seed)
        self._axes = distributions(space)
        self._draws = random.Random(seed)
        self._left = list(range(len(space.numbers)))
        # what is told of a diverged cell: worse than any number
        self._worst = -math.inf if direction == "max" else math.inf
        self._told: dict[int, float] = {}
        self._open: list[tuple[Trial, int]] = []
        self._drawn: list[int] = []

    def ask(self, count: int) -> list[int]:
        """The numbers of up to ``count`` further cells; fewer when the grid is exhausted."""
        return [self._next() for _ in range(min(count, len(self._left)))]

    def tell(self, values: Mapping[int, float | None]) -> None:
        """Say what all proposed cells came to.

        Args:
            values: the metric by cell; None for one that diverged or ran out of memory.
        """
        from optuna.trial import create_trial

        self._told |= {n: self._worst if v is None else v for n, v in values.items()}
        for trial, number in self._open:
            self._study.tell(trial, self._told[number])
        for number in self._drawn:
            params = self._space.params(number)
            known = create_trial(params=params, distributions=self._axes, value=self._told[number])
            self._study.add_trial(known)
        self._open, self._drawn = [], []

    def _next(self) -> int:
        for _ in range(REPEATS):
            trial = self._study.ask(self._axes)
            number = self._space.number(trial.params)
            if number in self._told:
                self._study.tell(trial, self._told[number])
                continue
            self._open.append((trial, number))
            if number in self._left:
                self._left.remove(number)
                return number
        number = self._draws.choice(self._left)
        self._left.remove(number)
        self._drawn.append(number)
        return number


def proposals(
    space: Space,
    method: str,
    direction: str,
    seed: int,
    sizes: Sequence[int],
    results: Mapping[int, float | None],
) -> list[list[int]]:
    """The cells of every round, the last of which has no results yet.

    The earlier rounds are replayed: the same arguments give the same proposals, so a search that
    was broken off goes on as if it had not been.

    Args:
        space: the grid.
        method: a key of :data:`trainscape.search.METHODS`.
        direction: of the metric, ``max`` or ``min``.
        seed: of the search.
        sizes: how many cells each round has.
        results: the metric of every cell of the earlier rounds; None if it diverged.

    Raises:
        KeyError: an earlier round holds a cell without a result.
    """
    search = Search(space, method, direction, seed)
    rounds = []
    for count in sizes[:-1]:
        rounds.append(search.ask(count))
        search.tell({number: results[number] for number in rounds[-1]})
    return [*rounds, search.ask(sizes[-1])]
