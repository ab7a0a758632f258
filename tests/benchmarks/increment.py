"""One learning rate added to a finished grid: the share of the grid's cost that it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks import projects
from benchmarks.grid import small
from benchmarks.output import Result, Table

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.sizes import Sizes
    from kit.project import Project

NEW = 0.02  # the rate that is added
COLUMNS = {
    "what": "",
    "cells": "cells trained",
    "training_s": "training, s",
    "rest_s": "the rest, s",
    "whole_s": "whole, s",
}


def run(sizes: Sizes, folder: Path) -> Result:
    """The study in params.yaml from nothing, then with a rate more, then with nothing to do."""
    study = projects.default_study()
    if sizes.quick:
        study = small(study)
    project = projects.fresh(folder, study)
    projects.snakemake(project, *projects.targets(project, "data"))
    rows = [_made(project, "the grid from nothing")]
    project.change(lr=[*study["grid"]["lr"], NEW])
    rows.append(_made(project, f"lr {NEW:g} added"))
    idle = projects.snakemake(project)
    rows.append({"what": "nothing changed", "cells": 0, "whole_s": idle})
    full, more, _ = rows
    shares = {
        "cells": more["cells"] / full["cells"],
        "training": more["training_s"] / full["training_s"],
        "whole": more["whole_s"] / full["whole_s"],
        "nothing": idle / full["whole_s"],
    }
    return Result(
        "increment",
        "One learning rate more",
        "make bench ONLY=increment",
        sizes.name,
        {"study": study, "added_lr": NEW, "rows": rows, "shares": shares},
        [Table(COLUMNS, rows)],
        [
            f"The added rate's share of the grid's cells is {shares['cells']:.1%}; "
            f"of the time of training it took {shares['training']:.1%}, "
            f"of the whole {shares['whole']:.1%}. "
            f"A run with nothing to do takes {shares['nothing']:.1%}.",
            "Each line is one run of snakemake. Training is what passed until the last new cell "
            "was there, the start of Snakemake included; the rest are step times, which a new rate "
            "leaves as they are, tables, figures and the report.",
        ],
    )


def _made(project: Project, what: str) -> dict[str, Any]:
    """Bring the project up to date in one run; what it took, and until when cells were trained."""
    before = set(project.cells())
    began = time.time()
    whole = projects.snakemake(project)
    new = [project / cell for cell in project.cells() if cell not in before]
    training = max(path.stat().st_mtime for path in new) - began
    return {
        "what": what,
        "cells": len(new),
        "training_s": training,
        "rest_s": whole - training,
        "whole_s": whole,
    }
