"""The program behind ``process.Guard``: it outlives Snakemake and ends what Snakemake has left.

It reads lines, each a JSON object. ``{"watch": GROUP, "name": …, "grace": …, "cancel": …}`` is a
process group to watch, ``{"ended": GROUP}`` one that has ended by itself, ``{"killed": GROUP}`` one
that was made to end: what its launcher started elsewhere may still run. The input ends when the
process that writes it dies. Then what is watched is ended, and what was killed is cancelled.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

NAME = "FUSE_BUNDLE"  # the variable that tells launchers and cancel commands whose process it is
RETRY = 5.0  # seconds between two tries to cancel
TRIES = 600.0  # seconds for which it is tried: as long as a cluster's controller may be away
HANGS = 60.0  # seconds after which a cancel command is given up

Watched = dict[str, Any]


def main() -> None:
    """Read until the input ends, then end the groups that are still watched."""
    watched: dict[int, Watched] = {}
    killed: list[Watched] = []
    for line in sys.stdin:
        told = json.loads(line)
        if "watch" in told:
            watched[told["watch"]] = told
        elif "ended" in told:
            watched.pop(told["ended"], None)
        elif known := watched.pop(told["killed"], None):
            killed.append(known)
    # each by itself: one that takes long keeps no other from being cancelled
    for each in watched.values():
        threading.Thread(target=end, args=(each,)).start()
    for each in killed:
        threading.Thread(target=cancel_for_certain, args=(each,)).start()


def end(each: Watched) -> None:
    """Ask a group to end, kill it if it does not in its time, and cancel what it launched."""
    group, deadline = each["watch"], time.monotonic() + each["grace"]
    asked = start(each) if each["cancel"] else None
    if asked is None:
        send(group, signal.SIGTERM)
    while alive(group) and time.monotonic() < deadline:
        if asked is not None and asked.poll():  # its cancel command has failed
            asked = None
            send(group, signal.SIGTERM)
        time.sleep(0.05)
    send(group, signal.SIGKILL)
    cancel_for_certain(each)


def cancel_for_certain(each: Watched) -> None:
    """Run a cancel command, if there is one, until it has succeeded, or all time is over."""
    deadline = time.monotonic() + TRIES
    while each["cancel"] and not succeeds(start(each)) and time.monotonic() < deadline:
        time.sleep(RETRY)


def start(each: Watched) -> subprocess.Popen[bytes]:
    """Start the command that cancels what a launcher has started."""
    return cancelling(each["cancel"], each["name"], subprocess.DEVNULL)


def cancelling(command: str, name: str, output: Any) -> subprocess.Popen[bytes]:
    """Start a cancel command, in a group of its own.

    Args:
        command: for ``sh``; it finds ``name`` in its environment.
        name: of what is to be cancelled.
        output: takes what it prints.
    """
    return subprocess.Popen(
        ["sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, NAME: name},
        start_new_session=True,
    )


def succeeds(process: subprocess.Popen[bytes]) -> bool:
    """Wait for a cancel command, but not for ever; whether it succeeded."""
    try:
        return process.wait(HANGS) == 0
    except subprocess.TimeoutExpired:
        send(process.pid, signal.SIGKILL)
        process.wait()
        return False


def send(group: int, number: signal.Signals) -> None:
    """Send a signal to a group, if it is still there."""
    with suppress(OSError):  # macOS: PermissionError where all of the group have ended
        os.killpg(group, number)


def alive(group: int) -> bool:
    """Whether any process of a group is there."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
