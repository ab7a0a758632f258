"""What is done to a study: each fault is a function of a scene, and may return what ends it.

Faults at rest are there when a run begins; those amid it come at a random moment.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from kit.project import Project

    End = Callable[[], object]
    Fault = Callable[["Scene"], "End | None"]

PLUGIN = "plugins/trouble.py"
SOUND = '"""A plugin that does nothing."""\n'
TROUBLES = {
    "a plugin that is no Python": "def (:\n",
    "a plugin that fails when it is loaded": 'raise RuntimeError("trouble")\n',
    "a plugin that fails while cells train": """
from trainscape.optimizers import registry


def fail(self, param):
    raise ValueError("trouble")


registry.get("sgd").init = fail
""",
    "memory that runs out while cells train": """
from trainscape.optimizers import registry


def fail(self, param):
    raise MemoryError


registry.get("sgd").init = fail
""",
}
# A process that trains is asked to leave after some steps. Training takes milliseconds here, so
# that no signal from outside would come amid it.
LEAVES = """
import os
import signal

from trainscape.engine.watch import Watch

look = Watch.look


def leave(self, of):
    if of.done >= {steps}:
        os.kill(os.getpid(), signal.SIGTERM)
    look(self, of)


Watch.look = leave
"""
OLDER = "git checkout of older results"
FUTURE = 3 * 86400.0  # seconds
PAST = 3 * 365 * 86400.0


@dataclass
class Scene:
    """A project that faults happen to.

    Args:
        project: the project.
        rng: what chance there is.
        cache: the folder of compiled steps.
        command: starts a run as the one that is disturbed.
        patience: seconds after which a run hangs.
        harmed: files that a fault has damaged, dated or removed.
        running: the run that is going on, if one is.
        said: what other runs have printed, which faults have started.
        hangs: how many of these did not end.
    """

    project: Project
    rng: random.Random
    cache: Path
    command: tuple[str, ...]
    patience: float
    harmed: set[Path] = field(default_factory=set)
    running: subprocess.Popen[str] | None = None
    said: list[str] = field(default_factory=list)
    hangs: int = 0

    def files(self, pattern: str) -> list[Path]:
        """Files of the project, hidden folders too."""
        return sorted(path for path in self.project.root.glob(pattern) if path.is_file())


def all_said(running: subprocess.Popen[str], patience: float) -> tuple[str, bool]:
    """What a run has said at its end, and whether it had to be killed after so many seconds."""
    try:
        return running.communicate(timeout=patience)[0], False
    except subprocess.TimeoutExpired:
        running.kill()
        return running.communicate()[0], True


def _damage(pattern: str, how: Callable[[Scene, Path], object]) -> Fault:
    """Damage a file that is there, if one is; a third of the time its dates are put back."""

    def fault(scene: Scene) -> None:
        files = [path for path in scene.files(pattern) if path not in scene.harmed]
        if not files:
            return
        path = scene.rng.choice(files)
        before = path.stat()
        how(scene, path)
        scene.harmed.add(path)
        if path.exists() and scene.rng.random() < 1 / 3:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return fault


def _cut(scene: Scene, path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(scene.rng.randrange(max(path.stat().st_size, 1)))


def _alter(scene: Scene, path: Path) -> None:
    """Another character in the place of one: in most of these files a digit of a number."""
    content = bytearray(path.read_bytes())
    if content:
        at = scene.rng.randrange(len(content))
        content[at] = content[at] ^ 1
    path.write_bytes(content)


def _delete(_: Scene, path: Path) -> None:
    path.unlink()


def _rename(scene: Scene, path: Path) -> None:
    """The name of another file of its folder, in whose place it comes."""
    others = [other for other in sorted(path.parent.iterdir()) if other != path]
    path.replace(scene.rng.choice(others or [path]))


def _dated(seconds: float) -> Fault:
    """Files of results and data, and the study, get another date."""

    def fault(scene: Scene) -> None:
        files = [*scene.files("results/**/*"), *scene.files("data/*.npz"), *scene.files("*.yaml")]
        for path in scene.rng.sample(files, min(8, len(files))):
            then = time.time() + seconds
            os.utime(path, (then, then))

    return fault


def _without_notes(scene: Scene) -> None:
    shutil.rmtree(scene.project / ".snakemake", ignore_errors=True)


def _stale_lock(scene: Scene) -> None:
    """The lock of a run that was killed, on files of this study."""
    folder = scene.project / ".snakemake/locks"
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(scene.command[scene.command.index("--cores") + 2 :])
    (folder / "0.output.lock").write_text(f"{text}\n")


def _stale_marks(scene: Scene) -> None:
    """Marks of a killed run that whole files are incomplete."""
    folder = scene.project / ".snakemake/incomplete"
    folder.mkdir(parents=True, exist_ok=True)
    for path in scene.files("results/**/*.json"):
        name = str(path.relative_to(scene.project.root))
        (folder / b64encode(name.encode()).decode().replace("/", "_")).touch()


def _broken_libraries(scene: Scene) -> None:
    for path in sorted(path for path in scene.cache.rglob("*") if path.is_file()):
        if scene.rng.random() < 1 / 2:
            _cut(scene, path)


def _older_results(scene: Scene) -> None:
    """What git keeps of the results, as an older commit has it."""
    scene.project.git("checkout", "--quiet", "older", "--", "results")


def _checkpoint(how: Callable[[Scene, Path], object]) -> Fault:
    """Damage what a run has kept of trials that it was asked to leave."""
    damage = _damage("results/.checkpoints/*", how)

    def fault(scene: Scene) -> None:
        plugin = scene.project / PLUGIN
        before = plugin.read_text()
        plugin.write_text(LEAVES.format(steps=scene.rng.randint(1, 4)))
        _another_run(scene)
        plugin.write_text(before)
        damage(scene)

    return fault


def _trouble(name: str) -> Fault:
    def fault(scene: Scene) -> End:
        plugin = scene.project / PLUGIN
        plugin.write_text(TROUBLES[name])
        return lambda: plugin.write_text(SOUND)

    return fault


def _kill(number: int, *, group: bool = False) -> Fault:
    def fault(scene: Scene) -> None:
        if scene.running is None:
            return
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(scene.running.pid, number)

    return fault


def _kill_training(scene: Scene) -> None:
    """A process that trains, if one does; else any that the run has started."""
    with suppress(psutil.Error):
        found = psutil.Process(scene.running.pid if scene.running else 0).children(recursive=True)
        training = [one for one in found if "train" in one.cmdline()]
        if found:
            scene.rng.choice(training or found).kill()


def _stop_a_while(scene: Scene) -> None:
    _kill(signal.SIGSTOP, group=True)(scene)
    time.sleep(scene.rng.uniform(0.2, 2))
    _kill(signal.SIGCONT, group=True)(scene)


def _another_run(scene: Scene) -> None:
    """A run of the same, which ends of itself."""
    said, hangs = all_said(scene.project.start(*scene.command), scene.patience)
    scene.said.append(said)
    scene.hangs += hangs


def _full_disk(scene: Scene) -> End:
    ballast = scene.project / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return lambda: ballast.unlink(missing_ok=True)


def _read_only(scene: Scene) -> End:
    place = str(scene.project.root)
    subprocess.run(["mount", "-o", "remount,ro", place], check=False, capture_output=True)
    return lambda: subprocess.run(["mount", "-o", "remount,rw", place], check=True)


FILES = {
    "cell": "results/c*/*/*/*.json",  # of the grid, and on fresh seeds
    "table": "results/*.csv",
    "claim": "results/*.json",
    "stamp": "results/.made/*/*",
    "dataset": "data/*.npz",
    "file of finalists": "results/finalists/*/*.json",
}
HOW = {"cut": _cut, "altered": _alter, "deleted": _delete}
AT_REST: dict[str, Fault] = {
    **{f"{what} {how}": _damage(p, HOW[how]) for what, p in FILES.items() for how in HOW},
    "files dated in the future": _dated(FUTURE),
    "files dated in the past": _dated(-PAST),
    ".snakemake removed": _without_notes,
    "a lock of a dead run": _stale_lock,
    "marks of incompleteness": _stale_marks,
    "compiled steps damaged": _broken_libraries,
    OLDER: _older_results,
    **{name: _trouble(name) for name in TROUBLES},
    **{f"checkpoint {how}": _checkpoint(HOW[how]) for how in HOW},
    "checkpoint renamed": _checkpoint(_rename),
}
AMID: dict[str, Fault] = {
    "kill -9 of Snakemake": _kill(signal.SIGKILL),
    "kill -9 of its process group": _kill(signal.SIGKILL, group=True),
    "kill -9 of a process that trains": _kill_training,
    "SIGTERM": _kill(signal.SIGTERM),
    "Ctrl-C": _kill(signal.SIGINT, group=True),
    "SIGSTOP, then SIGCONT": _stop_a_while,
    "a second run": _another_run,
    "files dated in the future amid a run": _dated(FUTURE),
}
# need a file system of their own
MOUNTED: dict[str, Fault] = {
    "a full disk": _full_disk,
    "a disk that is read-only": _read_only,
}
