"""A Ctrl-C ends a command with a word, and the processes beside it with none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from trainscape import interrupts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
# The first module that the command line loads stops it, as a Ctrl-C while it starts does.
EARLY = """
import sys

class Stops:
    def find_spec(self, name, path=None, target=None):
        if name == "trainscape.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Stops())
sys.argv = ["trainscape", "cells"]
from trainscape.__main__ import main
main()
"""
# Two processes beside it: each says that it is there, then waits for ever.
BESIDE = """
import os, signal, sys, time
from pathlib import Path
from trainscape import forked, interrupts

folder = Path(sys.argv[1])
interrupts.told_in_a_word()
signal.signal(signal.SIGINT, signal.default_int_handler)
forked.usable_cores = lambda: [0, 1]  # with one core the calls would run here, in turn

def wait():
    (folder / str(os.getpid())).touch()
    time.sleep(600)

with forked.begun([wait, wait], 2) as calls:
    calls[0]()
"""

LOADS = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
print("loaded", flush=True)
from trainscape import interrupts
interrupts.heard()
print("not reached", flush=True)
"""


def test_a_command_that_starts_is_stopped_with_a_word() -> None:
    """It ends by the signal, as a shell expects, and shows no traceback."""
    done = subprocess.run(
        [sys.executable, "-c", EARLY], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "")
    assert done.stderr == "trainscape: stopped\n"


def test_processes_beside_it_end_without_a_word(tmp_path: Path) -> None:
    """A terminal sends a Ctrl-C to all of them."""
    running = subprocess.Popen(
        [sys.executable, "-c", BESIDE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    try:
        while len(list(tmp_path.iterdir())) < 2:
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        said, _ = running.communicate(timeout=60)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert said == "trainscape: stopped\n"
    assert running.returncode == -signal.SIGINT


def test_a_process_hears_it_when_it_is_ready() -> None:
    """A Ctrl-C that comes while it loads modules ends it later, without a word."""
    with interrupts.unheard():
        running = subprocess.Popen(
            [sys.executable, "-c", LOADS],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    said, _ = running.communicate(timeout=60)
    assert (said, running.returncode) == ("loaded\n", -signal.SIGINT)
