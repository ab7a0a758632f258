"""The article that a study repeats, as its parameter file states it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Tag, model_validator

from trainscape.study.values import No, Real, Strict, or_no

Decides = Literal[
    "rate-depends-on-batch",
    "rate-not-inverse",
    "rate-linear",
    "rate-square-root",
    "lower-loss",
    "small-batch-generalises",
    "ends-at",
]
NEEDS = {"lower-loss": ("of", "than"), "ends-at": ("of", "ends")}  # keys of an article, by decides
ADDRESS = re.compile(r"https?://[^\s\"<>]+")


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value):
        raise ValueError("is no address of a page; write https://…")
    return value


class Article(Strict):
    """The article that a study repeats; its words decide nothing that is trained or measured."""

    title: str = Field(min_length=1, description="of the article")
    url: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None,
        description="where it is, for a link; the page itself asks nothing of the network",
        examples=["https://example.org/article"],
    )
    claim: str = Field(min_length=1, description="what it says, in one sentence")
    decided_by: Decides = Field(
        description="what of our results says whether it holds: docs/claims.md has each"
    )
    of: list[str | int] = Field(
        default=[],
        description="optimizers, schedules or batch sizes that the claim is about",
        examples=[["momentum"]],
    )
    than: str | int | None = Field(
        default=None, description="what they are compared with", examples=["sgd"]
    )
    ends: dict[str, Real] = Field(
        default={},
        description="what the article prints after the last step: loss, w0, w1, …",
        examples=[{"loss": 0.25, "w0": -0.5}],
    )

    @model_validator(mode="after")
    def _has_what_decides(self) -> Article:
        needed = NEEDS.get(self.decided_by, ())
        for key in ("of", "than", "ends"):
            given = getattr(self, key) not in (None, [], {})
            if given != (key in needed):
                verb = "takes no" if given else "needs the key"
                raise ValueError(f"{verb} {key!r} where decided_by is {self.decided_by!r}")
        if self.ends and len(self.of) > 1:
            raise ValueError("has one descent that ends somewhere; give one name in 'of'")
        return self


ArticleOrNot = Annotated[
    No | Annotated[Article, Tag("<given>")],
    or_no(
        lambda value: isinstance(value, Mapping | Article),
        "is neither false nor {title: ..., claim: ..., decided_by: ...}",
    ),
]
