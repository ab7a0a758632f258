"""The thread that runs processes: starts them when slots are free and reports how jobs end.

It alone touches slots, processes and records. Snakemake's thread sends it messages through a queue,
which may be filled from a signal handler, too. It answers by Snakemake's callbacks, which may be
called from any thread.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from typing import TYPE_CHECKING, Protocol

from snakemake_executor_plugin_fuse.bundles import Bundle, Task, plan
from snakemake_executor_plugin_fuse.process import End, Guard, Process, bundle_command, ending
from snakemake_executor_plugin_fuse.records import Records, in_a_line, point_to, tail
from snakemake_executor_plugin_fuse.running import Running

if TYPE_CHECKING:
    from snakemake_executor_plugin_fuse.settings import ExecutorSettings
    from snakemake_executor_plugin_fuse.slots import Slots

SHARE = 0.02  # of a core's time may be spent on looking for outputs
PAUSE = 0.05, 1.0  # seconds between two looks, at least and at most
SETTLE = 0.1  # seconds without a new job before bundles are made: retried jobs come one by one
PATIENCE = 10.0  # seconds, after all outputs are made, before the user is told what is waited for


class Reporter(Protocol):
    """Is told how jobs end."""

    def done(self, task: Task) -> None:
        """A job's outputs are all there."""

    def failed(self, task: Task, reason: str) -> None:
        """A job failed."""

    def dropped(self, task: Task) -> None:
        """A job was stopped, or never started."""

    def show(self, text: str, error: bool = True) -> None:
        """Something that the user should read, once for many jobs."""

    def ends_the_run(self, task: Task) -> bool:
        """Whether no further job may start once this one has failed."""

    def crashed(self, error: Exception) -> None:
        """The crew itself failed, and has ended all processes."""


class Crew:
    """Runs bundles in a thread of its own, from :meth:`open` until :meth:`close`.

    Args:
        slots: what may run at the same time.
        settings: the launcher, and most jobs in a bundle.
        records: where logs and lists of jobs are written.
        reporter: is told how jobs end.
        latency: seconds that outputs may take to be seen after their process has ended.
    """

    def __init__(
        self,
        slots: Slots,
        settings: ExecutorSettings,
        records: Records,
        reporter: Reporter,
        latency: float,
    ) -> None:
        self._slots = slots
        self._settings = settings
        self._records = records
        self._reporter = reporter
        self._latency = latency
        self._messages: queue.SimpleQueue[list[Task] | str] = queue.SimpleQueue()
        self._queue: list[Bundle] = []
        self._running: list[Running] = []
        self._bundles_started = 0
        self._jobs_received = 0
        self._jobs_dropped = 0
        self._closing = False
        self._stopped_at: float | None = None
        self._hurried = False
        self._told_of_wait = False
        # daemon: a Snakemake that dies by an exception does not wait; the guard ends the processes
        self._thread = threading.Thread(target=self._run, name="fuse", daemon=True)

    def open(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, tasks: list[Task]) -> None:
        """Run these jobs."""
        self._messages.put(tasks)

    def stop(self) -> None:
        """End all processes and drop the jobs that wait; safe in a signal handler."""
        self._messages.put("stop")

    def hurry(self) -> None:
        """After a stop: kill the processes that have not ended yet; safe in a signal handler."""
        self._messages.put("hurry")

    def close(self) -> None:
        """Wait until the running processes have ended, then end the thread."""
        self._messages.put("close")
        self._thread.join(PATIENCE)
        if self._thread.is_alive() and self._stopped_at is None:
            text = "All jobs are done; waiting for their processes to end."
            self._reporter.show(text, error=False)
        self._thread.join()

    def _run(self) -> None:
        try:
            guard = Guard()
            try:
                self._run_bundles(guard)
            finally:  # closing it ends all that still runs
                if not guard.close():
                    text = "The launcher's jobs are not cancelled yet; a process goes on trying."
                    self._reporter.show(text, error=False)
        except Exception as error:
            self._reporter.crashed(in_a_line(error))

    def _run_bundles(self, guard: Guard) -> None:
        """Take messages, start processes and look after them, until it is closed."""
        pause: float | None = None
        while not (self._closing and not self._running and not self._queue):
            self._receive(pause)
            self._start(guard)
            began = time.thread_time()
            for running in list(self._running):
                self._look_after(running, guard)
            self._finish_stop()
            pause = self._pause_after(time.thread_time() - began)

    def _pause_after(self, spent: float) -> float | None:
        """Seconds until the next look, when one took ``spent``; None: until a message comes."""
        if not self._running:
            return 0 if self._queue else None
        if self._stopped_at is not None or self._closing:
            return PAUSE[0]
        return min(max(spent / SHARE, PAUSE[0]), PAUSE[1])

    def _receive(self, timeout: float | None) -> None:
        """Take all messages; the first may take ``timeout`` seconds to come, or ever so long."""
        tasks: list[Task] = []
        try:
            while True:
                message = self._messages.get(timeout=timeout)
                if isinstance(message, list):
                    tasks += message
                elif message == "stop":
                    self._stop()
                elif message == "hurry":
                    self._hurried = True
                else:
                    self._closing = True
                timeout = SETTLE if tasks else 0
        except queue.Empty:
            pass
        finally:
            self._enqueue(tasks)

    def _enqueue(self, tasks: list[Task]) -> None:
        """Make bundles of new jobs and of those that still wait."""
        self._jobs_received += len(tasks)
        if self._stopped_at is not None:
            self._drop(tasks)
        elif tasks:
            self._plan(self._waiting_tasks() + tasks)

    def _plan(self, tasks: list[Task]) -> None:
        """Make bundles of jobs; those that need more GPUs than are left fail."""
        slots, left = self._slots, len(self._slots.gpu)
        for task in tasks:
            if task.gpus > left:
                self._reporter.failed(task, f"it needs GPUs: {task.gpus}; not lost are: {left}")
        able = [task for task in tasks if task.gpus <= left]
        most = self._settings.max_jobs
        self._queue = plan(able, slots.cores, slots.gpu.total(), most, slots.alike)

    def _start(self, guard: Guard) -> None:
        """Start the processes for which slots are free."""
        for bundle, lease in self._slots.start(self._queue):
            self._bundles_started += 1
            name = f"{'job' if bundle.key is None else 'bundle'}-{self._bundles_started:03d}"
            log = self._records.log(name)
            command, end = bundle.command, End()
            if bundle.key is not None:
                jobs = self._records.write_jobs(name, bundle)
                command = bundle_command(bundle.command, jobs, self._settings.launcher)
                end = End(bool(self._settings.launcher), self._settings.cancel)
            process = Process(command, log, lease.environment, f"{name}-{self._records.run}", end)
            guard.watch(process)
            waiting = [(task, list(task.outputs)) for task in bundle.tasks]
            now = time.monotonic()
            self._running.append(
                Running(bundle, name, log, lease, process, waiting, time.time(), now)
            )

    def _look_after(self, running: Running, guard: Guard) -> None:
        """Report jobs whose outputs have appeared, and all others once the process has ended."""
        if running.status is None:
            running.status = running.process.exit(patient=self._stopped_at is not None)
            if running.status is not None:
                running.ended = time.monotonic()
                guard.forget(running.process, killed=self._stopped_at is not None)
        if running.bundle.key is not None:
            # after the question whether it has ended: what it has made by then is seen
            for task in running.newly_done():
                self._reporter.done(task)
        if running.status is not None:
            overdue = time.monotonic() - running.ended >= self._latency
            if overdue or self._stopped_at is not None or not running.owes_outputs():
                self._end(running, running.status)

    def _end(self, running: Running, status: int) -> None:
        """Settle the jobs of a process that has ended: outputs that are missing will not come."""
        self._running.remove(running)
        self._slots.give_back(running.lease)
        bundle = running.bundle
        self._records.note(running, status)
        lost = []
        for task, missing in running.waiting:
            if status or (missing and bundle.key is not None):
                lost.append(task)
            else:
                self._reporter.done(task)
        point_to(running.log, bundle)
        if self._stopped_at is not None:
            self._drop(lost)
        elif lost:
            if not self._moved(running, lost):
                self._fail(running, lost, status)
        elif status:
            self._reporter.show(
                f"{running.name} made all its outputs, but ended with {ending(status)}.\n"
                f"  log: {running.log}",
                error=False,
            )

    def _moved(self, running: Running, lost: list[Task]) -> bool:
        """Let jobs begin anew on other GPUs, if theirs is lost; whether they can."""
        bundle, slots = running.bundle, self._slots
        if len(lost) == len(bundle.tasks):
            slots.blame(running.lease)
        gone = slots.remove_lost(running.lease)
        if not gone:
            return False
        movable = bundle.key is not None and len(slots.gpu) >= bundle.gpus
        where = f"its {len(lost)} jobs go on elsewhere" if movable else "its jobs cannot go on"
        self._reporter.show(
            f"{running.name}: GPU {', '.join(gone)} is lost, nvidia-smi no longer lists it; "
            f"{where}.\n{tail(running.log)}",
            error=not movable,
        )
        self._plan(self._waiting_tasks() + (lost if movable else []))
        return movable

    def _fail(self, running: Running, lost: list[Task], status: int) -> None:
        """Report jobs as failed, and drop those that wait if the run is to end."""
        bundle = running.bundle
        if bundle.key is None:
            what, why = f"{running.name} ended", "its process ended"
        else:
            jobs = f"{len(lost)} of its {len(bundle.tasks)} jobs"
            what = f"{running.name} ended without the outputs of {jobs}"
            why = "its bundle ended without its output"
        self._reporter.show(f"{what}: {ending(status)}.\n{tail(running.log)}")
        final = False
        for task in lost:
            final = final or self._reporter.ends_the_run(task)
            self._reporter.failed(task, f"{why} ({ending(status)}); see {running.log}")
        if final and self._queue:
            waiting = self._waiting_tasks()
            self._reporter.show(f"{len(waiting)} jobs were not started, because of this error.")
            self._queue.clear()
            self._drop(waiting)

    def _waiting_tasks(self) -> list[Task]:
        return [task for bundle in self._queue for task in bundle.tasks]

    def _drop(self, tasks: list[Task]) -> None:
        self._jobs_dropped += len(tasks)
        for task in tasks:
            self._reporter.dropped(task)

    def _stop(self) -> None:
        """Ask all processes to end, and drop the jobs that wait."""
        if self._stopped_at is not None:
            return
        self._stopped_at = time.monotonic()
        for running in self._running:
            if running.status is None:  # else its number may belong to another process by now
                running.process.ask_to_end()
        waiting = self._waiting_tasks()
        self._queue.clear()
        self._drop(waiting)

    def _finish_stop(self) -> None:
        """After a stop: kill the processes that go on all the same, then count the jobs dropped."""
        if self._stopped_at is None:
            return
        passed = time.monotonic() - self._stopped_at
        for running in self._running:
            end = running.process.end
            overdue = passed > end.grace or (self._hurried and end.may_be_hurried)
            if running.status is None and overdue:
                running.process.send(signal.SIGKILL)
        if self._running and passed > PATIENCE and not self._told_of_wait:
            self._told_of_wait = True
            left = max(running.process.end.grace for running in self._running) - passed
            count = len(self._running)
            what = f"{count} process{'es' * (count > 1)}"
            text = f"Waiting up to {left:.0f} s more for {what} to end."
            self._reporter.show(text, error=False)
        if not self._running and self._jobs_dropped:
            text = f"Stopped: {self._jobs_dropped} of {self._jobs_received} jobs are not done."
            self._reporter.show(text, error=False)
            self._jobs_dropped = 0
