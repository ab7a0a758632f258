"""Snakemake's side: takes ready jobs, gives them to the crew, passes on how they end."""

from __future__ import annotations

import math
import os
import shlex
import signal
import sys
import threading
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

from snakemake_executor_plugin_fuse import gpus
from snakemake_executor_plugin_fuse.crew import Crew
from snakemake_executor_plugin_fuse.packs import Work
from snakemake_executor_plugin_fuse.records import Records, job_line
from snakemake_executor_plugin_fuse.slots import Slots

if TYPE_CHECKING:
    from types import FrameType

HOME = Path(".snakemake/fuse")  # relative, as all of a workflow's paths: Snakemake is there


class Executor(RealExecutor):  # type: ignore[misc]
    """The plugin's class; Snakemake makes one for each run."""

    def __post_init__(self) -> None:
        self.executor_settings.check()
        self._crew: Crew | None = None
        self._batch = 0
        self._devices: list[str] = []
        self._done: list[Any] = []  # jobs reported as done, and as stopped, in this order
        self._dropped: list[Any] = []
        self._handler: Any = None
        self._ending = False

    @property
    def cores(self) -> int:
        cores: int | None = self.workflow.resource_settings.cores
        return cores or available_cpu_count()  # without --cores: --jobs says nothing of them

    # What a job alone runs: Snakemake, in a process of its own, as in a cluster's job.

    def get_exec_mode(self) -> ExecMode:
        return ExecMode.REMOTE

    def get_snakefile(self) -> str:
        # relative to the folder of get_job_exec_prefix: Snakemake does not quote all paths well
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
        crew = self._crew or self._open()
        self._batch += 1
        works = sorted((self._work(job) for job in jobs), key=lambda work: work.order)
        self.workflow.async_run(_prepare([work.job for work in works if work.key is not None]))
        for work in works:
            self.run_job_pre(work.job)
            self.report_job_submission(SubmittedJobInfo(job=work.job))
        crew.add(works)

    def _open(self) -> Crew:
        settings = self.executor_settings
        self._devices = gpus.visible(os.environ)
        slots = Slots(self.cores, self._devices, settings.per_gpu)
        # only a launcher takes packs to other machines, whose files take a while to be seen here
        patience = self.workflow.execution_settings.latency_wait if settings.launcher else 0
        self._crew = Crew(slots, settings, Records(HOME), self, patience)
        self._crew.open()
        if threading.current_thread() is threading.main_thread():
            # Snakemake's own handler, set after this object was made, lets running jobs finish
            self._handler = signal.signal(signal.SIGTERM, self._terminate)
        return self._crew

    def _work(self, job: Any) -> Work:
        """What there is to know of a job.

        Raises:
            WorkflowError: its rule declares something that cannot be followed, in one line.
        """
        order = min(j.jobid for j in job) if job.is_group() else job.jobid
        needed = self._gpus(job)
        if not self._shares(job):
            threads = max(int(job.threads), 1)
            command = self.format_job_exec(job)
            return Work(job, order, self._batch, command, gpus=needed, threads=threads)
        key, command, cost = _declared(job)
        return Work(
            job,
            order,
            self._batch,
            command,
            key,
            cost,
            needed,
            # Snakemake makes the outputs marked touch() itself, afterwards
            outputs=tuple(Path(file) for file in job.output if not is_flagged(file, "touch")),
            logs=tuple(Path(file) for file in job.log),
            listed=job_line([str(file) for file in job.output], [str(file) for file in job.log]),
        )

    def _shares(self, job: Any) -> bool:
        """Whether a job may be run in a pack: it asks for it, and for no special treatment."""
        if job.is_group() or not job.params.get("pack"):
            return False
        deployed = self.workflow.deployment_settings.deployment_method and (
            job.conda_env_spec or job.container_img_url or job.env_modules
        )
        return not (deployed or job.is_shadow or job.benchmark)

    def _gpus(self, job: Any) -> int:
        asked = job.resources.get("gpu", 0)
        count = asked if isinstance(asked, int) else 0
        if count > 0 and not self._devices and self.executor_settings.launcher:
            return 0  # the launcher finds the GPU
        if count > len(self._devices):
            raise WorkflowError(
                f"Rule {job.name} asks for {count} GPU{'s' * (count > 1)} (resource gpu), but "
                f"{len(self._devices) or 'none'} can be seen here (see nvidia-smi -L and "
                f"{gpus.VARIABLE})."
            )
        return max(count, 0)

    # Outcomes out; called by the crew, from its thread

    def done(self, work: Work) -> None:
        self._done.append(work.job)
        self.report_job_success(SubmittedJobInfo(job=work.job))

    def lost(self, work: Work, reason: str) -> None:
        self.report_job_error(SubmittedJobInfo(job=work.job), msg=reason)

    def dropped(self, work: Work) -> None:
        self._dropped.append(work.job)
        self.workflow.scheduler.error_callback(work.job)  # without a paragraph for each

    def say(self, text: str, error: bool = True) -> None:
        (self.logger.error if error else self.logger.warning)(text)

    def last_error(self, work: Work) -> bool:
        retries: int = work.job.restart_times - (work.job.attempt - 1)
        return retries <= 0 and not self.workflow.execution_settings.keep_going

    def crashed(self, error: Exception) -> None:
        self.workflow.scheduler.executor_error_callback(error)

    # The end

    def shutdown(self) -> None:
        """Called when no job is running any more; a pack may still be."""
        if self._crew is not None:
            self._crew.close()
        self._restore()

    def cancel(self) -> None:
        """Called on Ctrl-C, on SIGTERM, and when Snakemake itself fails: end everything."""
        self._ending = True
        if self._crew is not None:
            self._crew.stop()
            self._crew.close()
            self.workflow.async_run(self._tidy())
        self._end_local()
        self._restore()

    def _end_local(self) -> None:
        """End the jobs of local rules, and wait for it.

        Snakemake leaves them to themselves, and falls over their threads when it ends.
        """
        scheduler = self.workflow.scheduler
        local = getattr(scheduler, "_local_executor", None)  # no public way to it
        if local is not None:
            for job in list(scheduler.running):
                shell.terminate(job.jobid)
            local.cancel()

    async def _tidy(self) -> None:
        """Do for jobs that ended after Snakemake stopped listening what it would have done.

        So no output is left marked as incomplete, and what was made is not made again.
        """
        for jobs, error in ((self._done, False), (self._dropped, True)):
            for job in jobs:
                if not self.dag.finished(job):
                    try:
                        await job.postprocess(error=error)
                    except Exception as problem:  # the next run finds it incomplete
                        self.logger.debug(f"fuse: {job}: {problem!r}")

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        """SIGTERM is a Ctrl-C.

        Snakemake's own handler would wait for running jobs; it also takes a lock that the
        interrupted code may be holding.
        """
        if self._crew is not None and not self._ending:
            self._crew.stop()
            if not callable(signal.getsignal(signal.SIGINT)):  # ignored, as in a shell's background
                raise KeyboardInterrupt
            # not the exception itself: asyncio takes this signal without breaking off in the
            # middle of anything, such as an import
            signal.raise_signal(signal.SIGINT)

    def _restore(self) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)
            self._handler = None


def _declared(job: Any) -> tuple[str, str, float]:
    """A job's pack key, pack command and cost, as its rule declares them."""
    key, command = job.params.get("pack"), job.params.get("pack_command")
    cost = job.params.get("pack_cost", 1)
    if not isinstance(key, str):
        raise WorkflowError(f"Rule {job.name}: params.pack is {key!r}; it must be text.")
    if not isinstance(command, str) or not command.strip():
        raise WorkflowError(
            f"Rule {job.name}: params.pack_command is {command!r}; it must be a shell command."
        )
    if (
        isinstance(cost, bool)
        or not isinstance(cost, (int, float))
        or not (cost > 0 and math.isfinite(cost))
    ):
        raise WorkflowError(
            f"Rule {job.name}: params.pack_cost is {cost!r}; it must be a number above 0."
        )
    return key, command, float(cost)


async def _prepare(jobs: list[Any]) -> None:
    """Make the folders of outputs and logs and remove old ones, as Snakemake does locally."""
    for job in jobs:
        await job.prepare()
