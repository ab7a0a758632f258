"""Bundles that fail: only the jobs without outputs fail, and each says why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.toy import Toy

KEYS = 'bundle=lambda w: "abcd"[int(w.n) // 3],'


def test_only_jobs_without_outputs_fail_however_the_bundle_ended(toy: Toy) -> None:
    """Kept going: a kill -9, exit 0 without one output, exit 3 half-way, and a job alone."""
    toy.edit('bundle="one key",', 'bundle=lambda w: "abc"[int(w.n) // 4] if w.n != "11" else "",')
    toy.edit("echo {wildcards.n} > {output}", "exit 7")
    toy.plan(n1="kill", n4="skip", n9="exit 3")
    said = toy.fail("--keep-going")
    assert toy.failures(said) == [1, 2, 3, 4, 9, 10, 11]
    assert sorted(toy.outputs()) == [f"{n}.txt" for n in (0, 5, 6, 7, 8)]
    said = re.sub(r"exit status 137 \(128 \+ SIGKILL\)|signal SIGKILL", "SIGKILL", said)
    said = said.replace("exit status ", "exit ")
    reasons = re.findall(
        r"message: its bundle ended without its output \((.+)\); see (\S+/bundle-00\d.log)",
        said,
    )
    assert [how for how, _ in sorted(reasons)] == [
        *["SIGKILL"] * 3,
        "exit 0",
        *["exit 3"] * 2,
    ]
    assert all((toy / log).exists() for _, log in reasons)
    assert "message: its process ended (exit 1); see .snakemake/fuse/" in said
    assert said.count("| a bundle begins") == 3  # each bundle's log is shown once
    assert "ended without the outputs of 1 of its 4 jobs: exit 0" in said


def test_without_keep_going_nothing_new_starts(toy: Toy) -> None:
    """Of four bundles in a row on one core, those behind the failed one are not started."""
    toy.edit('bundle="one key",', KEYS)
    toy.plan(n3="exit 1")
    said = toy.fail(cores=1)
    assert toy.shapes() == [[0, 1, 2], [3, 4, 5]]
    assert "6 jobs were not started, because of this error." in said
    assert toy.failures(said) == [3, 4, 5]


def test_retries_are_snakemake_s_and_share_a_process(toy: Toy) -> None:
    """Jobs that fail once are run again, together, and the run ends well."""
    toy.plan(n2="once exit 1")
    said = toy.run("--retries", "1", cores=1)
    assert toy.failures(said) == list(range(2, 12))
    assert len(toy.outputs()) == 12
    first, *others = toy.calls()
    assert len(first["outputs"]) == 12
    assert sum(len(call["outputs"]) for call in others) == 10
    assert len(others) <= 3
