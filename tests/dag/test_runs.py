"""Equal runs give equal bytes, whatever comes between; a clean run is the grid and no more."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from kit.killed import half_written
from kit.project import ROOT

if TYPE_CHECKING:
    import subprocess

    from kit.project import Project

# What a run may be writing in the very moment when it is killed.
HALF_WRITTEN = (
    "results/summary.csv",
    "results/report.html",
    "results/figures/digits-mlp/curves/sgd.svg",
    "results/cells/digits-mlp/sgd/bs256.json",
)
# Adam's trials train before SGD's, by their names.
WAITING = '''"""While the file `hold` is there, sgd waits before it trains, and says where."""

import os
import time
from pathlib import Path

from trainscape.optimizers import registry

SGD = registry.get("sgd")
init = SGD.init


def wait(self, param):
    while Path("hold").exists():
        Path("waiting.new").write_text(str(os.getpid()))
        Path("waiting.new").rename("waiting")
        time.sleep(0.02)
    return init(self, param)


SGD.init = wait
'''


def test_every_dataset_of_a_study_is_made(clean: Project) -> None:
    """Each has a job of its own, that makes this one and no other."""
    files = ("data/iris.npz", "data/wine.npz")
    clean.snakemake(*files, "--configfile", "examples/tables/study.yaml")
    assert all((clean / file).exists() for file in files)


def test_dry_run_lists_the_grid(clean: Project) -> None:
    """`snakemake -n` is three lines; with --verbose it lists a job per cell and the aggregates."""
    short = clean.call("snakemake", "--dry-run").stdout.splitlines()
    assert [line.split()[0] for line in short] == ["To", "About", "Nothing"]
    assert "training 4 cells" in short[0]
    said = clean.run("snakemake", "--dry-run", "--verbose")
    listed = re.findall(r"output: (results/cells/\S+)$", said, flags=re.MULTILINE)
    assert sorted(listed) == sorted(clean.trainscape("cells", "--paths"))
    assert len(listed) == 4
    once = ("make_dataset_digits", "settle_cells", "collect", "answer", "draw_figures")
    last = ("draw_timings", "write_report")
    assert clean.plan() == {"train": 4, **dict.fromkeys((*once, *last), 1)}
    assert not (clean / "results").exists()


def test_local_executor(finished: Project, clean: Project) -> None:
    """One process per cell gives the bytes that bundles give."""
    two = finished.cells()[1:3]  # of both optimizers
    clean.snakemake("--executor", "local", *two)
    assert clean.cells() == two
    assert _cells(clean).items() <= _cells(finished).items()


def test_shuffled_cells(finished: Project, clean: Project) -> None:
    """Trained in another order, in packs of one trial, cells come out the same bytes."""
    clean.trainscape("data")
    order = clean.trainscape("cells", "--paths")[::-1]
    narrow = ("env", "PYTHONPATH=src", "TRAINSCAPE_WIDTH=1", "python", "-m", "trainscape", "train")
    clean.run(*narrow, *order)
    assert _cells(clean) == _cells(finished)


def _cells(project: Project) -> dict[str, bytes]:
    return {path: (project / path).read_bytes() for path in project.cells()}


def test_killed(finished: Project, clean: Project) -> None:
    """After `kill -9` amid training, a run ends with the bytes of one that nothing has disturbed.

    Those are of another folder, by DVC on all cores, and DVC takes these for the same. If a process
    that trains is killed, its cells that wait fail; if all of Snakemake is, its lock is removed. A
    second run beside a first is refused in a line that names the first.
    """
    study = (clean / "params.yaml").read_bytes()
    (clean / "plugins/waiting.py").write_text(WAITING, encoding="utf-8")
    clean.change(plugins=["plugins/waiting.py"])
    (clean / "hold").touch()
    running, training = _amid_training(clean)
    training.kill()
    said = running.communicate()[0]
    assert running.returncode
    assert 1 <= len(clean.cells()) < 4
    assert said.count("Failed: digits-mlp") == 4 - len(clean.cells())

    running, training = _amid_training(clean)
    second = clean.fail("snakemake", "--cores", "1").splitlines()
    assert re.fullmatch(
        rf"results/\S+ is held by process {running.pid} \(study 'tiny', since .+\): wait until it "
        "ends, or stop it by Ctrl-C",
        second[-1],
    )
    assert len(second) == 2, second  # the first one names the profile
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    training.wait(30)
    for name in HALF_WRITTEN:
        half_written(clean / name)

    for name in ("hold", "waiting", "plugins/waiting.py"):
        (clean / name).unlink()
    (clean / "params.yaml").write_bytes(study)
    said = clean.run("snakemake", "--cores", "1")
    assert f"removed the lock of process {running.pid} (study 'tiny'" in said
    assert clean.results() == finished.results()
    assert not list(clean.root.rglob("*.tmp"))
    assert clean.plan() == {}
    clean.dvc("commit", "--force")
    changed = {line for line in clean.dvc("status").splitlines() if line[:1].strip()}
    assert all(stage.startswith("studies/") for stage in changed), "those are always asked for"


def _amid_training(project: Project) -> tuple[subprocess.Popen[str], psutil.Process]:
    """Snakemake, started, and the process that trains, which waits amid its work."""
    waiting = project / "waiting"
    waiting.unlink(missing_ok=True)
    running = project.start("env", "TRAINSCAPE_WIDTH=2", "snakemake", "--cores", "1")
    limit = time.monotonic() + 120
    while not waiting.exists():
        assert running.poll() is None and time.monotonic() < limit
        time.sleep(0.02)
    return running, psutil.Process(int(waiting.read_text()))


def test_environment_of_the_user(finished: Project, project: Project) -> None:
    """Thread counts in the environment, and another copy on the path, change no byte of a cell."""
    path = project.cells()[0]
    (project / path).unlink()
    away = f"PYTHONPATH={project / 'plugins'}"
    project.run("env", "OMP_NUM_THREADS=7", "MKL_NUM_THREADS=7", away, "snakemake", "-j2", path)
    assert (project / path).read_bytes() == (finished / path).read_bytes()


def _lint() -> Any:
    spec = importlib.util.spec_from_file_location("lint", ROOT / "workflow" / "lint.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lint(clean: Project) -> None:
    """`snakemake --lint` misses nothing but a container for each rule, and the check can fail."""
    check = (sys.executable, "workflow/lint.py")
    assert clean.run(*check) == ""
    clean.edit("workflow/rules/report.smk", '    log:\n        f"{LOGS}/report.log",\n', "")
    assert "No log directive" in clean.fail(*check)
    assert not _lint().acceptable("NameError in file Snakefile")


def test_snakemake_report(project: Project) -> None:
    """Snakemake's own report files every product under a category, with its caption."""
    project.run("snakemake", "--report", "out.html")
    page = (project / "out.html").read_text(encoding="utf-8")
    for words in ("Figures", "Tables", "digits-mlp: test metric", "digits-mlp: curves"):
        assert words in page
    made = [Path(path) for path in project.results()]
    kinds = {path.stem for path in made if path.parent.name == "results"}
    kinds |= {path.parent.name for path in made if path.suffix == ".svg"}
    assert {"summary", "range", "report", "test-metric", "curves"} <= kinds
    for kind in kinds:
        text = (project / f"workflow/report/{kind}.rst").read_text(encoding="utf-8")
        assert text.split(":")[0].split("``")[0].strip() in page
