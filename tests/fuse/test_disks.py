"""Full disks and folders that nobody may write to end a run in a line, and lose nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kit.toy import Toy, until
from snakemake_executor_plugin_fuse.bundles import Bundle, Task
from snakemake_executor_plugin_fuse.records import Records, in_a_line
from snakemake_executor_plugin_fuse.slots import Lease

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 1_000_000  # bytes of the disk
LINE = "free some space, then run the same command again; what is done stays"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, where this user may have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to be let mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all that is left of a disk."""
    file = disk / "filling"
    with pytest.raises(OSError, match="No space"), file.open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(4096))
    return file


def test_a_full_disk_ends_a_run_in_a_line(disk: Path) -> None:
    """Full from the start, then when half is made: the rest is made once there is space again."""
    toy = Toy(disk / "toy")
    filling = fill(disk)
    said = toy.fail("--logger", "trainscape", cores=1)
    assert "Traceback" not in said and "Logging error" not in said
    assert said.count(LINE) == 1
    filling.unlink()

    toy.plan(n6="wait")
    process = toy.start("--logger", "trainscape", cores=1)
    until(lambda: len(list(toy.root.glob("out/*.txt"))) == 7)
    filling = fill(disk)
    go = disk.parent / "go"  # a file without content needs no space, but a place in a folder
    go.touch()
    (toy / "go").symlink_to(go)
    said, _ = process.communicate(timeout=120)
    assert process.returncode
    own = [line for line in said.splitlines() if not line.startswith("  | ")]  # not the bundle's
    assert not any("Traceback" in line or "Logging error" in line for line in own)
    assert said.count(LINE) == 1
    made = {name: text for name, text in toy.outputs().items() if name.endswith(".txt")}
    assert 7 <= len(made) < 12
    assert all(text == f"{name.removesuffix('.txt')}\n" for name, text in made.items())

    filling.unlink()
    toy.plan()
    (toy / "calls.jsonl").unlink()
    toy.run("--ignore-incomplete", cores=1)  # what Trainscape sees to by itself
    assert len(list(toy.root.glob("out/*.txt"))) == 12
    assert sum(map(len, toy.shapes())) == 12 - len(made)


def test_a_folder_of_records_that_cannot_be_made(toy: Toy) -> None:
    """The run ends with its name and what is wrong with it, before any job is started."""
    toy.write(".snakemake/fuse", "no folder")
    said = toy.fail()
    assert "Traceback" not in said
    assert ".snakemake/fuse/20" in said
    assert "no more processes can be started; when that is mended" in said
    assert toy.calls() == []


def test_a_list_of_jobs_that_cannot_be_written_ends_the_run_in_a_line(tmp_path: Path) -> None:
    """A timing record that cannot be written is none: nothing depends on it."""
    records = Records(tmp_path / "fuse")
    bundle = Bundle((Task(None, 0, 0, "true"),))
    shutil.rmtree(tmp_path / "fuse")
    running: Any = SimpleNamespace(
        name="bundle-001",
        bundle=bundle,
        lease=Lease(1, Counter()),
        started=0.0,
        began=0.0,
        ended=1.0,
    )
    records.note(running, 0)
    with pytest.raises(OSError, match="No such") as caught:
        records.write_jobs("bundle-001", bundle)
    told = str(in_a_line(caught.value))
    assert "bundle-001.jobs.jsonl: No such file or directory: no more processes can be" in told
    assert "\n" not in told
    other = ValueError("a bug")
    assert in_a_line(other) is other
