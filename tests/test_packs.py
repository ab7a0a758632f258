"""Which cells fill a GPU together, and how much of it each takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kit import small_study
from kit.project import ROOT
from snakemake_executor_plugin_fuse import bundles
from snakemake_executor_plugin_fuse.bundles import Task
from trainscape import datasets, study
from trainscape.cells import grid
from trainscape.pipeline import packs
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.packs import WIDEST, Fill

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from trainscape.cells.cell import Cell


def cells(**changes: Any) -> list[Cell]:
    """The cells of the small study, with five seeds."""
    return grid.cells(small_study.make(seeds=5, **changes))


def test_cells_of_one_batch_size_share_packs_and_what_trains_alone_has_none() -> None:
    """An optimizer by its import path trains trial by trial."""
    found = [packs.pack(cell) for cell in cells()]
    assert len(found) == 4 and len(set(found)) == 2
    assert {packs.pack(cell) for cell in cells(optimizer=[{"torch": "torch.optim.Adam"}])} == {""}


def test_only_a_gpu_is_filled() -> None:
    """On the CPU cells are dealt out one by one."""
    layouts = {device: Layout(small_study.make(device=device)) for device in ("cpu", "cuda")}
    found = {d: {layout.pack(p) for p in layout.trainable} for d, layout in layouts.items()}
    assert found["cpu"] == {""} and len(found["cuda"]) == 2


def times_as_fast(gpus: int, *, whole: bool = True, **changes: Any) -> float:
    """How many times as fast as one GPU several train the default study's grid, by packs' steps.

    Args:
        gpus: how many.
        whole: whether cells of a pack are kept together.
        changes: to the study.
    """
    layout = Layout(study.read(ROOT / "params.yaml", {"device": "cuda", **changes}))
    tasks = [
        Task(
            *(None, place, 1, "command", "key"),
            cost=layout.cost(path),
            gpus=1,
            pack=layout.pack(path),
            fill=layout.fill(path).reckoned(),
        )
        for place, path in enumerate(layout.cells)
    ]
    dealt = tasks if whole else [replace(task, pack="") for task in tasks]
    made = bundles.plan(dealt, 1, gpus, 2000)
    assert len(made) <= gpus
    steps = [grid.plan(cell).total for cell in layout.cells.values()]

    def seconds(share: Iterable[Task]) -> int:
        own = [tasks[task.order] for task in share]
        return sum(steps[pack[0].order] for pack in bundles.packs(own, 2000))

    return round(seconds(tasks) / max(seconds(bundle.tasks) for bundle in made), 1)


def test_the_page_says_what_several_gpus_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of docs/fuse.md, of the default study and of one whose seeds share a split."""
    monkeypatch.setattr(packs, "several_gpus", lambda: False)
    page = " ".join((ROOT / "docs/fuse.md").read_text(encoding="utf-8").split())
    two, four, eight = map(times_as_fast, (2, 4, 8))
    assert f"two GPUs are {two} times as fast as one, four {four}, and more no faster" in page
    assert eight == four
    assert "Cells dealt out one by one would gain nothing" in page
    assert times_as_fast(8, whole=False) == 1
    fixed = [times_as_fast(n, split="fixed") for n in (4, 8)]
    assert "10 packs: four GPUs are {} times as fast, eight {}".format(*fixed) in page


def test_a_cell_takes_its_trials_part_of_the_width_of_its_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reckoned from the data, once it is there, where there are several GPUs."""
    datasets.prepare("digits", tmp_path, tmp_path)
    cnn = cells(workloads=["digits-cnn"], batch_size=[1024])[0]
    monkeypatch.setattr(packs, "several_gpus", lambda: False)
    assert Fill(cnn, tmp_path, {}).reckoned() == 5 / WIDEST
    monkeypatch.setattr(packs, "several_gpus", lambda: True)
    assert Fill(cnn, tmp_path / "none", {}).reckoned() == 5 / WIDEST
    widths: dict[tuple[str, int], int] = {}
    part = Fill(cnn, tmp_path, widths).reckoned()
    [(_, width)] = widths.items()
    assert width < WIDEST and part == 5 / width
    assert Fill(cells()[0], tmp_path, widths).reckoned() == 5 / 512
    [split, *_] = cells(split="per-seed")
    assert (
        Fill(split, tmp_path, widths).reckoned() == 1 / 512
    )  # the trials of a seed train together
    monkeypatch.setenv("TRAINSCAPE_WIDTH", "2")
    assert Fill(cnn, tmp_path, widths).reckoned() == 2.5
