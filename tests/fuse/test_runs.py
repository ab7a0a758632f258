"""Runs that end well."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from kit.fake_gpus import Fake

if TYPE_CHECKING:
    from kit.toy import Toy

ALONE = """
rule alone:
    output:
        "alone.txt",
    threads: 2
    shell:
        "ls > {output}"
"""


def test_ready_jobs_share_one_process_per_core(toy: Toy) -> None:
    """Twelve jobs, two cores: two processes; every job has its output, its log and its record."""
    toy.plan(n3="log")
    toy.run()
    assert toy.shapes() == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]
    made = toy.outputs()
    assert (toy / "logs/3.log").read_text() == "my own log\n"
    log = re.fullmatch(
        r"What its process printed is in (\S+/bundle-00\d\.log)\n", (toy / "logs/4.log").read_text()
    )
    assert log
    assert (toy / log[1]).read_text() == "a bundle begins\n"
    assert [(r["key"], r["jobs"], r["cost"], r["exit"]) for r in toy.records()] == [
        ("one key", 6, 6.0, 0)
    ] * 2

    again = toy.run()
    assert "Nothing to be done" in again
    assert len(toy.calls()) == 2

    local = [sys.executable, "-m", "snakemake", "--executor", "local", "-c2", "--forceall"]
    subprocess.run(local, cwd=toy.root, env=toy.environment(), check=True, capture_output=True)
    assert len(toy.calls()) == 2
    assert toy.outputs() == made


def test_keys_costs_and_the_cap_shape_the_bundles(toy: Toy) -> None:
    """Bundles are split by key and cost and capped; later runs leave only the last five's files."""
    for number in range(7):
        (toy / f".snakemake/fuse/2020010{number}T000000Z-1").mkdir(parents=True)
    toy.edit('bundle="one key",', 'bundle=lambda w: "ab"[int(w.n) >= 8],')
    toy.edit("bundle_command=", "bundle_cost=lambda w: 3 if int(w.n) == 0 else 1, bundle_command=")
    toy.run("--fuse-max-jobs", "3", cores=1)
    # of key a the costly job first, then each to the cheapest bundle that is not full
    assert toy.shapes() == [[0, 7], [1, 3, 5], [2, 4, 6], [8, 10], [9, 11]]
    costs = [record["cost"] for record in toy.records()]
    assert costs == [4, 3, 3, 2, 2]
    assert len([path for path in (toy / ".snakemake/fuse").iterdir() if path.is_dir()]) == 5


def test_a_job_is_done_as_soon_as_its_output_is_there(toy: Toy) -> None:
    """A job that needs one output runs while the bundle that made it still runs."""
    toy.write("Snakefile", (toy / "Snakefile").read_text() + "\nlocalrules: go\n" + GO)
    toy.edit("    input:\n        expand", '    input:\n        "go",\n        expand')
    toy.plan(n0="wait", n1="wait")
    toy.run()
    assert len(toy.calls()) == 2


GO = """
rule go:
    input:
        "out/0.txt",
        "out/1.txt",
    output:
        "go",
    shell:
        "touch {output}"
"""


def test_a_job_without_a_key_runs_alone_and_exclusively_if_it_asks_for_all_cores(
    toy: Toy,
) -> None:
    """It has its own process, by Snakemake, and no bundle runs meanwhile."""
    toy.write("Snakefile", (toy / "Snakefile").read_text() + ALONE)
    toy.edit("    input:\n        expand", '    input:\n        "alone.txt",\n        expand')
    toy.run()
    seen = (toy / "alone.txt").read_text()
    assert "out" in seen.split()
    assert "running" not in seen
    assert [(r["key"], r["jobs"]) for r in toy.records()] == [
        ("one key", 6),
        ("one key", 6),
        (None, 1),
    ]


def test_bundles_are_bound_to_one_gpu_each(toy: Toy) -> None:
    """Two visible GPUs: two bundles at the same time, each sees one of them, whatever the cores."""
    toy.edit("    shell:", "    resources:\n        gpu=1,\n    shell:")
    toy.add_gpus(*map(Fake, range(6)))
    toy.run(cores=1, CUDA_VISIBLE_DEVICES="3,5")
    assert sorted(call["gpu"] for call in toy.calls()) == ["3", "5"]
    assert [len(call["outputs"]) for call in toy.calls()] == [6, 6]
    assert sorted(record["gpus"] for record in toy.records()) == [["3"], ["5"]]


def test_the_launcher_stands_before_each_bundle_s_command(toy: Toy) -> None:
    """All of a command of two parts is launched, and finds GPUs where none is seen here."""
    toy.edit('"python bundle.py"', '"cd . && python bundle.py"')
    toy.edit("    shell:", "    resources:\n        gpu=1,\n    shell:")
    toy.write("launch me", '#!/bin/sh\necho "$1" "$2" >> launched\nshift; "$@"\n').chmod(0o755)
    toy.run("--fuse-launcher", "'./launch me' --gpus=1", CUDA_VISIBLE_DEVICES="")
    assert (toy / "launched").read_text() == "--gpus=1 sh\n" * 2
    assert len(toy.calls()) == 2
