"""A study on several GPUs: the executor's side, as the machine has none to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.fake_gpus import Fake, install
from kit.project import environment

if TYPE_CHECKING:
    from kit.project import Project

# Stands before each bundle's command, and notes what the bundle sees and how many run beside it.
LAUNCHER = """#!/bin/sh
gpu=$CUDA_VISIBLE_DEVICES
touch "here/$$-$gpu"
echo "$gpu $FUSE_GPU_SHARE $(ls here | grep -c -e "-$gpu$")" >> seen
"$@"
status=$?
rm "here/$$-$gpu"
exit $status
"""


def test_a_study_spreads_over_all_gpus(finished: Project, clean: Project) -> None:
    """Every slot trains a pack, no GPU takes more than it has slots, and the cells are the same.

    There are two GPUs of two slots each, and packs that one cell of two seeds fills. As torch sees
    no GPU, processes train on the CPU. A width is reckoned from the data, which is not there yet.
    """
    install(clean / "bin", [Fake(3), Fake(5, free=11000)])
    (clean / "here").mkdir()
    (clean / "launch").write_text(LAUNCHER)
    (clean / "launch").chmod(0o755)
    clean.run(
        "env",
        "--unset=CUDA_VISIBLE_DEVICES",
        "TRAINSCAPE_WIDTH=2",
        f"PATH={clean / 'bin'}:{environment(clean.shared)['PATH']}",
        *("snakemake", "--cores", "1", "--fuse-per-gpu", "2", "--fuse-launcher", "./launch"),
        *clean.trainscape("targets", "train"),
    )
    seen = [line.split() for line in (clean / "seen").read_text().splitlines()]
    assert sorted(line[:2] for line in seen) == [
        *[["GPU-fake-3", "0.5"]] * 2,
        *[["GPU-fake-5", "0.25"]] * 2,
    ]
    assert max(int(line[2]) for line in seen) <= 2
    cells = {path: made for path, made in finished.results().items() if "/cells/" in path}
    assert {path: made for path, made in clean.results().items() if "/cells/" in path} == cells
