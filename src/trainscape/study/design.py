"""Which cells of the grid are trained, and which again on fresh seeds; replayed searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from trainscape.errors import near
from trainscape.numeric import parsed
from trainscape.study.values import MANY, Count, No, Number, Positive, Seed, Strict, Whole, or_no

Method = Literal["random", "qmc", "tpe", "gp", "evolution"]


class Design(Strict):
    """A search: which cells of the grid are trained, round by round."""

    model_config = ConfigDict(title="Search")

    method: Method = Field(description="what proposes the cells")
    trials: Whole = Field(description="how many cells of each workload are trained")
    rounds: Whole | None = Field(
        default=None,
        description="in how many rounds they are proposed, each knowing the results of those "
        "before; default: 1 for random and qmc, which use no results, else 10",
    )
    seed: Seed = Field(default=0, description="of the search")

    @model_validator(mode="after")
    def _has_a_trial_for_every_round(self) -> Design:
        if self.rounds is not None and self.rounds > self.trials:
            raise ValueError("has more rounds than trials; choose fewer rounds")
        return self

    def sizes(self) -> list[int]:
        """How many cells each round proposes: as equal as can be, the larger ones first.

        >>> Design(method="tpe", trials=32, rounds=5).sizes()
        [7, 7, 6, 6, 6]
        """
        rounds = self.rounds or (1 if self.method in ("random", "qmc") else 10)
        rounds = min(rounds, self.trials)
        return [self.trials // rounds + (n < self.trials % rounds) for n in range(rounds)]


class Replay(Strict):
    """Searches on the finished grid, simulated by look-ups."""

    enabled: bool = Field(default=False, description="whether to simulate them")
    runs: Count = Field(
        default=200,
        description="simulated searches by random, qmc and evolution; tpe half, gp a twentieth",
    )
    cells: Count = Field(default=100, description="most cells that a simulated search trains")
    margin: Positive = Field(
        default=0.001,
        description="how much worse than the grid's best is as good, in the metric's unit: 0.001 "
        "are 0.1 points of accuracy",
    )


class Confirm(Strict):
    """The confirmation of the best cells: they train again, on seeds that chose nothing."""

    model_config = ConfigDict(title="Confirmation")

    cells: Count = Field(
        default=20,
        description="how many cells of each workload; the best of every optimizer is among them",
    )
    seeds: Annotated[int, Field(ge=2, le=MANY), Number] = Field(
        default=20, description="how many fresh seeds each of them is trained with"
    )


def _not_mixed_up(value: object) -> object:
    """The value, unless it mixes up the two forms of a design, a word and a mapping.

    Raises:
        ValueError: it does; says what to write.
    """
    if isinstance(value, Mapping) and value.get("method") == "grid":
        raise ValueError("is no search; write design: grid")
    if isinstance(value, str) and value != "grid":
        method = near(value, get_args(Method))
        if method:
            raise ValueError(f"alone says not how many; write {{method: {method}, trials: 60}}")
        if near(value, ["grid"]):
            raise ValueError("is unknown; did you mean 'grid'?")
    return value


def _form_of_design(value: object) -> str | None:
    if isinstance(value, Mapping | Design):
        return "<search>"
    return "<grid>" if value == "grid" else None


GridOrDesign = Annotated[
    Annotated[Literal["grid"], Tag("<grid>")] | Annotated[Design, Tag("<search>")],
    Discriminator(
        _form_of_design,
        custom_error_type="form",
        custom_error_message="is neither grid nor {method: ..., trials: ...}",
    ),
    BeforeValidator(_not_mixed_up),
]


ConfirmOrNot = Annotated[
    No | Annotated[Confirm, Tag("<given>")],
    or_no(
        lambda value: isinstance(value, Mapping | Confirm),
        "is neither false nor {cells: 20, seeds: 20}",
    ),
]
CheckpointOrNot = Annotated[
    No | Annotated[Positive, Tag("<given>")],
    or_no(
        lambda value: parsed(value) is not None,
        "is neither false nor a number of seconds above 0, such as 60",
    ),
]
