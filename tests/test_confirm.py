"""The confirmation of the best cells: its files, the choice of finalists, what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit import small_study, synthetic
from trainscape import analysis, hardware, study
from trainscape.cells import grid
from trainscape.cells.confirm import fresh
from trainscape.cells.identity import digest, identity
from trainscape.cells.outcomes import packed
from trainscape.errors import DamagedFileError, MissingFileError, UserError
from trainscape.files import write_json
from trainscape.pipeline import collect, settle
from trainscape.pipeline.confirm import make as confirm
from trainscape.pipeline.doubts import doubts
from trainscape.pipeline.estimate import estimate
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.make import make
from trainscape.pipeline.propose import make as propose
from trainscape.pipeline.stages import STAGES
from trainscape.pipeline.verify import verify
from trainscape.results import finalists
from trainscape.results.cell_files import CellRecord, write_cell
from trainscape.sealed import write_sealed
from trainscape.workloads import registry

if TYPE_CHECKING:
    from trainscape.cells.cell import Cell

LRS = [0.01, 0.03, 0.1, 0.3]
CONFIRM = {"cells": 3, "seeds": 4}
WORKLOAD = "digits-mlp"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has an output folder of its own, with step times of this machine."""
    monkeypatch.chdir(tmp_path)
    name = hardware.fingerprint("cpu")
    rows = [
        {"workload": workload, "batch_size": batch, "mode": "step", "step_time_s": 0.001}
        for workload in (WORKLOAD, "regression")
        for batch in (16, 64)
    ]
    write_json(Path(f"results/throughput/{name}-0123456789ab.json"), {"rows": rows})
    Path("results/.study").write_text("default\n")


def layout(**changes: Any) -> Layout:
    """A study of 16 cells, two optimizers at two batch sizes and four rates, of three seeds."""
    keys = {"confirm": CONFIRM, "throughput": {"enabled": False}, "lr": LRS}
    return Layout(small_study.make(**{**keys, **changes}))


def train(
    of: Layout, path: str, cell: Cell, *, value: float = math.nan, diverged: bool = False
) -> None:
    """What training would leave, made up: by default better with the rate, and adam below sgd."""
    if math.isnan(value):
        value = 0.5 + cell.lr - (0.2 if cell.optimizer.label == "adam" else 0)
    steps, at = grid.plan(cell).evaluations, 3 if diverged else None
    trials = [synthetic.trial(seed, [value] * len(steps), at) for seed in cell.seeds]
    record = CellRecord(digest(cell), "cpu-avx2", cell.spec(), identity(cell), steps, trials)
    write_cell(Path(path), record)


def chosen(of: Layout) -> Layout:
    """The study, its grid trained and its finalists chosen."""
    for path, cell in of.cells.items():
        train(of, path, cell)
    for file in of.finalists.values():
        confirm(of, file)
    return of


def named(of: Layout) -> list[tuple[str, int, float]]:
    """Optimizer, batch size and rate of the finalists, the most promising first."""
    cells = (of.cells[path] for path in finalists.read(Path(of.finalists[WORKLOAD]), of.cells))
    return [(cell.optimizer.label, cell.batch_size, cell.lr) for cell in cells]


@pytest.mark.parametrize("seeds", [[0, 1, 2], [1000, 1002, 5], [1003]])
def test_fresh_seeds_are_none_of_the_studys(seeds: list[int]) -> None:
    """They count from 1000, each once, and pass over those by which cells were chosen."""
    found = fresh(seeds, 4)
    assert not set(found) & set(seeds) and len(set(found)) == 4
    skipped = [seed for seed in range(1000, found[-1]) if seed not in found]
    assert found[0] >= 1000 and set(skipped) <= set(seeds)


def test_a_finalist_is_the_cell_on_other_seeds() -> None:
    """It differs from the grid's cell in seeds and in its detailed record, and in nothing else."""
    of = layout()
    for first, (path, again) in zip(of.cells.values(), of.confirmable.items(), strict=True):
        assert path.startswith("results/confirm/digits-mlp/")
        assert again.seeds == (1000, 1001, 1002, 1003) and again.detailed
        assert replace(again, seeds=first.seeds, detailed=False) == first
        assert {**again.spec(), "seeds": list(first.seeds)} == {**first.spec(), "detailed": True}
        assert str(again) == f"{first} on fresh seeds"
    assert len(of.trainable) == 2 * len(of.cells)


def test_without_a_confirmation_nothing_is_added() -> None:
    """A study that confirms none has the files and the training's stamp that it has without keys.

    Its margin decides no file before the answers.
    """
    plain = Layout(small_study.make(throughput={"enabled": False}, lr=LRS))
    off = layout(confirm=False, margin=0.01)
    assert off.study.confirm is False
    assert not off.confirmable and not off.finalists and not off.confirmed()
    before = STAGES[: STAGES.index("answer")]
    assert off.targets(*before) == plain.targets(*before)
    assert off.trained == off.cells and off.progress == []
    on = layout()
    assert list(on.cells) == list(plain.cells)
    assert on.stamp("train") != plain.stamp("train")
    assert set(on.targets("train")) - set(on.finalists.values()) - {on.stamp("train")} == set(
        plain.cells
    )


def test_the_name_covers_what_decides_the_choice() -> None:
    """The grid, how many are wanted and a search's rounds do; fresh seeds and labels don't."""
    first = layout().finalists
    labelled = [{"name": "sgd", "label": "plain"}, "adam"]
    for same in ({"confirm": {**CONFIRM, "seeds": 9}}, {"optimizer": labelled}, {"margin": 0.01}):
        assert layout(**same).finalists == first
    search = {"method": "random", "trials": 6}
    for changes in (
        {"confirm": {**CONFIRM, "cells": 4}},
        {"lr": LRS[1:]},
        {"seeds": 4},
        {"design": search},
    ):
        assert set(layout(**changes).finalists.values()).isdisjoint(first.values())
    assert layout(design=search).finalists != layout(design={**search, "seed": 1}).finalists
    assert layout().stamp("train") != layout(confirm={**CONFIRM, "seeds": 9}).stamp("train")


def test_the_best_and_the_best_of_each_optimizer_are_chosen() -> None:
    """Also where an optimizer's best is behind all other cells; a tie goes to the fewer steps."""
    assert named(chosen(layout())) == [("sgd", 64, 0.3), ("sgd", 16, 0.3), ("adam", 64, 0.3)]


def test_the_order_of_the_study_decides_nothing() -> None:
    """Optimizers, sizes and rates listed the other way round give the same finalists."""
    first = named(chosen(layout()))
    other = layout(optimizer=["adam", "sgd"], batch_size=[64, 16], lr=LRS[::-1])
    assert named(chosen(other)) == first


def test_finalists_of_a_loss_have_the_least() -> None:
    """The metric's direction is the workload's."""
    of = layout(workloads=["regression"])
    for path, cell in of.cells.items():
        train(of, path, cell, value=cell.lr)
    (file,) = of.finalists.values()
    confirm(of, file)
    cells = [of.cells[path] for path in finalists.read(Path(file), of.cells)]
    assert {cell.lr for cell in cells} == {0.01} and len(cells) == 3


def test_what_learned_nothing_is_no_finalist() -> None:
    """An optimizer whose cells all end no better than chance has none."""
    of = layout()
    for path, cell in of.cells.items():
        train(of, path, cell, value=0.1 if cell.optimizer.label == "adam" else 0.9)
    confirm(of, of.finalists[WORKLOAD])
    assert {name for name, *_ in named(of)} == {"sgd"}


def test_without_a_cell_that_ended_well_there_are_no_finalists() -> None:
    """The file names none, and nothing is trained again."""
    of = layout()
    for path, cell in of.cells.items():
        train(of, path, cell, diverged=True)
    confirm(of, of.finalists[WORKLOAD])
    assert named(of) == [] and of.trained == of.cells


def test_more_finalists_than_cells_are_all_cells() -> None:
    """A wish for more than there are is no error; a diverged cell is still none of them."""
    of = layout(confirm={"cells": 50, "seeds": 2})
    for number, (path, cell) in enumerate(of.cells.items()):
        train(of, path, cell, diverged=number == 0)
    confirm(of, of.finalists[WORKLOAD])
    assert list(of.confirmed()) == list(of.confirmable)[1:]


def test_every_workload_has_finalists_of_its_own() -> None:
    """They are named in a file each, and known as soon as the workload's own cells are trained."""
    of = layout(workloads=[WORKLOAD, "regression"])
    (first, _) = of.finalists.values()
    for path, cell in of.cells.items():
        if cell.workload == WORKLOAD:
            train(of, path, cell)
    confirm(of, first)
    assert {cell.workload for cell in of.confirmed().values()} == {WORKLOAD}
    assert "(1 of 2 workloads have theirs)" in of.progress[0]
    assert "= 96 trials, then about 6 finalists × 4 fresh seeds = about 24 trials" in estimate(of)


def test_a_search_has_finalists_among_its_cells() -> None:
    """They are chosen when its last round is there, from the cells that it proposed."""
    of = layout(design={"method": "evolution", "trials": 6, "rounds": 2, "seed": 0})
    one, two = of.rounds[WORKLOAD]
    propose(of, one)
    for path in of.proposed():
        train(of, path, of.cells[path])
    with pytest.raises(MissingFileError, match="round-02"):
        confirm(of, of.finalists[WORKLOAD])
    propose(of, two)
    for path in of.proposed():
        train(of, path, of.cells[path])
    confirm(of, of.finalists[WORKLOAD])
    found = finalists.read(Path(of.finalists[WORKLOAD]), of.cells)
    assert len(found) == 3 and set(found) <= set(of.proposed())
    assert len(of.trained) == 9


def test_a_file_of_no_finalists_is_refused() -> None:
    """A damaged file, another study's and one of cells that are not the grid's are named."""
    of = layout()
    file = Path(of.finalists[WORKLOAD])
    file.parent.mkdir(parents=True)
    file.write_text("[")
    with pytest.raises(DamagedFileError, match="is not a whole file"):
        of.confirmed()
    write_sealed(file, {"finalists": file.stem, "cells": ["0123456789ab"]})
    with pytest.raises(DamagedFileError, match="names no finalists of this grid"):
        of.confirmed()
    write_sealed(file, {"finalists": "finalists-0123456789ab", "cells": []})
    with pytest.raises(DamagedFileError, match="holds another one"):
        of.confirmed()
    with pytest.raises(UserError, match=r"x\.json: names no finalists of study 'default'"):
        confirm(of, "results/finalists/digits-mlp/x.json")
    with pytest.raises(UserError, match="names no finalists of study"):
        confirm(layout(confirm=False), str(file))


def test_damage_is_found_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged cell on fresh seeds is to be made again; a damaged choice is removed at once."""
    of = chosen(layout())
    for path, cell in of.confirmed().items():
        train(of, path, cell)
    settle.make(of)
    whole = verify(of).complaints
    (damaged, *_) = of.confirmed()
    Path(damaged).write_text("{}")
    assert [line for line in verify(of).complaints if line not in whole] == [
        f"{damaged}: is not a whole file (KeyError); run snakemake to make it again"
    ]
    assert damaged in doubts(of)
    file = of.finalists[WORKLOAD]
    Path(file).write_text("{}")
    assert file in "".join(verify(of).complaints)
    assert file not in doubts(of) and not Path(file).exists()
    assert f"{file} is not a whole file (KeyError) and is to be made again" in (
        capsys.readouterr().err
    )


def test_what_left_the_study_leaves_its_folders() -> None:
    """Without a confirmation the attic gets its cells, and no file of finalists stays."""
    of = chosen(layout())
    for path, cell in of.confirmed().items():
        train(of, path, cell)
    settle.make(layout(confirm=False))
    assert not [path for path in Path("results/confirm").rglob("*") if path.is_file()]
    assert not list(Path("results/finalists").rglob("*.json"))
    assert len(list(Path("results/.attic").iterdir())) == 3


def test_tables_of_finalists_by_hand() -> None:
    """Outcomes are averaged example by example; the noise has a row for each evaluation.

    A cell with a seed that did not end has no outcomes.
    """
    count = 360
    ends = [synthetic.trial(seed, [0.5, 0.9]) for seed in (1000, 1001)]
    bits = [[1.0] * count, [1.0, 0.0] * (count // 2)]
    of = replace(synthetic.cell(seeds=(1000, 1001)), detailed=True)
    noise = [[4.0, 1.0], [2.0, 0.5]]
    trials = [
        replace(trial, outcomes=packed(own), noise=noise)
        for trial, own in zip(ends, bits, strict=True)
    ]
    whole = synthetic.entry(of, trials, [20, 40])
    cut = synthetic.entry(replace(of, lr=0.1), [trials[0], ends[1]], [20, 40])
    table = analysis.records(analysis.examples([whole, cut]))
    name = whole.record.digest[:12]
    assert table == [
        {"digest": name, "example": i, "metric": 1.0 if i % 2 == 0 else 0.5} for i in range(count)
    ]
    found = analysis.records(analysis.noise([whole]))
    assert [tuple(row.values()) for row in found] == [
        (name, seed, step, *pair)
        for seed in (1000, 1001)
        for step, pair in zip((20, 40), noise, strict=True)
    ]


def test_collect_writes_the_finalists_trials() -> None:
    """confirm.csv has the columns of trials.csv; of a study without finalists, those alone."""
    of = chosen(layout())
    for path, cell in of.confirmed().items():
        train(of, path, cell)
    collect.make(of)
    first, again = (analysis.read_csv(Path(f"results/{n}.csv")) for n in ("trials", "confirm"))
    assert list(again.columns) == list(first.columns)
    assert len(again) == 3 * 4 and set(again["seed"]) == {1000, 1001, 1002, 1003}
    collect.make(layout(confirm=False))
    again = analysis.read_csv(Path("results/confirm.csv"))
    assert list(again.columns) == list(first.columns) and len(again) == 0
    assert Path("results/examples.csv").read_text() == "digest,example,metric\n"
    assert Path("results/noise.csv").read_text() == "digest,seed,step,each,mean\n"


@pytest.mark.parametrize("stage", ["settle", "collect"])
def test_no_stage_leaves_out_finalists_that_are_yet_to_be_chosen(stage: str) -> None:
    """By hand, too: a table without them would look like one of a study that has none."""
    of = chosen(layout())
    for path, cell in of.trained.items():
        train(of, path, cell)
    (file,) = of.finalists.values()
    Path(file).rename("elsewhere")
    with pytest.raises(MissingFileError, match=r"finalists-\w{12}\.json: no such file"):
        make(layout(), stage)
    assert not Path("results/confirm.csv").exists()
    Path("elsewhere").rename(file)
    make(layout(), "settle")
    make(layout(), stage)


def line(text: str, name: str) -> list[int]:
    """The numbers of a row of an estimate: cells, there, kept, to train, trials, steps."""
    (found,) = [row for row in text.splitlines() if row.startswith(f"{name}  ")]
    return [int(number.replace(",", "")) for number in found.removeprefix(name).split()]


def test_estimate_counts_finalists_apart() -> None:
    """Before they are known others stand in for them; then they are counted, there or not."""
    of = layout(budget={"epochs": 2})
    said = estimate(of)
    assert "48 trials, then about 3 finalists × 4 fresh seeds = about 12 trials" in said
    # of the smaller batch: 1,150 examples in batches of 16
    assert line(said, f"{WORKLOAD}, finalists") == [3, 0, 0, 3, 12, 12 * 2 * 72]
    assert line(said, "all")[:5] == [19, 0, 0, 19, 60]
    said = estimate(chosen(of))
    assert "then 3 finalists × 4 fresh seeds = 12 trials" in said
    assert "a confirmation: 3 finalists on 4 fresh seeds from 1000 on" in said
    steps = 4 * 2 * (18 + 72 + 18)
    assert line(said, f"{WORKLOAD}, finalists") == [3, 0, 0, 3, 12, steps]
    path, cell = next(iter(of.confirmed().items()))
    train(of, path, cell)
    assert line(estimate(of), f"{WORKLOAD}, finalists")[:4] == [3, 1, 0, 2]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"validation": 0}, "confirm: finalists are chosen by validation; set validation above 0"),
        ({"seeds": 1}, "confirm: finalists are chosen by 2 seeds at least; set seeds to 2 or more"),
        ({"seeds": [7]}, "confirm: finalists are chosen by 2 seeds at least"),
        ({"margin": 0.5}, "margin: 0.5 is 50 points of accuracy; did you mean 0.005?"),
        ({"margin": 1, "confirm": False}, "margin: 1 is 100 points of accuracy"),
    ],
)
def test_what_cannot_be_confirmed_is_refused(keys: dict[str, Any], message: str) -> None:
    """Before anything runs, in one line."""
    with pytest.raises(UserError, match=message):
        layout(**keys)


def test_a_margin_of_a_loss_may_be_wide() -> None:
    """What is much of a share may be little of a loss."""
    assert layout(workloads=["regression"], margin=2.0).study.margin == 2.0
    assert registry.get("regression").metric.unit != "fraction"


@pytest.mark.parametrize("word", [False, "false", "False"])
def test_false_confirms_none(word: object) -> None:
    """However it is written: ``--config confirm=false`` hands on text."""
    assert study.parse({"confirm": word}, "test").confirm is False
