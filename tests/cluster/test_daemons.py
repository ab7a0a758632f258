"""The cluster itself: its daemons live as long as the tests, and one that dies is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.slurm import Slurm
from kit.toy import alive, until

if TYPE_CHECKING:
    from collections.abc import Iterator

# Starts a cluster, says which processes it is, and waits.
STARTS = """
import sys, time
from pathlib import Path
from kit.slurm import Slurm

slurm = Slurm(Path(sys.argv[1]))
slurm.start()
print(*(daemon.pid for daemon in slurm._daemons.values()), flush=True)
time.sleep(60)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Where a cluster may lie: a socket's path is short."""
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "cluster"


def test_a_controller_that_dies_is_named_and_does_not_keep_the_others(place: Path) -> None:
    """Whoever needs it is told how its log ends; the end of the cluster needs it no more."""
    slurm = Slurm(place)
    slurm.start()
    pids = [daemon.pid for daemon in slurm._daemons.values()]
    os.kill(slurm._daemons["slurmctld"].pid, signal.SIGKILL)
    slurm._daemons["slurmctld"].wait()
    with pytest.raises(AssertionError, match=r"slurmctld has died \(-9\):\s+slurmctld: "):
        slurm.call("scontrol", "ping")
    with pytest.warns(UserWarning, match="slurmctld has died"):
        slurm.end()
    assert not any(map(alive, pids))


def test_daemons_end_with_the_tests(place: Path) -> None:
    """Tests that are killed leave no cluster, not even one that is frozen."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    tests = subprocess.Popen(
        [sys.executable, "-c", STARTS, str(place)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert tests.stdout is not None
    pids = [int(word) for word in tests.stdout.readline().split()]
    assert len(pids) == 4
    os.kill(pids[1], signal.SIGSTOP)
    tests.kill()
    tests.communicate()
    until(lambda: not any(map(alive, pids)), 5)
