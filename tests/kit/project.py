"""A scratch project: a copy of this one that tests run, change and break as a user would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock

from trainscape import source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
STUDY: dict[str, Any] = {
    "name": "tiny",
    "output": "results",
    "workloads": ["digits-mlp"],
    "budget": {"epochs": 1},
    "seeds": 2,
    "grid": {
        "optimizer": ["sgd", "adam"],
        "batch_size": [256],
        "lr": [0.01, 0.1],
        "schedule": ["constant"],
    },
    "throughput": {"enabled": False},
}
TABLES = (
    *("summary.csv", "trials.csv", "range.csv", "range.json"),
    *("curves.csv", "traces.csv", "paths.csv", "range-curves.csv"),
    *("confirm.csv", "examples.csv", "noise.csv", "carried.csv"),
    *("answers.json", "metrics.json"),
    *("best.csv", "scaling.csv", "critical.csv", "importance.csv"),
    *("timings.csv", "timings.json"),
)
AGGREGATES = {"settle", "collect", "answer", "figures", "timings", "report"}
STAMPS = ["answer", "collect", "figures", "report", "timings", "train"]
# Work of this project is not for the one under test: its source, its results, its settings.
FOREIGN = re.compile(r"PYTHON(PATH|DONTWRITEBYTECODE)$|MKL_|OMP_|PYTEST_|SNAKEMAKE_|DVC_|GIT_")


def environment(shared: Path) -> dict[str, str]:
    """What commands run with: this interpreter's programs first, nothing of the project above."""
    inherited = {key: value for key, value in os.environ.items() if not FOREIGN.match(key)}
    who = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in IDENTITY.items()}
    return {
        **inherited,
        **who,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}",
        "DVC_SITE_CACHE_DIR": str(shared / "dvc-site"),
        "DVC_NO_ANALYTICS": "1",
    }


IDENTITY = {"NAME": "Tester", "EMAIL": "tester@example.org"}


class Project:
    """A project in a folder of its own, and the commands a user types there.

    Args:
        root: its folder.
        shared: a folder beside it for DVC's site cache.
    """

    def __init__(self, root: Path, shared: Path) -> None:
        self.root = root
        self.shared = shared

    def __truediv__(self, path: str) -> Path:
        return self.root / path

    def copy(self, root: Path) -> Project:
        """The same project, its results and caches included, in another folder."""
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root, self.shared)

    def clone(self, root: Path) -> Project:
        """A fresh ``git clone``: no results but those in git, no caches, the same DVC remote."""
        self.git("clone", "--quiet", ".", str(root))
        clone = Project(root, self.shared)
        clone.use_remote()
        return clone

    def use_remote(self) -> None:
        """Name the DVC remote, for this project alone."""
        self.dvc("remote", "add", "--local", "--default", "store", str(self.shared / "remote"))

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=environment(self.shared),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever that is; its output and errors apart."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=environment(self.shared),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run(self, *command: str) -> str:
        """Run a command that must succeed; all it says."""
        done = self.call(*command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def fail(self, *command: str) -> str:
        """Run a command that must fail; all it says."""
        done = self.call(*command)
        assert done.returncode, f"{command} succeeded\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def snakemake(self, *words: str) -> str:
        """Run the workflow on one core, so that few processes start; DVC's runs take all."""
        return self.run("snakemake", "--cores", "1", *words)

    def dvc(self, *words: str) -> str:
        """Run DVC."""
        return self.run("dvc", *words)

    def git(self, *words: str) -> str:
        """Run git."""
        return self.run("git", *words)

    def trainscape(self, *words: str) -> list[str]:
        """What the program prints, by lines, run from this project's source."""
        return self.run("env", "PYTHONPATH=src", "python", "-m", "trainscape", *words).splitlines()

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def change(self, **axes: Any) -> None:
        """Give axes of the grid, or any other key, another value in params.yaml."""
        path = self / "params.yaml"
        study = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key, value in axes.items():
            (study["grid"] if key in study["grid"] else study)[key] = value
        path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that must be in a file."""
        file = self / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    def plan(self, *words: str) -> dict[str, int]:
        """How many jobs of each rule a dry run lists; empty for nothing to be done."""
        said = self.run("snakemake", "--dry-run", "--verbose", *words)
        table = said.rpartition("Job stats:")[2]
        if table == said:
            assert "Nothing to be done" in said, said
            return {}
        found = re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)
        return {rule: int(count) for rule, count in found if rule not in ("all", "total")}

    def work(self) -> set[str]:
        """The jobs that ran since the last call, by their logs: what any logger cannot hide.

        Stages by their names; cells as ``train <cell>`` or, if from the attic, ``restore <cell>``;
        of finalists the cell is called ``fresh <cell>``.
        """
        logs = self / "logs"
        found = {self._job(path) for path in logs.rglob("*.log")}
        shutil.rmtree(logs, ignore_errors=True)
        return found

    def _job(self, log: Path) -> str:
        if "train" not in log.parts:
            return log.stem
        verb = "restore" if "restored" in log.read_text(encoding="utf-8") else "train"
        fresh = "fresh " if "confirm" in log.parts else ""
        return f"{verb} {fresh}{log.parent.name} {log.stem.split('-')[1]}"

    def cells(self) -> list[str]:
        """The cell files that are there."""
        return sorted(str(path.relative_to(self.root)) for path in self._files("results/cells"))

    def results(self) -> dict[str, bytes]:
        """The bytes of every result, by file; stamps, notes for git and the attic apart."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in self._files("results")
            if not any(part.startswith(".") for part in path.relative_to(self.root).parts)
        }

    def rows(self, table: str = "summary.csv") -> int:
        """How many rows a table has."""
        return len((self / f"results/{table}").read_text(encoding="utf-8").splitlines()) - 1

    def stamps(self) -> list[str]:
        """The stages that have a stamp, each as often as it has one."""
        made = self._files("results/.made")
        return sorted(path.parent.name for path in made if path.name != ".gitignore")

    def state(self) -> str:
        """What git and DVC say is changed: empty for a tree as it was committed.

        The articles' studies (studies/dvc.yaml) always count as changed: that says nothing.
        """
        changed = json.loads(self.call("dvc", "data", "status", "--json").stdout or "{}")
        said = json.loads(self.run("dvc", "status", "--json").splitlines()[0])
        stages = [stage for stage, why in said.items() if why != ["always changed"]]
        return self.git("status", "--porcelain") + "".join(map(str, (*changed, *stages)))

    def _files(self, folder: str) -> Iterator[Path]:
        return (path for path in (self / folder).rglob("*") if path.is_file())


def scratch(root: Path, shared: Path) -> Project:
    """The source around these tests as it stands, with a tiny study of its own and no results."""
    project = Project(root, shared)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        own = not name.startswith("results") and name not in ("dvc.lock", "params.yaml")
        if own and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    (root / "params.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False), encoding="utf-8")
    known = root / source.known.path
    known.parent.mkdir(parents=True)
    shutil.copy(_known_source(shared), known)
    project.git("init", "--quiet", "--initial-branch=main")
    project.commit("The project")
    return project


def _known_source(shared: Path) -> Path:
    """What is known of this source by its content, as a first run keeps it in ``.snakemake``.

    Without it every process of a new project parses all source, for a second or two.
    """
    found = shared / "source" / source.known.path.name
    with FileLock(shared / "source.lock"):
        if not found.exists():
            code = (
                "import sys; from pathlib import Path; from trainscape import source; "
                "source.known.path = Path(sys.argv[1]); "
                "source.closure(source.PACKAGE.rglob('*.py'))"
            )
            subprocess.run([sys.executable, "-c", code, str(found)], env=_with_source(), check=True)
    return found


def _with_source() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def made_once(name: str, shared: Path, make: Callable[[Path], Project]) -> Project:
    """What ``make`` makes in the folder it is given, by whichever worker comes first."""
    with FileLock(shared / f"{name}.lock"):
        project = Project(shared / name, shared)
        if not project.root.exists():
            made = make(shared / f"making-{name}")
            made.root.rename(project.root)  # only a project that is whole has the name
    return project
