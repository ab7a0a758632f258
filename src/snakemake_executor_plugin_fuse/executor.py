"""Snakemake's side: hands ready jobs to the crew, and tells Snakemake how they end."""

from __future__ import annotations

import math
import os
import shlex
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.io import is_flagged
from snakemake.shell import shell
from snakemake.utils import available_cpu_count
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import (  # type: ignore[import-untyped]
    SubmittedJobInfo,
)
from snakemake_interface_executor_plugins.executors.real import (  # type: ignore[import-untyped]
    RealExecutor,
)
from snakemake_interface_executor_plugins.settings import (  # type: ignore[import-untyped]
    ExecMode,
)

from snakemake_executor_plugin_fuse import devices, gpus
from snakemake_executor_plugin_fuse.bundles import Task
from snakemake_executor_plugin_fuse.crew import Crew
from snakemake_executor_plugin_fuse.records import Records, in_a_line, job_line
from snakemake_executor_plugin_fuse.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

HOME = Path(".snakemake/fuse")  # in the working directory, as all paths of a workflow


class Executor(RealExecutor):  # type: ignore[misc]
    """Runs jobs for Snakemake, which makes one executor for each run."""

    def __post_init__(self) -> None:
        self.executor_settings.check()
        self._crew: Crew | None = None
        self._batches = 0  # calls of run_jobs
        self._gpus: list[devices.Device] = []
        self._gpus_seen = 0
        # jobs in the order in which they were reported
        self._done: list[Any] = []
        self._dropped: list[Any] = []
        self._snakemakes_handler: Any = None  # of SIGTERM
        self._cancelled = False

    @property
    def cores(self) -> int:
        cores: int | None = self.workflow.resource_settings.cores
        return cores or available_cpu_count()  # without --cores: --jobs says nothing of them

    # A job that runs alone is run by a Snakemake process of its own, as a job on a cluster is.

    def get_exec_mode(self) -> ExecMode:
        return ExecMode.REMOTE

    def get_snakefile(self) -> str:
        # relative to the prefix's folder: Snakemake's quoting fails for some names of folders
        return os.path.relpath(str(self.snakefile), str(self.workflow.workdir_init))

    def get_python_executable(self) -> str:
        return shlex.quote(sys.executable)

    def get_job_exec_prefix(self, job: Any) -> str:  # noqa: ARG002
        return f"cd {shlex.quote(str(self.workflow.workdir_init))}"

    def additional_general_args(self) -> str:
        return "--quiet progress rules host"

    # Jobs in

    def run_job(self, job: Any) -> None:
        self.run_jobs([job])

    def run_jobs(self, jobs: list[Any]) -> None:
        """Take all jobs that are ready now."""
        crew = self._crew or self._open_crew()
        self._batches += 1
        tasks = sorted((self._task(job) for job in jobs), key=lambda task: task.order)
        self.workflow.async_run(_prepare([task.job for task in tasks if task.key is not None]))
        for task in tasks:
            self.run_job_pre(task.job)
            self.report_job_submission(SubmittedJobInfo(job=task.job))
        crew.add(tasks)

    def _open_crew(self) -> Crew:
        settings = self.executor_settings
        found = devices.found(os.environ, settings.per_gpu)
        self._gpus, self._gpus_seen = [gpu for gpu in found if gpu.share], len(found)
        for gpu in found:
            if gpu not in self._gpus:
                text = f"GPU {gpu.name} ({gpu.model}) is not used: others take its memory."
                self.show(text, error=False)
        slots = Slots(self.cores, self._gpus, settings.per_gpu)
        # a launcher may run bundles on other machines, whose files take a while to be seen here
        latency = self.workflow.execution_settings.latency_wait if settings.launcher else 0
        try:
            records = Records(HOME)
        except OSError as error:
            raise in_a_line(error) from None
        self._crew = Crew(slots, settings, records, self, latency)
        self._crew.open()
        if threading.current_thread() is threading.main_thread():
            # Snakemake's own handler, which it sets late, lets running jobs finish
            self._snakemakes_handler = signal.signal(signal.SIGTERM, self._terminate)
        return self._crew

    def _task(self, job: Any) -> Task:
        """A job, with what the crew must know of it.

        Raises:
            WorkflowError: its rule declares something that is not valid; the text is one line.
        """
        order = min(j.jobid for j in job) if job.is_group() else job.jobid
        gpu_count = self._gpu_count(job)
        if not self._may_share(job):
            threads = max(int(job.threads), 1)
            command = self.format_job_exec(job)
            return Task(job, order, self._batches, command, gpus=gpu_count, threads=threads)
        key, command, cost = _declaration(job)
        pack, fill = _pack(job)
        return Task(
            job,
            order,
            self._batches,
            command,
            key,
            cost,
            gpu_count,
            pack=pack,
            fill=fill,
            # Snakemake itself makes the outputs that are marked touch(), afterwards
            outputs=tuple(Path(file) for file in job.output if not is_flagged(file, "touch")),
            logs=tuple(Path(file) for file in job.log),
            line=job_line([str(file) for file in job.output], [str(file) for file in job.log]),
        )

    def _may_share(self, job: Any) -> bool:
        """Whether a job may share a process: its rule says so, and it needs nothing special."""
        if job.is_group() or not job.params.get("bundle"):
            return False
        deployed = self.workflow.deployment_settings.deployment_method and (
            job.conda_env_spec or job.container_img_url or job.env_modules
        )
        return not (deployed or job.is_shadow or job.benchmark)

    def _gpu_count(self, job: Any) -> int:
        """How many GPUs a job's process needs.

        Raises:
            WorkflowError: so many cannot be seen here.
        """
        asked = job.resources.get("gpu", 0)
        count = asked if isinstance(asked, int) else 0
        if count > 0 and not self._gpus and self.executor_settings.launcher:
            return 0  # the launcher finds one
        if count > len(self._gpus):
            seen = f"{self._gpus_seen or 'none'} can be seen here"
            busy = self._gpus_seen - len(self._gpus)
            if busy:
                seen += f", and others take the memory of {busy}"
            raise WorkflowError(
                f"Rule {job.name} asks for {count} GPU{'s' * (count > 1)} (resource gpu), but "
                f"{seen} (see nvidia-smi{'' if busy else ' -L'} and {gpus.VARIABLE})."
            )
        return max(count, 0)

    # Jobs out: the crew's Reporter, called from its thread

    def done(self, task: Task) -> None:
        self._done.append(task.job)
        self.report_job_success(SubmittedJobInfo(job=task.job))

    def failed(self, task: Task, reason: str) -> None:
        self.report_job_error(SubmittedJobInfo(job=task.job), msg=reason)

    def dropped(self, task: Task) -> None:
        self._dropped.append(task.job)
        # report_job_error would print a paragraph for each job
        self.workflow.scheduler.error_callback(task.job)

    def show(self, text: str, error: bool = True) -> None:
        (self.logger.error if error else self.logger.warning)(text)

    def ends_the_run(self, task: Task) -> bool:
        retries: int = task.job.restart_times - (task.job.attempt - 1)
        return retries <= 0 and not self.workflow.execution_settings.keep_going

    def crashed(self, error: Exception) -> None:
        self.workflow.scheduler.executor_error_callback(error)

    # The end

    def shutdown(self) -> None:
        """Called when all jobs have been reported; a bundle's process may still run."""
        if self._crew is not None:
            self._crew.close()
        self._restore_handler()

    def cancel(self) -> None:
        """Called on Ctrl-C, on SIGTERM, and when Snakemake itself fails: end everything."""
        self._cancelled = True
        if self._crew is not None:
            self._crew.stop()
            with _at_ctrl_c(self._crew.hurry):
                self._crew.close()
                self.workflow.async_run(self._postprocess())
        self._end_local_jobs()
        self._restore_handler()

    def _end_local_jobs(self) -> None:
        """End the jobs of local rules, and wait until they have ended.

        Snakemake itself lets them run on, and then fails with a traceback because their threads
        are still there when it ends.
        """
        scheduler = self.workflow.scheduler
        # private: Snakemake has no public way to the executor of local rules, nor cancels it itself
        local = getattr(scheduler, "_local_executor", None)
        if local is not None:
            for job in list(scheduler.running):
                shell.terminate(job.jobid)
            local.cancel()

    async def _postprocess(self) -> None:
        """Do Snakemake's own work after a job, for jobs that it no longer asks about once it stops.

        So no output stays marked as incomplete, and what was made is not made again.
        """
        for jobs, error in ((self._done, False), (self._dropped, True)):
            for job in jobs:
                if not self.dag.finished(job):
                    try:
                        await job.postprocess(error=error)
                    except Exception as problem:  # the next run finds it incomplete
                        self.logger.debug(f"fuse: {job}: {problem!r}")

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        """Treat SIGTERM as a Ctrl-C.

        Snakemake's own handler would wait for running jobs. It also takes a lock, which the code
        that the signal interrupts may be holding.
        """
        if self._crew is not None and not self._cancelled:
            self._crew.stop()
            # Ctrl-C is ignored in a shell's background
            if not callable(signal.getsignal(signal.SIGINT)):
                raise KeyboardInterrupt
            # asyncio handles the signal between two steps; the exception would break into one, such
            # as an import
            signal.raise_signal(signal.SIGINT)

    def _restore_handler(self) -> None:
        if self._snakemakes_handler is not None:
            signal.signal(signal.SIGTERM, self._snakemakes_handler)
            self._snakemakes_handler = None


@contextmanager
def _at_ctrl_c(call: Callable[[], None]) -> Iterator[None]:
    """Call something at each Ctrl-C, in place of an exception that would break off what is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda _number, _frame: call())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _declaration(job: Any) -> tuple[str, str, float]:
    """A job's bundle key, bundle command and cost, as its rule declares them."""
    key, command = job.params.get("bundle"), job.params.get("bundle_command")
    cost = job.params.get("bundle_cost", 1)
    if not isinstance(key, str):
        raise WorkflowError(f"Rule {job.name}: params.bundle is {key!r}; it must be text.")
    if not isinstance(command, str) or not command.strip():
        raise WorkflowError(
            f"Rule {job.name}: params.bundle_command is {command!r}; it must be a shell command."
        )
    if not _is_above_0(cost):
        raise WorkflowError(
            f"Rule {job.name}: params.bundle_cost is {cost!r}; it must be a number above 0."
        )
    return key, command, float(cost)


def _pack(job: Any) -> tuple[str, float]:
    """The jobs that a job fills a GPU with, and how much of it, as its rule declares them."""
    pack, fill = job.params.get("bundle_pack", ""), job.params.get("bundle_fill", 1)
    if not isinstance(pack, str):
        raise WorkflowError(f"Rule {job.name}: params.bundle_pack is {pack!r}; it must be text.")
    if hasattr(fill, "reckoned"):
        fill = fill.reckoned()
    if not _is_above_0(fill):
        raise WorkflowError(
            f"Rule {job.name}: params.bundle_fill is {fill!r}; it must be a number above 0."
        )
    return pack, float(fill)


def _is_above_0(value: object) -> bool:
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    return numeric and value > 0 and math.isfinite(value)  # type: ignore[operator, arg-type]


async def _prepare(jobs: list[Any]) -> None:
    """Make the folders of outputs and logs and remove old ones, as Snakemake does locally."""
    for job in jobs:
        await job.prepare()
