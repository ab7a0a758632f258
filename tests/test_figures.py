"""The pictures: the right files, the right words in them, the same bytes each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape import analysis
from trainscape.errors import UserError
from trainscape.figures.names import Counts, Figure, Labels, Sorted, Wanted, listed, of_answers
from trainscape.figures.values import duration, number, shown, ticks
from trainscape.figures.words import alt, caption

if TYPE_CHECKING:
    from trainscape.analysis import Entry, Row

TARGETS = {"digits-mlp": 0.95}
SMALL = {"optimizers": ("sgd", "adam"), "batch_sizes": (16, 256), "lrs": (0.003, 0.1, 1.0)}


def draw(entries: list[Entry], folder: Path, *, measured: bool | None = True) -> list[Path]:
    """Every figure; ``measured`` None is a study without timings, False one not measured here."""
    return MadeUp(entries, measured=measured).draw(folder)


def texts(path: Path) -> list[str]:
    """All text in an SVG."""
    return [node.text or "" for node in ET.parse(path).iter() if node.tag.endswith("}text")]


@pytest.mark.parametrize("measured", [True, False, None])
@pytest.mark.parametrize("validation", [0.1, 0.0])
def test_exactly_the_expected_figures_are_drawn(
    tmp_path: Path, validation: float, measured: bool | None
) -> None:
    """What Snakemake is told from labels alone is what appears."""
    entries = synthetic.study(**SMALL, schedules=("cosine",), validation=validation)  # type: ignore[arg-type]
    drawn = draw(entries, tmp_path, measured=measured)
    labels = Labels(["digits-mlp"], ["sgd", "adam"], ["cosine"])
    kinds = of_answers(Counts(2, 2, 3, 1), validation=validation > 0, whole=True)
    wanted = listed(
        labels,
        Wanted(validation=validation > 0, throughput=measured is not None, answers=kinds),
    )
    assert [path.relative_to(tmp_path).as_posix() for path in drawn] == [f.path for f in wanted]
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(drawn)


def test_labels_that_would_share_a_file_are_refused() -> None:
    """a-b with c and a with b-c are both a-b-c.svg: one line names all four."""
    with pytest.raises(
        UserError, match=r"'a' with schedule 'b-c'.*'a-b' with schedule 'c'.*rename"
    ):
        listed(Labels(["w"], ["a-b", "a"], ["c", "b-c"]), Wanted())


def test_a_heatmap_says_every_value_and_every_reason(tmp_path: Path) -> None:
    """Accuracies in percent, diverged cells in words on hatching, short lr labels, the star."""
    drawn = draw(synthetic.study(**SMALL), tmp_path)  # type: ignore[arg-type]
    path = tmp_path / "digits-mlp/test-metric/adam-constant.svg"
    assert path in drawn
    said = texts(path)
    rows = [r for r in _rows(synthetic.study(**SMALL)) if r["optimizer"] == "adam"]  # type: ignore[arg-type]
    own = [row for row in rows if row["schedule"] == "constant"]
    for row in own:
        if row["status"] == "ok":
            assert f"{100 * row['test_metric_mean']:.1f}" in said
            assert f"±{100 * row['test_metric_std']:.1f}" in said
        else:
            assert f"div {row['diverged']}/3" in said
    assert any(row["status"] == "diverged" for row in own)
    assert "<pattern" in path.read_text()  # the hatch
    assert {"0.003", "0.1", "1", "16", "256"} <= set(said)


def _rows(entries: list[Entry]) -> list[Row]:
    return analysis.records(analysis.summary(analysis.trials(entries, TARGETS)))


def test_cells_that_never_reached_or_were_not_measured_say_so(tmp_path: Path) -> None:
    """No cell is blank: it says why it has no number."""
    draw(synthetic.study(**SMALL), tmp_path, measured=False)  # type: ignore[arg-type]
    folder = tmp_path / "digits-mlp"
    assert "not reached" in texts(folder / "steps-to-target/sgd-cosine.svg")
    assert texts(folder / "time-to-target/sgd-cosine.svg").count("not measured") == 6
    assert texts(folder / "throughput/throughput.svg").count("not measured") == 4


def test_facets_of_a_metric_share_their_colours(tmp_path: Path) -> None:
    """The colour bars of all facets end at the same values."""
    draw(synthetic.study(**SMALL), tmp_path)  # type: ignore[arg-type]
    for kind in ("test-metric", "steps-to-target", "time-to-target"):
        bars = {bar(p) for p in (tmp_path / "digits-mlp" / kind).glob("*.svg")}
        assert len(bars) == 1
        assert len(set(bars.pop())) == 3


def bar(path: Path) -> tuple[str, ...]:
    """The words beside the colour bar: three values and what they measure."""
    (group,) = (node for node in ET.parse(path).iter() if node.get("id") == "colour-bar")
    *values, label = (node.text or "" for node in group.iter() if node.tag.endswith("}text"))
    assert label in ("accuracy", "steps", "time")
    return tuple(values)


def test_the_best_cell_is_outlined_and_its_figure_starred(tmp_path: Path) -> None:
    """Exactly one figure of a kind bears the star: that of the best cell by validation."""
    draw(synthetic.study(**SMALL), tmp_path)  # type: ignore[arg-type]
    chosen = analysis.best(_rows(synthetic.study(**SMALL)))  # type: ignore[arg-type]
    assert chosen is not None
    starred = [
        path.stem
        for path in (tmp_path / "digits-mlp/test-metric").glob("*.svg")
        if any("★" in text for text in texts(path))
    ]
    assert starred == [f"{chosen['optimizer']}-{chosen['schedule']}"]


def test_odd_studies_are_drawn(tmp_path: Path) -> None:
    """A regression, one seed, one value on every axis, all diverged, escaped labels: no error."""
    name = synthetic.regression()
    lone = synthetic.study(name, ("sgd",), (64,), (0.01,), ("constant",), (0,))
    lost = synthetic.study(optimizers=("adam",), lrs=(1e3, 1e4), batch_sizes=(16,))
    odd = synthetic.cell(label="<&>$x$")
    strange = synthetic.entry(odd, [synthetic.trial(0, [0.5, 1.0])], (1, 2))
    for index, entries in enumerate((lone, lost, [strange])):
        for path in draw(entries, tmp_path / str(index)):
            assert ET.parse(path).getroot().tag.endswith("svg")
    said = texts(tmp_path / "2/digits-mlp/test-metric/<&>$x$-constant.svg")
    assert "<&>$x$ · constant ★" in said


def test_figures_are_small_and_name_no_time_or_version(tmp_path: Path) -> None:
    """Each stays below 30 kB and holds no date, and no font that a reader may lack."""
    for path in draw(synthetic.study(), tmp_path):
        text = path.read_text()
        assert len(text) < 30_000, path
        assert "dc:date" not in text
        assert "DejaVu" not in text


DRAWER = """
import json, sys
from pathlib import Path
from kit import synthetic
from kit.reports import MadeUp
MadeUp(synthetic.study(**json.loads(sys.argv[2]))).draw(Path(sys.argv[1]))
"""


def test_two_processes_draw_the_same_bytes(tmp_path: Path) -> None:
    """Neither hash seeds nor what else a process has drawn change a byte."""
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
    there, here = tmp_path / "there", tmp_path / "here"
    command = [sys.executable, "-c", DRAWER, str(there), json.dumps(SMALL)]
    subprocess.run(command, check=True, env=environment)
    drawn = draw(synthetic.study(**SMALL), here)  # type: ignore[arg-type]
    assert len(drawn) > 10
    for picture in drawn:
        assert picture.read_bytes() == (there / picture.relative_to(here)).read_bytes(), picture


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.003, "0.003"), (1e-4, "1e-4"), (3.16228e-5, "3.16e-5"), (1.0, "1"), (12_500, "12.5k"),
     (1250, "1250"), (3_100_000, "3.1M"), (0, "0"), (-0.0821, "-0.0821")],
)  # fmt: skip
def test_numbers_are_short(value: float, expected: str) -> None:
    """A number takes no more room than it needs."""
    assert number(value) == expected


def test_ticks_take_as_many_digits_as_they_need() -> None:
    """Two values on an axis never share a label."""
    assert ticks([0.1, 0.01]) == ["0.1", "0.01"]
    assert ticks([0.12345, 0.12346]) == ["0.12345", "0.12346"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(310e-6, "310 µs"), (0.0123, "12.3 ms"), (12.34, "12.3 s"), (192, "3.2 min"), (7200, "2 h")],
)
def test_durations_have_a_fitting_unit(seconds: float, expected: str) -> None:
    """Seconds are said in the unit a reader would choose."""
    assert duration(seconds) == expected


def test_a_cell_out_of_memory_shows_that(tmp_path: Path) -> None:
    """Out of memory is a result and is shown in every kind of heatmap."""
    judged = analysis.metric("digits-mlp")
    row = {"status": "oom", "diverged": 0, "seeds": 3}
    for kind in ("test-metric", "steps-to-target", "time-to-target", "diverged-share"):
        assert shown(kind, row, judged).text == "oom"


def test_words_say_axes_range_losses_and_the_best() -> None:
    """Caption and alternative text are made from the data."""
    cells = _rows(synthetic.study())
    figure = Figure("digits-mlp", "test-metric", "adam", "cosine")
    rows = Sorted(cells).of(figure)
    assert caption(figure, rows) == (
        "adam, cosine: test accuracy from 60.2% to 96.7%. 6 of 20 cells diverged. Best by "
        "validation: batch size 1024, lr 0.01 (test accuracy 96.7%)."
    )
    assert alt(figure, rows).startswith(
        "Heatmap for adam with the schedule cosine on digits-mlp, 4 batch sizes from 16 to 1024 by "
        "5 learning rates from 0.001 to 1: test accuracy from 60.2% to 96.7%."
    )
    steps = Figure("digits-mlp", "steps-to-target", "momentum", "cosine")
    assert caption(steps, Sorted(cells).of(steps)).endswith("lr 0.1 (steps to the target 15).")
    throughput = Figure("digits-mlp", "throughput")
    unmeasured = [{**row, "samples_per_s": None} for row in cells]
    assert "no cell has a value" in caption(throughput, unmeasured)
