"""The thread that runs processes: starts them as slots get free, sees outputs appear, reports.

It alone touches slots, processes and records. Snakemake's thread sends it messages through a queue
that may also be filled from a signal handler; it answers by Snakemake's callbacks, which take any
thread.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
import time
from typing import TYPE_CHECKING, Protocol

from snakemake_executor_plugin_fuse import gpus
from snakemake_executor_plugin_fuse.packs import Unit, Work, plan
from snakemake_executor_plugin_fuse.process import Guard, Process, ending, pack_command
from snakemake_executor_plugin_fuse.records import Records, point_to, tail
from snakemake_executor_plugin_fuse.running import Running

if TYPE_CHECKING:
    from snakemake_executor_plugin_fuse.settings import ExecutorSettings
    from snakemake_executor_plugin_fuse.slots import Slots

SHARE = 0.02  # of a core may go into looking for outputs
PAUSE = 0.05, 1.0  # seconds between two looks, at least and at most
SETTLE = 0.1  # seconds without news before packs are made: retries come one by one
PATIENT = 10.0  # seconds without a word while processes that have made all outputs go on
GRACE = 5.0  # seconds from SIGTERM to SIGKILL


class Reporter(Protocol):
    """Who is told how jobs end."""

    def done(self, work: Work) -> None:
        """A job's outputs are all there."""

    def lost(self, work: Work, reason: str) -> None:
        """A job failed."""

    def dropped(self, work: Work) -> None:
        """A job was stopped, or never started."""

    def say(self, text: str, error: bool = True) -> None:
        """Something to show, once for many jobs."""

    def last_error(self, work: Work) -> bool:
        """Whether this job's failure means that nothing new may start."""

    def crashed(self, error: Exception) -> None:
        """The crew itself failed, and has ended all processes."""


class Crew:
    """Runs units, in a thread of its own, from :meth:`open` until :meth:`close`.

    Args:
        slots: what may run at once.
        settings: the launcher, and most jobs in a pack.
        records: where logs and lists of jobs go.
        reporter: who is told how jobs end.
        patience: seconds that outputs may take to be seen after their process has ended.
    """

    def __init__(
        self,
        slots: Slots,
        settings: ExecutorSettings,
        records: Records,
        reporter: Reporter,
        patience: float,
    ) -> None:
        self._slots = slots
        self._settings = settings
        self._records = records
        self._tell = reporter
        self._patience = patience
        self._mail: queue.SimpleQueue[list[Work] | str] = queue.SimpleQueue()
        self._queue: list[Unit] = []
        self._running: list[Running] = []
        self._started = 0
        self._jobs = 0  # handed over, and given up
        self._dropped = 0
        self._closing = False
        # daemon: if Snakemake dies by an exception, it need not wait, the guard ends the packs
        self._thread = threading.Thread(target=self._run, name="fuse", daemon=True)
        self._stopped: float | None = None

    def open(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, works: list[Work]) -> None:
        """Run these jobs."""
        self._mail.put(works)

    def stop(self) -> None:
        """End all processes and drop what waits; safe in a signal handler."""
        self._mail.put("stop")

    def close(self) -> None:
        """Let what runs come to its end, then end the thread, and wait for that."""
        self._mail.put("close")
        self._thread.join(PATIENT)
        if self._thread.is_alive():
            self._tell.say("All jobs are done; waiting for their processes to end.", error=False)
        self._thread.join()

    def _run(self) -> None:
        try:
            with contextlib.closing(Guard()) as guard:  # closing it ends whatever is left
                self._work(guard)
        except Exception as error:
            self._tell.crashed(error)

    def _work(self, guard: Guard) -> None:
        pause: float | None = None
        while not (self._closing and not self._running and not self._queue):
            self._receive(pause)
            self._start(guard)
            began = time.thread_time()
            for running in list(self._running):
                self._look(running, guard)
            self._press()
            spent = time.thread_time() - began
            pause = self._pause(spent)

    def _pause(self, spent: float) -> float | None:
        """Seconds until the next look, after one that took so many; None: until there is news."""
        if not self._running:
            return 0 if self._queue else None
        if self._stopped is not None or self._closing:
            return PAUSE[0]
        return min(max(spent / SHARE, PAUSE[0]), PAUSE[1])

    def _receive(self, timeout: float | None) -> None:
        """Take all messages, waiting for one at most so many seconds; None: as long as it takes."""
        works: list[Work] = []
        try:
            while True:
                message = self._mail.get(timeout=timeout)
                if isinstance(message, list):
                    works += message
                elif message == "stop":
                    self._stop()
                else:
                    self._closing = True
                timeout = SETTLE if works else 0
        except queue.Empty:
            pass
        finally:
            self._enqueue(works)

    def _enqueue(self, works: list[Work]) -> None:
        """Plan anew all that has not been started."""
        self._jobs += len(works)
        if self._stopped is not None:
            self._drop(works)
        elif works:
            waiting, slots = self._waiting(), self._slots
            most = self._settings.max_jobs
            self._queue = plan(waiting + works, slots.cores, slots.gpu.total(), most)

    def _start(self, guard: Guard) -> None:
        for unit, lease in self._slots.start(self._queue):
            self._started += 1
            name = f"{'job' if unit.key is None else 'pack'}-{self._started:03d}"
            log = self._records.log(name)
            command = unit.command
            if unit.key is not None:
                jobs = self._records.write_jobs(name, unit)
                command = pack_command(unit.command, jobs, self._settings.launcher)
            extra = {gpus.VARIABLE: ",".join(lease.devices)} if lease.devices else {}
            process = Process(command, log, extra)
            guard.watch(process)
            waiting = [(work, list(work.outputs)) for work in unit.works]
            now = time.monotonic()
            self._running.append(
                Running(unit, name, log, lease, process, waiting, time.time(), now)
            )

    def _look(self, running: Running, guard: Guard) -> None:
        """Report what has appeared, and the rest when the process has ended."""
        if running.status is None:
            running.status = running.process.exit(patient=self._stopped is not None)
            if running.status is not None:
                running.ended = time.monotonic()
                guard.forget(running.process)
        if running.unit.key is not None:
            for work in running.appeared():  # after the question whether it has ended
                self._tell.done(work)
        if running.status is not None:
            late = time.monotonic() - running.ended >= self._patience
            if (
                late
                or self._stopped is not None
                or not any(missing for _, missing in running.waiting)
            ):
                self._end(running, running.status)

    def _end(self, running: Running, status: int) -> None:
        """A process has ended, and what it has not made by now it never will."""
        self._running.remove(running)
        self._slots.give(running.lease)
        unit = running.unit
        self._records.note(
            running.name, unit, running.started, running.ended - running.began, status
        )
        lost = []
        for work, missing in running.waiting:
            if status or (missing and unit.key is not None):
                lost.append(work)
            else:
                self._tell.done(work)
        point_to(running.log, unit)
        if self._stopped is not None:
            self._drop(lost)
        elif lost:
            self._fail(running, lost, status)
        elif status:
            self._tell.say(
                f"{running.name} made all its outputs, but ended with {ending(status)}.\n"
                f"  log: {running.log}",
                error=False,
            )

    def _fail(self, running: Running, lost: list[Work], status: int) -> None:
        if running.unit.key is None:
            what, why = f"{running.name} ended", "its process ended"
        else:
            what = f"{running.name} ended before {len(lost)} of its {len(running.unit.works)} jobs"
            what += " had made their outputs"
            why = "the pack it was in ended without its output"
        self._tell.say(f"{what}: {ending(status)}.\n{tail(running.log)}")
        final = False
        for work in lost:
            final = final or self._tell.last_error(work)
            self._tell.lost(work, f"{why} ({ending(status)}); see {running.log}")
        if final and self._queue:
            left = self._waiting()
            self._tell.say(f"{len(left)} jobs were not started, because of this error.")
            self._queue.clear()
            self._drop(left)

    def _waiting(self) -> list[Work]:
        return [work for unit in self._queue for work in unit.works]

    def _drop(self, works: list[Work]) -> None:
        self._dropped += len(works)
        for work in works:
            self._tell.dropped(work)

    def _stop(self) -> None:
        if self._stopped is None:
            self._stopped = time.monotonic()
            self._send(signal.SIGTERM)
            left = self._waiting()
            self._queue.clear()
            self._drop(left)

    def _send(self, number: signal.Signals) -> None:
        for running in self._running:
            if running.status is None:  # else its number may be another's by now
                running.process.send(number)

    def _press(self) -> None:
        """After a stop: kill what has not followed the request, and say what is not done."""
        if self._stopped is None:
            return
        if time.monotonic() - self._stopped > GRACE:
            self._send(signal.SIGKILL)
        if not self._running and self._dropped:
            text = f"Stopped: {self._dropped} of {self._jobs} jobs are not done."
            self._tell.say(text, error=False)
            self._dropped = 0
