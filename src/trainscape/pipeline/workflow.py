"""What the Snakefile needs: the layout of the study it was asked for, outputs, shell commands."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.exceptions import WorkflowError
from snakemake.io import ancient, regex_from_filepattern, report
from snakemake.ioflags import update

from trainscape import study
from trainscape.errors import UserError
from trainscape.hashing import canonical
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.stages import STAGES

CELL = ("kind", "workload", "optimizer", "cell")  # wildcards in a cell's file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from snakemake.settings.types import ConfigSettings
    from snakemake.workflow import Workflow

    from trainscape.figures.names import Figure


def layout_of(settings: ConfigSettings) -> Layout:
    """The layout of params.yaml or of the ``--configfile``, with ``--config`` values replaced.

    Raises:
        UserError: the study is not valid, or Snakemake cannot work in this folder.
    """
    _check_place(Path.cwd())
    files = list(settings.configfiles)
    if len(files) > 1:
        raise UserError("--configfile: takes one study; Snakemake would mix several")
    path = Path(files[0] if files else "params.yaml")
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    layout = Layout(study.read(shown, settings.config))
    layout.targets(*STAGES)  # whatever can be refused is refused here, before any rule is read
    return layout


def _check_place(root: Path) -> None:
    """Refuse a folder whose path Snakemake cannot look for its locks in.

    Raises:
        UserError: the path has braces around what is no name.
    """
    try:
        re.compile(regex_from_filepattern(str(root)))
    except (re.error, WorkflowError) as error:
        raise UserError(
            f"{root}: Snakemake takes braces in a path for wildcards and stops at these ({error}); "
            "give the folder a name without"
        ) from error


def after(
    layout: Layout, workflow: Workflow, *stages: str, once: str | None = None
) -> Callable[[object], Any]:
    """The input of a rule that comes after the training and other stages.

    The stamp of the training stands for a thousand cells. They are named beside it where it does
    not speak for them: all where jobs are run by force, and those missing though it is there.

    Args:
        layout: the study.
        workflow: Snakemake's.
        stages: what else the rule waits for.
        once: the rule's output, if new cells are no reason to make it again.
    """
    stamp = layout.stamp("train")

    def files(_: object) -> Any:
        cells = layout.products("train")
        if not _forced(workflow):
            if once is not None and Path(once).exists():
                return []
            cells = [file for file in cells if Path(stamp).exists() and not Path(file).exists()]
        return ancient([*cells, stamp, *layout.targets(*stages)])

    return files


def data_of(layout: Layout, workflow: Workflow) -> Callable[[Any], Any]:
    """The input of the rule that trains a cell: its workload's data, where it is to be trained.

    A cell that is there needs none, so that it stays when its data is gone, or made again.
    """

    def files(wildcards: Any) -> Any:
        kind, workload, optimizer, cell = (wildcards[name] for name in CELL)
        file = layout.output / kind / workload / optimizer / f"{cell}.json"
        there = file.exists() and not _forced(workflow)
        return [] if there else ancient(layout.dataset(workload))

    return files


def _forced(workflow: Workflow) -> bool:
    """Whether jobs are run by force, whatever is there."""
    settings = workflow.dag_settings
    return bool(settings.forcerun or settings.forceall)


def proposed(layout: Layout, checkpoints: Any, files: Iterable[str] | None = None) -> list[str]:
    """The cells of a search's rounds, for a rule's input; none where the grid is trained.

    Args:
        layout: the study.
        checkpoints: Snakemake's; a round that is still to come makes it wait and ask again.
        files: the rounds; by default all.
    """
    if files is None:
        files = [file for rounds in layout.rounds.values() for file in rounds]
    for file in files:
        path = Path(file)
        checkpoints.propose_cells.get(workload=path.parent.name, round=path.stem)
    return layout.proposed(files) if files else []


def described(layout: Layout, stage: str) -> list[Any]:
    """A stage's products, as outputs that stay if a job fails and show in Snakemake's own report.

    Captions are ``workflow/report/<kind>.rst``.
    """
    figures = layout.figure_files
    return [update(report(file, **_filed(file, figures))) for file in layout.products(stage)]


def _filed(file: str, figures: Mapping[str, Figure]) -> dict[str, Any]:
    """How Snakemake's report files a product: category, caption and columns."""
    path, figure = Path(file), figures.get(file)
    if figure is None:
        category = "Report" if path.suffix == ".html" else "Tables"
        return {"category": category, "labels": {"file": path.name}, "caption": _caption(path.stem)}
    labels = {"optimizer": figure.optimizer, "schedule": figure.schedule}
    return {
        "category": "Figures",
        "subcategory": f"{figure.workload}: {figure.kind.replace('-', ' ')}",
        "labels": {axis: label or "all" for axis, label in labels.items()},
        "caption": _caption(figure.kind),
    }


def _caption(kind: str) -> str:
    return f"../report/{kind}.rst"  # from the rules' folder


def shell_command(layout: Layout, *words: str) -> str:
    """:func:`command` as text for a ``shell`` directive, where Snakemake formats braces."""
    return command(layout, *words).replace("{", "{{").replace("}", "}}")


def command(layout: Layout, *words: str) -> str:
    """A shell command that runs ``trainscape`` on the study, whoever runs it and wherever.

    The study travels as JSON, so that a job needs no file but its inputs. ``words`` come last.
    """
    source = Path(__file__).resolve().parents[2]
    study = study_text(layout)
    call = shlex.join([sys.executable, "-m", "trainscape", words[0], "--study", study, *words[1:]])
    return f"PYTHONPATH={shlex.quote(str(source))} {call}"


def study_text(layout: Layout) -> str:
    """The study as JSON, which travels to a job in its command."""
    return canonical(json.loads(layout.study.model_dump_json()))
