"""The logger plugin: its words for the workflow's rules, and real runs of Snakemake."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import snakemake_logger_plugin_trainscape as plugin
from kit.logger import CONTROL
from snakemake_logger_plugin_trainscape import words
from snakemake_logger_plugin_trainscape.handler import DRY

if TYPE_CHECKING:
    import pytest

SOURCE = Path(plugin.__file__).parent.parent


def test_names_stages_and_cells_in_plain_words() -> None:
    """Every rule of the workflow has words; a training job has the name that was announced."""
    rules = "\n".join(p.read_text() for p in (SOURCE.parent / "workflow/rules").glob("*.smk"))
    named = set(re.findall(r"^\s*(?:rule|checkpoint) (\w+):", rules, re.MULTILINE))
    assert named | {"make_dataset"} == set(words.STAGES)
    assert words.stage("make_dataset_fashion-mnist") == "making data"
    plugin.announce([], {"cell.json": "mnist-cnn heavy batch 8"})
    assert words.task("train", ["cell.json"]) == "mnist-cnn heavy batch 8"
    assert words.task("train", ["odd.json"]) == words.task("train", []) == "training"
    assert words.plan({"train": 1, "other_rule": 2, "total": 3}) == (
        "To do: training 1 cell, other rule (2 times)"
    )


def test_cells_that_come_back_are_not_called_training() -> None:
    """What is kept is counted apart, as it is known when the plan is shown."""
    kept: set[str] = set()
    plugin.announce([], kept=kept)
    kept |= {"a.json", "b.json"}
    assert words.plan({"train": 5}) == "To do: training 3 cells, bringing back 2 cells"
    assert words.plan({"train": 2}) == "To do: bringing back 2 cells"
    plugin.announce([])
    assert words.plan({"train": 2}) == "To do: training 2 cells"


README = Path(plugin.__file__).with_name("README.md").read_text()
BLOCK = re.compile(r"```(?:python\n# Snakefile|console)\n(.*?)```", re.DOTALL)


def test_the_example_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's Snakefile shows what the page shows, but for times and the order of jobs."""
    monkeypatch.chdir(tmp_path)
    _, code, session = BLOCK.findall(README)
    Path("Snakefile").write_text(code)
    command, *shown = session.splitlines()
    done = subprocess.run(
        [sys.executable, "-m", *command.removeprefix("$ ").split()],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    varying = re.compile(r"\d+ s\b|rate 0\.\d")
    assert varying.sub("…", done.stderr).splitlines() == [varying.sub("…", x) for x in shown]


SNAKEFILE = """
from snakemake_logger_plugin_trainscape import announce
CELLS = {f"cells/{lr}.json": f"rate {lr}" for lr in config["lr"]}
announce(["report.html"], CELLS)
rule all:
    input: "report.html"
rule train:
    output: "cells/{lr}.json"
    log: "{lr}.log"
    shell: "echo trained > {log}; if [ {wildcards.lr} = 0.5 ]; then exit 7; fi; touch {output}"
rule write_report:
    input: CELLS
    output: "report.html"
    shell: "touch {output}"
"""


def snakemake(*words: str, lr: str = "[0.1,0.2]") -> subprocess.CompletedProcess[str]:
    """Run Snakemake with the plugin in the current folder; its output in one."""
    Path("Snakefile").write_text(SNAKEFILE)
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    call = [sys.executable, "-m", "snakemake", "--logger", "trainscape", "-c1", *words]
    return subprocess.run(
        [*call, "--config", f"lr={lr}"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_snakemake_runs_with_the_plugin_from_plan_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real run is calm and ends with the report, as does one without work; a dry run is short."""
    monkeypatch.chdir(tmp_path)
    dry = snakemake("-n").stdout.splitlines()
    assert dry == ["To do: training 2 cells, writing the report", DRY]
    assert not Path("report.html").exists()
    detailed = snakemake("-n", "--verbose").stdout
    assert all(words in detailed for words in ("Job stats:", "reason:", "This was a dry-run"))
    first = snakemake()
    lines = first.stdout.splitlines()
    assert first.returncode == 0
    assert lines[0] == "To do: training 2 cells, writing the report"
    assert "cells 2/2  writing the report" in lines
    assert lines[-1] == "Report: report.html"
    assert not CONTROL.search(first.stdout)
    assert len(lines) < 12
    again = snakemake().stdout.splitlines()
    assert [line[:19] for line in again] == ["Nothing to be done ", "Report: report.html"]


def test_snakemakes_failures_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing job, a missing rule and a lock are told in full, even with ``--quiet all``."""
    monkeypatch.chdir(tmp_path)
    failed = snakemake("--quiet", "all", lr="[0.5]")
    assert failed.returncode == 1
    assert "Failed: rate 0.5 (rule train, exit status 7)" in failed.stdout
    assert "  log: 0.5.log\n  | trained\n" in failed.stdout
    assert "Report:" not in failed.stdout
    assert "No rule to produce nonesuch" in snakemake("nonesuch").stdout
    for name in ("0.input.lock", "0.output.lock"):
        Path(".snakemake/locks", name).write_text("report.html\n")
    assert "LockException" in snakemake("--quiet", "all").stdout
    assert "Unlocked working directory." in snakemake("--unlock").stdout


def test_snakemake_shows_a_live_line_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a pseudo-terminal the cells are a live line, and the last line is the report."""
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").write_text(SNAKEFILE)
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("TERM", "xterm")
    written: list[bytes] = []

    def read(fd: int) -> bytes:
        written.append(os.read(fd, 4096))
        return written[-1]

    call = [
        sys.executable,
        "-m",
        "snakemake",
        "--logger",
        "trainscape",
        "-c1",
        "--config",
        "lr=[0.1]",
    ]
    status = pty.spawn(call, read)
    text = b"".join(written).decode()
    assert status == 0
    assert "\r\x1b[Kcells 1/1" in text
    assert text.splitlines()[-1] == "Report: report.html"
