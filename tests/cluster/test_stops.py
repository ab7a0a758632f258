"""Runs that are stopped or killed while Slurm trains for them: no job and no step stays behind."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from kit.project import ROOT
from kit.toy import until

if TYPE_CHECKING:
    from kit.slurm import Slurm
    from kit.toy import Toy

LAUNCHER = "srun --ntasks=1 --job-name=$FUSE_BUNDLE"
CANCEL = f"sh {ROOT}/profiles/slurm/cancel.sh"
SECONDS = 15  # in which all must be gone: about 2 where nothing else runs

WITH_AND_WITHOUT = pytest.mark.parametrize(
    "cancel",
    [True, pytest.param(False, marks=pytest.mark.slow)],
    ids=["cancel", "no cancel"],
)

# begins, and says how it was asked to end
BUNDLE = """
import os, signal, sys, time
from pathlib import Path

def asked(number, frame):
    Path(f"asked-{os.getpid()}").touch()
    sys.exit(1)

signal.signal(signal.SIGTERM, asked)
Path(f"began-{os.getpid()}").touch()
for _ in range(600):
    time.sleep(0.1)
Path(f"went-on-{os.getpid()}").touch()
"""


class Run:
    """A run of two bundles, both of which Slurm has begun."""

    def __init__(self, toy: Toy, slurm: Slurm, *settings: str) -> None:
        self.toy = toy
        self.slurm = slurm
        toy.write("bundle.py", BUNDLE)
        words = ("--fuse-launcher", LAUNCHER, *settings)
        self.process = toy.start(*words, SLURM_CONF=slurm.environment["SLURM_CONF"])
        until(lambda: len(list(toy.root.glob("began-*"))) == 2)

    def kill(self, *numbers: signal.Signals) -> None:
        """Send signals to Snakemake, a second apart."""
        for number in numbers:
            self.process.send_signal(number)
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:
                continue

    def all_ends(self) -> str:
        """Wait until nothing is left in Slurm; what Snakemake said."""
        until(lambda: not self.slurm.jobs() and not self.slurm.steps(), SECONDS)
        said, _ = self.process.communicate(timeout=60)
        assert not list(self.toy.root.glob("went-on-*"))
        return said

    @property
    def asked(self) -> int:
        """How many bundles were asked to end, before they were killed."""
        return len(list(self.toy.root.glob("asked-*")))


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGTERM,), (signal.SIGINT, signal.SIGINT), (signal.SIGKILL,)],
    ids=["SIGTERM", "Ctrl-C twice", "kill -9"],
)
@WITH_AND_WITHOUT
def test_a_run_that_ends_takes_its_jobs_along(
    toy: Toy, slurm: Slurm, numbers: tuple[signal.Signals, ...], cancel: bool
) -> None:
    """With a cancel command its bundles are asked to end first; without one srun kills them."""
    run = Run(toy, slurm, *(("--fuse-cancel", CANCEL) if cancel else ()))
    run.kill(*numbers)
    said = run.all_ends()
    assert "Traceback" not in said
    assert run.asked == (2 if cancel else 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@WITH_AND_WITHOUT
def test_jobs_end_though_the_controller_hangs(
    toy: Toy, slurm: Slurm, number: signal.Signals, cancel: bool
) -> None:
    """A controller that answers nobody for longer than processes here get to end."""
    run = Run(toy, slurm, *(("--fuse-cancel", CANCEL) if cancel else ()))
    slurm.freeze()
    run.kill(number)
    with pytest.raises(AssertionError):  # for eight seconds
        until(lambda: run.process.poll() not in (None, -signal.SIGKILL), 8)
    slurm.thaw()
    run.all_ends()
