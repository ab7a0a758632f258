"""The article figures: what a study may ask for, what is then drawn, and where it is shown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit.registries import kept
from trainscape import study, workloads
from trainscape.analysis import key
from trainscape.datasets import Raw, registry
from trainscape.engine.landscape import heights
from trainscape.errors import UserError
from trainscape.figures.articles.descent import decay, parameters, path
from trainscape.figures.articles.losses import loss_by_batch, trace
from trainscape.figures.curves import loss_curves_figure
from trainscape.figures.names import UNSELECTED
from trainscape.pipeline import data, train
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.make import make
from trainscape.pipeline.verify import verify
from trainscape.report._articles import SCALING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure as Picture
    from torch import Tensor

    from trainscape.analysis import Row

VALLEY: dict[str, Any] = {
    "workloads": ["valley"],
    "budget": {"steps": 12},
    "seeds": 1,
    "validation": 0,
    "trace_every": 3,
    "grid": {
        "optimizer": ["sgd", "momentum"],
        "batch_size": [1],
        "lr": [0.02, 0.05],
        "schedule": ["constant", "cosine"],
    },
    "figures": ["path", "decay", "trace", "loss-by-batch", "lr-scaling"],
    "throughput": {"enabled": False},
}
REFUSED = [
    ({"figures": ["paths"]}, "figures[0]: unknown 'paths'; did you mean 'path'?"),
    ({"figures": ["path", "path"]}, "figures: ['path', 'path'] names 'path' twice; remove one"),
    ({"trace_every": 0}, "figures: 'trace' needs training losses; set trace_every above 0"),
    (
        {"figures": ["batch-table"]},
        "figures: 'batch-table' needs step times; set throughput.enabled to true",
    ),
    (
        {"figures": ["decay"], "workloads": ["digits-mlp"]},
        "figures: 'decay' needs workloads that keep their path; remove it or 'digits-mlp', or "
        "choose from quadratic, valley",
    ),
]


def layout(**changes: Any) -> Layout:
    """The small study's, with keys replaced."""
    return Layout(study.parse({**VALLEY, **changes}, "test"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small study, made to its report."""
    folder = tmp_path_factory.mktemp("valley")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made = layout()
        data.make(made)
        train.make(made, list(made.cells))
        for stage in ("settle", "collect", "answer", "figures", "timings", "report"):
            make(made, stage)
    return folder


def texts(path: Path) -> list[str]:
    """All text in an SVG."""
    return [node.text or "" for node in ET.parse(path).iter() if node.tag.endswith("}text")]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_figures_that_cannot_be_drawn_are_refused(changes: dict[str, Any], message: str) -> None:
    """One line names the figure and the key that it needs."""
    with pytest.raises(UserError) as refused:
        layout(**changes)
    assert str(refused.value).removeprefix("test: ") == message


def test_a_study_that_asks_for_none_has_none() -> None:
    """The default study's products and stamps are as if article figures did not exist."""
    plain = layout(figures=[])
    kinds = {Path(file).parts[-2] for file in plain.products("figures")}
    assert kinds == {*UNSELECTED, "importance"}  # those of every such study without validation
    assert plain.stamp("figures") != layout().stamp("figures")
    assert plain.stamp("collect") == layout().stamp("collect")


def test_labels_that_would_share_a_file_are_refused_here_too() -> None:
    """Without a validation split no other figure would notice."""
    twice = {
        "optimizer": [{"name": "sgd", "label": "a"}, {"name": "momentum", "label": "a-b"}],
        "schedule": [{"name": "cosine", "label": "b-c"}, {"name": "constant", "label": "c"}],
    }
    with pytest.raises(UserError, match="share the figure"):
        layout(grid={**VALLEY["grid"], **twice})


@pytest.fixture
def here(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """The finished study, in whose folder the test runs."""
    monkeypatch.chdir(finished)
    return layout()


def test_exactly_the_listed_figures_are_drawn(here: Layout) -> None:
    """What the layout lists is there and nothing else; the check is content."""
    listed = {Path(path) for path in here.products("figures")}
    assert {path for path in Path("results/figures").rglob("*") if path.is_file()} == listed
    assert len([path for path in listed if path.suffix == ".svg"]) == 2 + 2 + 2 + 4 + 1 + 4 * 4 + 1
    assert {path.name for path in listed if path.suffix == ".csv"} == {
        "decay.csv",
        "lr-scaling.csv",
    }
    assert verify(here).complaints == []


def test_the_same_study_draws_the_same_bytes(here: Layout) -> None:
    """Drawing again changes no file."""
    before = {path: Path(path).read_bytes() for path in here.products("figures")}
    make(here, "figures")
    assert {path: Path(path).read_bytes() for path in before} == before


def test_figures_say_what_their_lines_are(here: Layout) -> None:
    """Optimizers, rates, schedules and axes are named; files stay small."""
    folder = Path("results/figures/valley")
    assert {"sgd", "momentum", "lr 0.02", "lr 0.05", "w0", "w1"} <= set(
        texts(folder / "path/constant.svg")
    )
    assert {"constant, lr 0.02", "cosine, lr 0.05", "learning rate after the step"} <= set(
        texts(folder / "decay/sgd.svg")
    )
    assert {"sgd, lr 0.02", "step", "training loss of the batch"} <= set(
        texts(folder / "trace/cosine.svg")
    )
    assert {"lr 0.02", "batch size", "final training loss"} <= set(
        texts(folder / "loss-by-batch/momentum-cosine.svg")
    )
    assert {"sgd", "batch^α", "constant"} <= set(texts(folder / "lr-scaling/lr-scaling.svg"))
    assert all(path.stat().st_size < 100_000 for path in folder.rglob("*.svg"))


def test_the_report_shows_them(here: Layout) -> None:
    """A section of its own holds every figure, and the table of forty rows folded away."""
    page = Path("results/report.html").read_text()
    [section] = re.findall(r'<section id="article".*?</section>', page, re.DOTALL)
    assert len(re.findall(r'<img src="data:image/svg', section)) == 11
    assert re.findall(r"<summary>(\d+) rows", section) == [str(2 * 2 * 2 * 12)]


def test_a_study_without_them_has_no_such_section(here: Layout) -> None:
    """The section appears only where a study asks for it."""
    plain = layout(figures=[])
    for stage in ("figures", "timings", "report"):
        make(plain, stage)
    page = Path("results/report.html").read_text()
    assert 'id="article"' not in page
    left = {str(path) for path in Path("results/figures").rglob("*.*")}
    assert left == set(plain.products("figures")), "what left the study is swept away"
    for stage in ("figures", "timings", "report"):
        make(here, stage)


def test_the_landscape_is_the_trained_function() -> None:
    """Heights are the workload's training loss, at any point of its parameters."""
    arrays = registry.get(workloads.registry.get("valley").dataset).make(Raw(Path()))
    points = np.array([[-5.0, -2.0], [0.0, 0.0], [1.0, 3.0]])
    found = heights("valley", arrays, points)
    assert found == pytest.approx((points[:, 0] ** 2 + 20 * points[:, 1] ** 2) / 2)


def test_the_landscape_of_a_model_that_takes_one_point_at_a_time() -> None:
    """Where torch cannot run the model at all points at once, heights are the same."""
    entry = workloads.registry.get("valley")
    arrays = registry.get(entry.dataset).make(Raw(Path()))
    points = np.array([[-5.0, -2.0], [1.0, 3.0]])
    expected = heights("valley", arrays, points)

    def looking(output: Tensor, target: Tensor) -> Tensor:
        loss = entry.loss(output, target)
        return loss if loss.item() >= 0 else -loss

    with kept(workloads.registry):
        workloads.registry._entries["valley"] = replace(entry, loss=looking)
        assert heights("valley", arrays, points) == pytest.approx(expected)


def test_an_exponent_without_a_bound_says_so() -> None:
    """The table names the bound that there is, or says that there is none."""
    known = {"optimizer": "sgd", "schedule": "linear", "exponent": 0.5, "edges": 3}
    ends = [(0.2, None), (None, 0.9), (None, None), (-0.1, 0.9)]
    rows = [{**known, "low": low, "high": high} for low, high in ends]
    judged = workloads.registry.get("digits-mlp").metric
    shown = [SCALING[0].words(row, judged) for row in rows]
    assert shown == [
        "0.50 (at least 0.20)",
        "0.50 (at most 0.90)",
        "0.50 (no bounds)",
        "0.50 (−0.10 to 0.90)",
    ]


def test_one_parameter_is_drawn_beside_a_workload_of_two() -> None:
    """Columns of another workload's parameters are empty, and so is a step that diverged."""
    rows = [
        {"workload": "quadratic", "optimizer": "sgd", "batch_size": 5, "lr": 0.1, "seed": 0}
        | {"step": step, "w0": point, "w1": None}
        for step, point in enumerate([1.0, 0.5, None])
    ]
    assert parameters(rows) == ["w0"]
    figure = path("title", rows, rows, lambda points: points[:, 0] ** 2)
    (axes,) = figure.axes
    assert np.array(axes.lines[-1].get_xydata()).tolist() == [[1.0, 1.0], [0.5, 0.25]]


def descents(schedule: str, far: float, lrs: tuple[float, ...] = (0.1, 0.2)) -> list[Row]:
    """Steps of one parameter, as far out as named, at each rate."""
    names = {"workload": "quadratic", "optimizer": "sgd", "batch_size": 5, "schedule": schedule}
    return [
        {**names, "lr": lr, "seed": 0, "step": step, "rate": lr, "loss": w**2, "w0": w, "w1": None}
        for lr in lrs
        for step, w in enumerate([far, far * lr])
    ]


def losses(optimizer: str, batch_size: int, scale: float) -> list[Row]:
    """Final and recorded losses of one optimizer and batch size, two rates, two steps each."""
    names = {"workload": "digits-mlp", "optimizer": optimizer, "batch_size": batch_size}
    return [
        {**names, "schedule": "constant", "lr": lr, "seed": 0, "step": step, "epoch": step}
        | {"train_loss": scale * lr / step, "loss": scale * lr / step}
        for lr in (0.1, 0.2)
        for step in (1, 640 // batch_size)
    ]


def shared(figures: Sequence[Picture], places: Sequence[int] | None = None) -> None:
    """The panels, or those at these places of each figure, have one pair of axes."""
    every = [axes for figure in figures for axes in figure.axes]
    if places is not None:
        every = [figure.axes[place] for figure in figures for place in places]
    limits = {(axes.get_xlim(), axes.get_ylim()) for axes in every}
    assert len(every) > 1
    assert len(limits) == 1


def test_ways_down_have_equal_axes() -> None:
    """Over all rates and schedules, however far each goes."""
    near, far = descents("constant", 1.0), descents("cosine", 9.0)
    square = lambda points: points[:, 0] ** 2
    shared([path("title", rows, near + far, square) for rows in (near, far)])
    valley = [{**row, "w1": 0.3 * row["w0"]} for row in near + far]
    both = lambda points: (points**2).sum(1)
    shared([path("title", rows, valley, both) for rows in (valley[:4], valley[4:])])


def test_decays_have_equal_axes() -> None:
    """What is the same quantity has the same axes for every optimizer, and so do parameters."""
    near, far = ([{**row, "w1": 30.0} for row in descents("constant", w)] for w in (1.0, 9.0))
    figures = [decay("title", rows, near + far) for rows in (near, far)]
    for place in range(2):  # rate, loss
        shared(figures, [place])
    shared(figures, [2, 3])


def test_losses_have_equal_axes() -> None:
    """Step by step and at the end, for every batch size and optimizer."""
    small, large = losses("sgd", 16, 1.0), losses("momentum", 64, 50.0)
    everything = small + large
    shared([trace("title", everything, everything)])
    shared([trace("title", rows, everything) for rows in (small, large)])
    shared([loss_by_batch("title", rows, everything) for rows in (small, large)])
    histories = {key(row): [row] for row in everything}
    shared([loss_curves_figure("title", rows, everything, histories) for rows in (small, large)])
