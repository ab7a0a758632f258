"""A toy workflow whose jobs write their own number, and a bundle command that does as told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import snakemake_executor_plugin_fuse as plugin
from kit.fake_gpus import Fake, install

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(plugin.__file__).parent.parent
PROFILE = (
    *("--executor", "fuse", "--scheduler", "greedy"),
    *("--jobs", "10000", "--max-jobs-per-timespan", "10000/1s"),
)

SNAKEFILE = """
rule all:
    input:
        expand("out/{n}.txt", n=range(12)),


rule make:
    output:
        "out/{n}.txt",
    log:
        "logs/{n}.log",
    params:
        bundle="one key",
        bundle_command="python bundle.py",
    shell:
        "echo {wildcards.n} > {output}"
"""

# Reads the list that it is given; plan.json says what goes wrong, by the outputs' names.
BUNDLE = """
import json, os, signal, sys, time
from pathlib import Path

jobs = [json.loads(line) for line in Path(sys.argv[-1]).read_text().splitlines()]
plan = json.loads(Path("plan.json").read_text()) if Path("plan.json").exists() else {}
with open("calls.jsonl", "a") as calls:
    call = {"outputs": [Path(job["output"][0]).stem for job in jobs], "pid": os.getpid(),
            "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"), "began": time.time(),
            "share": os.environ.get("FUSE_GPU_SHARE")}
    calls.write(json.dumps(call) + "\\n")
print("a bundle begins", flush=True)
running = Path(f"running-{os.getpid()}")
running.touch()
if plan.get("lost") == call["gpu"] and call["gpu"]:
    lines = Path("bin/gpus.txt").read_text().splitlines()
    left = [line for line in lines if call["gpu"] not in line]
    Path("bin/gpus.txt").write_text("".join(line + "\\n" for line in left))
    sys.exit("CUDA error: device lost")
if plan.get("stubborn"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for job in jobs:
    output = Path(job["output"][0])
    todo = plan.get(output.stem, "")
    if todo.startswith("once "):
        done = Path(f"{output.stem}.once")
        todo = "" if done.exists() else todo.removeprefix("once ")
        done.touch()
    if todo == "skip":
        continue
    if todo.startswith("exit"):
        sys.exit(int(todo.split()[1]))
    if todo == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if todo == "nap":
        time.sleep(0.3)
    if todo == "sleep":
        time.sleep(60)
    half = output.with_suffix(".half")
    half.write_text(output.stem + "\\n")
    half.rename(output)
    if todo == "log":
        Path(job["log"][0]).write_text("my own log\\n")
    if todo == "wait":  # until somebody has seen the output
        while not Path("go").exists():
            time.sleep(0.01)
running.unlink()
with open("ends.jsonl", "a") as ends:
    ends.write(json.dumps({"pid": os.getpid(), "ended": time.time()}) + "\\n")
"""


class Toy:
    """A folder with the toy workflow.

    Args:
        root: the folder, made here.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.write("Snakefile", SNAKEFILE)
        self.write("bundle.py", BUNDLE)

    def __truediv__(self, path: str) -> Path:
        return self.root / path

    def write(self, path: str, text: str) -> Path:
        """Write a file of the toy."""
        file = self / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def edit(self, old: str, new: str) -> None:
        """Replace text that must be in the Snakefile."""
        text = (self / "Snakefile").read_text()
        assert old in text
        self.write("Snakefile", text.replace(old, new))

    def plan(self, **todo: str) -> None:
        """What goes wrong with jobs, by number: ``n3="exit 1"``."""
        self.write("plan.json", json.dumps({key.removeprefix("n"): v for key, v in todo.items()}))

    def add_gpus(self, *gpus: Fake) -> None:
        """Let ``nvidia-smi`` list these GPUs from now on, and no others."""
        install(self / "bin", list(gpus))

    def environment(self) -> dict[str, str]:
        """What commands run with: the toy's and this interpreter's programs, this source."""
        folders = [str(self / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        inherited = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
        return {**inherited, "PYTHONPATH": str(SOURCE), "PATH": os.pathsep.join(folders)}

    def start(self, *words: str, cores: int = 2, **env: str) -> subprocess.Popen[str]:
        """Start Snakemake with the executor, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *PROFILE, "--cores", str(cores), *words],
            cwd=self.root,
            env={**self.environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # a shell's background job, as a test session may be, has its Ctrl-C ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *words: str, cores: int = 2, **env: str) -> str:
        """Run it to a good end; all it says."""
        process = self.start(*words, cores=cores, **env)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    def fail(self, *words: str, cores: int = 2, **env: str) -> str:
        """Run it to a bad end; all it says."""
        process = self.start(*words, cores=cores, **env)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 1, said
        return said

    def stopped(
        self, number: signal.Signals, when: Callable[[], object], grace: float = 0.0
    ) -> str:
        """Start it, send it a signal when something is so, and wait for its end; all it says.

        Args:
            number: the signal.
            when: whether it is so.
            grace: seconds that a process is given which heeds no signal.
        """
        process = self.start()
        until(when)
        began = time.monotonic()
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
        assert process.returncode not in (0, None), said
        assert time.monotonic() - began < 10 + grace, "not prompt"
        return said

    def calls(self) -> list[dict[str, Any]]:
        """What bundles were started: their jobs by number, process ids, GPUs, times."""
        ends = {end["pid"]: end["ended"] for end in _lines(self / "ends.jsonl")}
        return [{**call, "ended": ends.get(call["pid"])} for call in _lines(self / "calls.jsonl")]

    def shapes(self) -> list[list[int]]:
        """The jobs of each bundle that was started, by number."""
        return sorted([int(name) for name in call["outputs"]] for call in self.calls())

    def records(self) -> list[dict[str, Any]]:
        """The timing record."""
        return _lines(self / ".snakemake/fuse/bundles.jsonl")

    def outputs(self) -> dict[str, str]:
        """The outputs that are there, and what is in them."""
        return {file.name: file.read_text() for file in sorted((self / "out").iterdir())}

    def failures(self, said: str) -> list[int]:
        """The jobs that failed, by number, in what Snakemake said."""
        found = re.findall(r"Error in rule make.*?output: out/(\d+)\.txt", said, re.DOTALL)
        return sorted(map(int, found))


def until(when: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not when():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
