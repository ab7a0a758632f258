"""The stages after training, and what decides the products of each: the digest in its stamp.

What decides a product is hashed with it, and nothing else is: the stages whose files it reads, the
study's values that it is made by, its own source, and the versions of the libraries that it uses.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import __version__, source
from trainscape.errors import unknown
from trainscape.hashing import sha256
from trainscape.search.rounds import packages

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.pipeline.layout import Layout

STAGES = (
    *("data", "train", "throughput", "collect", "replay"),
    *("answer", "figures", "timings", "report"),
)
TABLES = ("numpy", "pandas", "scipy")  # libraries that make tables
PICTURES = ("matplotlib", "seaborn")
CHARTS = ("altair", "vl-convert-python")  # libraries that draw the page's charts
SHOWN = ("torch", "seaborn", "snakemake", "dvc")  # whose versions stand in the report


@dataclass(frozen=True)
class Stamped:
    """A stage with a stamp.

    Args:
        reads: the stages whose products it reads.
        libraries: the distributions whose versions decide its products.
    """

    reads: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


# In the order in which they are made.
STAMPED = {
    "train": Stamped(),
    "collect": Stamped(("train",), TABLES),
    "replay": Stamped(("collect",), TABLES),
    "answer": Stamped(("collect",), TABLES),
    "figures": Stamped(("collect", "replay", "answer"), (*TABLES, *PICTURES)),
    "timings": Stamped(("collect",), (*TABLES, *PICTURES)),
    "report": Stamped(
        ("collect", "replay", "answer", "figures", "timings"), (*TABLES, *CHARTS, "jinja2", *SHOWN)
    ),
}


def stamped(layout: Layout) -> list[str]:
    """The stages of a study that have a stamp."""
    return [stage for stage in STAMPED if stage != "replay" or layout.study.replay.enabled]


def digest(layout: Layout, stage: str) -> str:
    """What decides a stage's products, as 64 hex digits.

    Raises:
        UserError: there is no such stage.
    """
    if stage not in STAMPED:
        raise unknown("stage", stage, STAMPED)
    about, present = STAMPED[stage], stamped(layout)
    return sha256(
        {
            "from": {s: layout.digest(s) for s in about.reads if s in present},
            "values": _values(layout, stage),
            "source": sources(stage),
            "libraries": {name: _public_version(name) for name in about.libraries},
        }
    )


def made_from(layout: Layout, stage: str) -> list[str]:
    """The files that a stage's products are made from, whose hashes its stamp holds as well.

    Of stages with a stamp it is the stamp; all that is trained stands in the training's own.
    """
    if stage == "train":
        return list(dict.fromkeys([*layout.products("train"), *layout.trained]))
    files = [layout.stamp(s) for s in STAMPED[stage].reads if s in stamped(layout)]
    times = layout.throughput if stage == "timings" else None
    return [*files, times] if times and Path(times).exists() else files


def _values(layout: Layout, stage: str) -> dict[str, object]:
    """The values of the study that a stage's products are made by, beside what it reads."""
    study, drawn = layout.study, layout.figures
    values: dict[str, Callable[[], dict[str, object]]] = {
        "train": lambda: {
            "cells": list(layout.trainable),
            "rounds": layout.rounds,
            **({"finalists": layout.finalists} if layout.finalists else {}),
        },
        "collect": lambda: {"targets": layout.targets_to_reach},
        "answer": lambda: {
            "margin": study.margin,
            "confirm": study.confirm and study.confirm.model_dump(),
            "grid": study.grid.model_dump(mode="json"),
        },
        "replay": lambda: {"replay": study.replay.model_dump(), "packages": packages()},
        "figures": lambda: {
            "figures": [figure.path for figure in drawn if not figure.timed],
            "tables": layout.article_tables(timed=False),
        },
        "timings": lambda: {
            "figures": [figure.path for figure in drawn if figure.timed],
            "tables": layout.article_tables(timed=True),
            "record": layout.throughput,
        },
        "report": lambda: {
            "study": study.model_dump(mode="json"),
            "assets": _assets(),
            "trainscape": __version__,
            "python": sys.version_info[:2],
        },
    }
    return values[stage]()


@cache
def sources(stage: str) -> dict[str, str]:
    """The hashes of the modules that make a stage's products, by name.

    Training has none here: what decides a cell stands in the cell's own digest.
    """
    if stage == "train":
        return {}
    return source.closure([source.PACKAGE / "pipeline" / f"{stage}.py"])


def _public_version(distribution: str) -> str:
    """A version without what it was built for, such as torch's ``+cu126``."""
    return metadata.version(distribution).split("+")[0]


@cache
def _assets() -> dict[str, str]:
    """The report's templates, styles and scripts."""
    folder = source.PACKAGE / "report"
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".j2", ".css", ".js"))
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in files}
