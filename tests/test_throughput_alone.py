"""Step times need the machine to itself: what others use, and the lock that one holds."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from kit.own_lock import own_lock as own_lock  # a fixture, once it is here
from trainscape import hardware
from trainscape.throughput import alone as alone_module


def test_share() -> None:
    """What others used is the busy time less our own, over the cores and the time that passed."""
    cores = len(hardware.usable_cores())
    start = alone_module.Clock(wall=100.0, busy=50.0, own=3.0)
    half = alone_module.Clock(wall=102.0, busy=50.0 + 2 * cores, own=3.0 + cores)
    assert alone_module.share(start, half) == 0.5
    clock = alone_module.Clock
    assert alone_module.share(start, clock(102.0, 50.0, 4.0)) == 0.0  # clocks are coarse
    assert alone_module.share(start, clock(102.0, 50.0 + 9 * cores, 3.0)) == 1.0


def test_working() -> None:
    """Waiting is not work, and a guest's time counts once."""
    core = {"user": 5.0, "nice": 1.0, "system": 2.0, "steal": 0.5, "guest": 3.0}
    assert alone_module.working({**core, "idle": 70.0, "iowait": 9.0}) == 8.5


def test_glance() -> None:
    """A process that keeps a core busy is seen."""
    busy = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=-1
    )
    try:
        assert busy.stdout
        busy.stdout.readline()
        assert alone_module.glance() * len(hardware.usable_cores()) > 0.2
    finally:
        busy.kill()
        busy.communicate()


@pytest.mark.usefixtures("own_lock")
@pytest.mark.parametrize(("others", "too_high"), [(0.1, False), (0.101, True)])
def test_load(
    others: float,
    too_high: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A measurement beside others is flagged, and said to be, from a tenth of the machine on."""
    monkeypatch.setattr(alone_module, "glance", lambda: 0.0)
    monkeypatch.setattr(alone_module, "share", lambda *_: others)
    with alone_module.alone() as load:
        assert load == {}
    assert load == {"before": 0.0, "during": others, "after": 0.0, "too_high": too_high}
    said = "throughput: others used more than 10% of the machine: the times are too long\n"
    assert capsys.readouterr().err == (said if too_high else "")


HOLD = """
from trainscape.throughput.alone import alone
with alone():
    print("in", flush=True)
    input()
"""


def hold() -> subprocess.Popen[str]:
    """A process that takes the lock, says so, and holds it until it is told to go on."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=-1, stdout=-1, stderr=-1, text=True, env=env
    )


@pytest.mark.usefixtures("own_lock")
def test_lock() -> None:
    """A second measurement says that it waits, and begins only when the first has ended."""
    first = hold()
    assert first.stdout and first.stdout.readline() == "in\n"
    second = hold()
    try:
        assert second.stdout and second.stderr
        assert "waiting" in second.stderr.readline()
        assert not select.select([second.stdout], [], [], 0.3)[0]
        first.communicate("\n", timeout=20)
        assert second.stdout.readline() == "in\n"
        second.communicate("\n", timeout=20)
        assert first.returncode == second.returncode == 0
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
