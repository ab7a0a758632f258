"""Calls in forked processes: results in order, errors as they are, no wait without end."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest

from trainscape import forked, hardware
from trainscape.errors import DamagedFileError

if "fork" not in multiprocessing.get_all_start_methods():
    pytest.skip("needs fork", allow_module_level=True)


def _cores(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(forked, "usable_cores", lambda: hardware.usable_cores()[:1] * count)


def test_results_stand_in_the_order_of_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls need not pickle, and run in other processes."""
    _cores(monkeypatch, 2)

    def call(number: int) -> tuple[int, int]:
        return number, os.getpid()

    with forked.begun([partial(call, i) for i in range(9)], 2) as results:
        found = [result() for result in results]
    assert [number for number, _ in found] == list(range(9))
    processes = {process for _, process in found}
    assert len(processes) <= 2 and os.getpid() not in processes


@pytest.mark.parametrize(("cores", "processes"), [(1, 2), (2, 0)])
def test_without_another_core_a_call_runs_here_when_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, cores: int, processes: int
) -> None:
    """The same results, later."""
    _cores(monkeypatch, cores)
    ran: list[int] = []
    with forked.begun([partial(ran.append, i) for i in (3, 4)], processes) as results:
        assert not ran
        results[1]()
    assert ran == [4]


def test_an_error_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with a message of its own, too."""
    _cores(monkeypatch, 2)

    def fail() -> None:
        raise DamagedFileError(Path("results/a.json"), "is empty")

    with (
        pytest.raises(DamagedFileError, match=r"results/a\.json: is empty"),
        forked.begun([fail], 1) as (result,),
    ):
        result()


def test_a_process_that_is_killed_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel does where memory is short."""
    _cores(monkeypatch, 2)
    kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(BrokenProcessPool), forked.begun([kill], 1) as (result,):
        result()
