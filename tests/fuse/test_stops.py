"""Runs that are stopped: every process ends, promptly, and nothing is left half made."""

from __future__ import annotations

import os
import signal

import pytest

from kit.toy import Toy, alive, until
from snakemake_executor_plugin_fuse.process import GRACE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_its_bundles_and_can_go_on(toy: Toy, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM: what is made is kept and the next run makes the rest, nothing else."""
    stubborn = number == signal.SIGINT
    toy.plan(n4="sleep", n5="sleep", stubborn="yes" if stubborn else "")
    grace = GRACE if stubborn else 0.0
    said = toy.stopped(number, lambda: len(list(toy.root.glob("out/*.txt"))) == 4, grace)
    assert not any(alive(call["pid"]) for call in toy.calls())
    assert sorted(toy.outputs()) == ["0.txt", "1.txt", "2.txt", "3.txt"]
    assert "Stopped: 8 of 12 jobs are not done." in said
    assert "Error in rule" not in said
    assert ("Waiting up to 10 s more for 2 processes to end." in said) == stubborn
    assert "All jobs are done" not in said
    assert list(toy.root.glob(".snakemake/incomplete/*")) == []

    if number == signal.SIGTERM:
        return  # the same from here on
    toy.plan()
    toy.run()
    assert sorted(job for shape in toy.shapes()[2:] for job in shape) == list(range(4, 12))


def test_a_stop_ends_jobs_of_local_rules_too(toy: Toy) -> None:
    """A Ctrl-C while Snakemake itself runs a job: it ends, and Snakemake does not fall over it."""
    toy.edit(
        "rule make:",
        'rule last:\n    input: expand("out/{n}.txt", n=range(12))\n    output: "last"\n'
        '    localrule: True\n    shell: "echo $$ > pid; exec sleep 60"\n\n\nrule make:',
    )
    toy.edit('        expand("out/{n}.txt", n=range(12)),\n\n', '        "last",\n\n')
    said = toy.stopped(signal.SIGINT, lambda: (toy / "pid").exists() and (toy / "pid").read_text())
    assert not alive(int((toy / "pid").read_text()))
    assert "Traceback" not in said
    assert len(toy.outputs()) == 12


def test_bundles_end_with_a_snakemake_that_is_killed(toy: Toy) -> None:
    """A kill -9 of Snakemake ends its bundles, and what their shells have started."""
    toy.edit('"python bundle.py"', '"true && nice python bundle.py"')
    toy.plan(n4="sleep", n5="sleep")
    process = toy.start()
    until(lambda: len(list(toy.root.glob("out/*.txt"))) == 4)
    process.kill()
    process.communicate()
    pids = [call["pid"] for call in toy.calls()]
    assert len(pids) == 2
    until(lambda: not any(map(alive, pids)), seconds=10)


# makes a job "elsewhere", in a session of its own; ends with it, and at once if it is told to end
LAUNCHER = """#!/bin/sh
setsid sh -c 'echo $$ > "$FUSE_BUNDLE.pid"; exec sleep 60' &
wait
"""
# of a job that is gone it is enough to know that, as for scancel
CANCEL = 'test -e answers && { kill $(cat "$FUSE_BUNDLE.pid"); echo "$FUSE_BUNDLE" >> cancelled; }'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_launcher_started_is_cancelled_for_certain(toy: Toy, number: signal.Signals) -> None:
    """Its jobs run elsewhere, and who ends them answers late: they end after the run is over."""
    toy.write("launch", LAUNCHER).chmod(0o755)
    words = ("--fuse-launcher", "./launch", "--fuse-cancel", CANCEL)
    process = toy.start(*words)
    until(lambda: len(pids(toy)) == 2)
    process.send_signal(number)
    process.wait(30)
    assert all(map(alive, pids(toy))), "they are ended by nobody but the cancel command"
    toy.write("answers", "now")
    until(lambda: not any(map(alive, pids(toy))))
    process.communicate()
    # a set: what a killed launcher left is cancelled once more, after its group has ended
    assert set((toy / "cancelled").read_text().split()) == {p.stem for p in toy.root.glob("*.pid")}


def test_a_launcher_that_takes_long_keeps_no_other_from_being_cancelled(toy: Toy) -> None:
    """What ends the first one's job does so late; the second's is cancelled as soon as can be."""
    toy.write("launch", LAUNCHER).chmod(0o755)
    toy.write("cancel", f'case "$FUSE_BUNDLE" in bundle-001*) exit ;; esac; touch tried; {CANCEL}')
    process = toy.start("--fuse-launcher", "./launch", "--fuse-cancel", "sh cancel")
    until(lambda: len(pids(toy)) == 2)
    process.kill()
    until((toy / "tried").exists)
    toy.write("answers", "now")
    late, soon = (int(file.read_text()) for file in sorted(toy.root.glob("bundle-*.pid")))
    until(lambda: not alive(soon))
    assert alive(late)
    os.kill(late, signal.SIGTERM)
    process.communicate()


def pids(toy: Toy) -> list[int]:
    """The jobs that a launcher has started, by process."""
    return [int(text) for file in toy.root.glob("*.pid") if (text := file.read_text().strip())]
