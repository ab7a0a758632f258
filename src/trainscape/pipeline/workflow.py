"""What the Snakefile needs: the layout of the study it was asked for, outputs, shell commands."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.exceptions import WorkflowError
from snakemake.io import ancient, report
from snakemake.ioflags import update

from snakemake_logger_plugin_trainscape import inform
from trainscape import study
from trainscape.cells.identity import identity
from trainscape.errors import UserError
from trainscape.hashing import canonical
from trainscape.pipeline import assumptions, runs
from trainscape.pipeline.doubts import doubts, remove_dead_links, unprotect
from trainscape.pipeline.estimate import foretold
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.leader import Leader
from trainscape.pipeline.refusals import check_place, refuse, refuse_options
from trainscape.pipeline.stages import STAGES
from trainscape.pipeline.train import kept_seeds, part_way
from trainscape.results.attic import Attic
from trainscape.results.owner import others
from trainscape.user_lines import telling

CELL = ("kind", "workload", "optimizer", "cell")  # wildcards in a cell's file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from snakemake.workflow import Workflow

    from trainscape.figures.names import Figure
    from trainscape.results.seeds import Seeds


@dataclass
class Run:
    """A run of Snakemake on a study.

    Args:
        layout: the study.
        workflow: Snakemake's.
        doubted: files that are there and are made again.
        kept: cells that are to be there and need no training, as far as jobs are known.
    """

    layout: Layout
    workflow: Workflow
    doubted: frozenset[str]
    kept: set[str] = field(default_factory=set)
    begun: bool = False
    # files that this run makes, as far as a rule has asked for them
    _made_here: set[str] = field(default_factory=set, init=False)

    @classmethod
    def of(cls, workflow: Workflow) -> Run:
        """The run of params.yaml or of the ``--configfile``, with ``--config`` values replaced.

        Files are looked at once, in Snakemake's main process, before any rule is read.

        Raises:
            UserError: the study is not valid, or Snakemake was asked for what means nothing here.
        """
        check_place(Path.cwd())
        settings = workflow.config_settings
        here = Path.cwd()
        files = [Path(file) for file in settings.configfiles]
        shown = [file.relative_to(here) if file.is_relative_to(here) else file for file in files]
        if len(shown) > 1:
            raise UserError(
                f"--configfile: takes one study, and {shown[1]} is a second; a target stands "
                "before --configfile"
            )
        with telling(of=SystemExit):
            layout = Layout(study.read(shown[0] if shown else Path("params.yaml"), settings.config))
            layout.targets(*STAGES)  # what can be refused is refused here, before a rule is read
        if not workflow.is_main_process:
            return cls(layout, workflow, frozenset())
        remove_dead_links(layout)
        doubted = doubts(layout)
        run = cls(layout, workflow, doubted)
        inform(
            best=Leader(layout),
            duration=partial(foretold, layout),
            holder=run.holder,
            part_way=run.part_way,
        )
        return run

    def holder(self) -> str:
        """Who holds files that this run needs, in a line, once Snakemake has said that one does."""
        kept = self.workflow.persistence
        files = (map(str, kept.all_inputfiles()), map(str, kept.all_outputfiles()))
        return runs.in_the_way(*files, self.layout.data)

    def part_way(self) -> str:
        """What is kept of trials in training, in words; by force all begin anew."""
        return "" if self.forced else part_way(self.layout)

    @cached_property
    def forced(self) -> bool:
        """Whether jobs are run by force, whatever is there."""
        settings = self.workflow.dag_settings
        return bool(settings.forcerun or settings.forceall)

    @property
    def again(self) -> list[str]:
        """The option of ``trainscape train`` for cells that are trained by force."""
        return ["--again"] if self.forced else []

    @cached_property
    def bundle_command(self) -> str:
        """The command that trains the fuse executor's list of cells."""
        return command(self.layout, "train", *self.again, "--jobs")

    def is_to_be_made(self, file: str) -> bool:
        """Whether a file is missing or not what was made."""
        return file in self.doubted or not Path(file).exists()

    def nothing(self, _: object = None) -> list[str]:
        """No input, once Snakemake knows that it is to make doubted files again.

        As it does with files that a killed run may have left half written, it then runs their jobs,
        if they are among those that it was asked for.
        """
        if not self.begun:  # Snakemake's options are not known before
            self.begun = True
            refuse_options(self.workflow)
            assumptions.drop(self.workflow)
            if self._executes:
                runs.begin(self.layout)
                try:
                    unprotect(self.layout, self.doubted, forced=self.forced)
                except UserError as error:
                    refuse(str(error))
            # what is missing is to be made though nothing that is to be made asks for it
            self.workflow.dag.forcefiles.update({*self.doubted, *self.missed})
            if self.layout.finalists and self._batch is not None and self._batch.is_final:
                # finalists are known when all parts are trained: the last one is all that is left
                self.workflow.dag_settings.batch = None
        return []

    @property
    def _executes(self) -> bool:
        """Whether this is the process of a run that makes files: no dry run, no ``--unlock``."""
        workflow = self.workflow
        executor: Any = workflow.executor_plugin
        return workflow.is_main_process and executor is not None and not workflow.dryrun

    @property
    def _batch(self) -> Any:
        """The part of the cells that this run trains, by ``--batch``; None for all."""
        return self.workflow.dag_settings.batch

    def later(self, checkpoints: Any) -> list[Any]:
        """The cells that become known on the way: a search's, then finalists on fresh seeds.

        Apart from what is :meth:`known`, which does not wait for them.

        Args:
            checkpoints: Snakemake's; one that is still to come makes a rule wait and ask again.
        """
        self.nothing()
        files = self.layout.finalists.values() if self._batch is None else ()
        found = proposed(self.layout, checkpoints)
        for file in map(Path, files):
            checkpoints.choose_finalists.get(workload=file.parent.name, finalists=file.stem)
        return self.needed([*found, *(self.layout.confirmed() if files else ())])

    def known(self) -> list[Any]:
        """What is trained as far as it is known from the start, and what will name the rest."""
        self.nothing()
        names = set() if self._batch is None else set(self.layout.finalists.values())
        files = [file for file in self.layout.products("train") if file not in names]
        cells = self.layout.trainable
        others = self.undated(file for file in files if file not in cells)
        return [*self.needed(file for file in files if file in cells), *others]

    @cached_property
    def missed(self) -> list[str]:
        """The cells to be made though the training's stamp is there, which stands for them all."""
        settled = Path(self.layout.stamp("train")).exists()
        cells = [*self.layout.products("train"), *self.layout.trained] if settled else []
        return [file for file in dict.fromkeys(cells) if self.is_to_be_made(file)]

    def all(self, _: object) -> list[str]:
        """All that a full run makes, but cells that a stamp stands for: ``--batch`` parts those."""
        cells = set(self.layout.products("train"))
        return [*self.missed, *(f for f in self.layout.targets(*STAGES) if f not in cells)]

    def after(self, *stages: str, makes: str, once: str | None = None) -> Callable[[object], Any]:
        """The input of a rule that comes after the training and other stages.

        The stamp of the training stands for a thousand cells. They are named beside it where it
        does not speak for them: all where jobs are run by force, and those to be made though it is
        there.

        Args:
            stages: what else the rule waits for.
            makes: the stage that the rule makes.
            once: the rule's output, if new cells are no reason to make it again.
        """

        def files(_: object) -> Any:
            self.nothing()
            if once is not None and not self.forced and not self.is_to_be_made(once):
                return []
            cells = self.layout.products("train") if self.forced else self.missed
            found = [*cells, self.layout.stamp("train"), *self.layout.targets(*stages)]
            # All that comes after a cell is made again with it, and a job that is to run anyway is
            # forgotten after a checkpoint if all that it waits for is ancient (see undated).
            own = [self._is_made_here(file) for file in self.layout.targets(makes)]
            return found if self.missed or any(own) else self.undated(found)

        return files

    def data(self, wildcards: Any) -> Any:
        """The input of the rule that trains a cell: its workload's data, where it is to be trained.

        A cell that is there needs none, so that it stays when its data is gone, or made again.
        """
        self.nothing()
        kind, workload, optimizer, cell = (wildcards[name] for name in CELL)
        file = str(self.layout.output / kind / workload / optimizer / f"{cell}.json")
        if not self.is_to_be_made(file) and not self._is_forced(file):
            return []
        # for the words of the run, which are the main process's
        if not self.forced and self.workflow.is_main_process and self._is_kept(file):
            self.kept.add(file)
        return self.undated(self.layout.dataset(workload))

    def needed(self, cells: Iterable[str]) -> list[Any]:
        """The cells among these that a rule's job waits for: those that this run makes.

        A cell that is there needs no job. So Snakemake's graph is as large as the work to be done:
        with nothing to do, 5,000 cells took 11 of 14 seconds in it. All are named where jobs are
        run by force, and to ``--batch``, which takes a part of what is named, always the same one.
        """
        everyone = self.forced or self._batch is not None
        return self.undated(file for file in cells if everyone or self._is_made_here(file))

    def undated(self, files: Iterable[str]) -> list[Any]:
        """Files as inputs whose times say nothing; those that this run makes are waited for.

        After each checkpoint Snakemake lists anew what is to be done. All that comes after a job
        that runs is left out at first and comes back input by input, but not by an ``ancient`` one
        that is there. A job's file is there a while before Snakemake knows that the job is done. So
        a file that was missing when it was first asked for is never ``ancient``: the rest of the
        run would be forgotten, and the run would end as if all were made.
        """
        return [file if self._is_made_here(file) else ancient(file) for file in files]

    def _is_made_here(self, file: str) -> bool:
        """Whether this run makes the file, or has made it."""
        # a job by force has its file from the start: where all is there, there is nothing to forget
        by_force = self._is_unfinished and self._is_forced(file)
        if by_force or file in self._measured_anew or self.is_to_be_made(file):
            self._made_here.add(file)
        return file in self._made_here

    @cached_property
    def _measured_anew(self) -> set[str]:
        """The step times, if they are measured by force, and what is made of them.

        What other jobs make by force has the bytes that are there; no two measurements are equal.
        """
        record = self.layout.throughput
        if record is None or not self._is_forced(record):
            return set()
        return {record, *self.layout.targets("timings")}

    def _is_forced(self, file: str) -> bool:
        """Whether the job that makes the file is run by force."""
        dag = self.workflow.dag
        return file in dag.forcefiles or any(rule.is_producer(file) for rule in dag.forcerules)

    @cached_property
    def _is_unfinished(self) -> bool:
        """Whether a file of the study was to be made when the run began."""
        return any(map(self.is_to_be_made, self.layout.targets(*STAGES)))

    def check_all_is_made(self) -> None:
        """Fail a run that Snakemake takes for a good one though it has left out what was asked for.

        What was asked for is Snakemake's to say: ``--until``, ``--omit-from`` and ``--batch`` ask
        for less.

        Raises:
            WorkflowError: files were not made.
        """
        workflow, dag = self.workflow, self.workflow.dag
        elsewhere = workflow.remote_execution_settings.immediate_submit  # jobs go on after this
        if workflow.dag_settings.allowed_rules or elsewhere:
            return
        asked = (job.input if job.rule.norun else job.output for job in dag.targetjobs)
        missing = {str(file) for files in asked for file in files if not Path(file).exists()}
        again = (job.output for job in dag.jobs if not dag.finished(job))
        missing.update(str(file) for files in again for file in files if file in dag.forcefiles)
        if missing:
            more = f" and {len(missing) - 1} more files" if len(missing) > 1 else ""
            raise WorkflowError(
                f"trainscape: the run ended early, without {min(missing)}{more}; "
                "run the same command again to go on"
            )

    def _is_kept(self, file: str) -> bool:
        """Whether a cell is kept elsewhere, as it is or with all its seeds in another."""
        if self._attic.kept(Path(file), self.layout.trainable):
            return True
        cell = self.layout.trainable[file]
        return set(cell.seeds) <= set(self._seeds.there(cell.spec(), identity(cell)))

    @cached_property
    def _seeds(self) -> Seeds:
        return kept_seeds(self.layout)

    @cached_property
    def _attic(self) -> Attic:
        return Attic(self.layout.output, others(self.layout.output))


def proposed(layout: Layout, checkpoints: Any, files: Iterable[str] | None = None) -> list[str]:
    """The cells of a search's rounds, for a rule's input; none where the grid is trained.

    Args:
        layout: the study.
        checkpoints: Snakemake's; a round that is still to come makes it wait and ask again.
        files: the rounds; by default all.
    """
    if files is None:
        files = layout.all_rounds
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
