"""What the articles print, held against our own runs on real data."""

import os
from dataclasses import asdict
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from trainscape import analysis, datasets, study, workloads
from trainscape.analysis import Entry
from trainscape.cells import grid
from trainscape.cells.budget import Plan
from trainscape.datasets import Raw
from trainscape.engine import device, run
from trainscape.optimizers import registry
from trainscape.pipeline.layout import Layout
from trainscape.results.cell_files import CellRecord

ROOT = Path(__file__).resolve().parent.parent
# dvc.yaml is no study but the stages that run them.
STUDIES = sorted(p for p in (ROOT / "studies").glob("*.yaml") if p.name != "dvc.yaml")
# Article 3, mean of the batch losses of each epoch, one run each.
MNIST_MOMENTUM = {
    "momentum": [0.369134, 0.176699, 0.125531, 0.100507, 0.083820],
    "sgd": [0.735494, 0.364616, 0.318786, 0.290835, 0.268683],
}
SEEDS = 6
# Article 4, rate, loss and w after the step, as TensorFlow printed them in float32.
EXPONENTIAL_DECAY = {
    0: ("0.099", "23.04", "3.8"),
    1: ("0.09801", "14.8194", "2.8496"),
    2: ("0.0970299", "9.57903", "2.095"),
    39: ("0.0668972", "1.82229e-05", "-0.995731"),
}


def raw_mnist() -> Path | None:
    """Where MNIST's files are, if anywhere."""
    named = os.environ.get("TRAINSCAPE_RAW")
    places = [Path(named)] if named else []
    places += [ROOT.parent / "shared" / "data", ROOT / "data" / "raw"]
    return next((p for p in places if any(p.rglob("train-images-idx3-ubyte*"))), None)


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real ``mnist.npz``."""
    raw = raw_mnist()
    if raw is None:
        pytest.skip("no MNIST files; name their folder in TRAINSCAPE_RAW")
    folder = tmp_path_factory.mktemp("data")
    datasets.prepare("mnist", folder, folder / "raw", source=raw)
    return folder


def losses(mnist: Path, optimizer: str) -> np.ndarray:
    """Training loss (seeds, epochs) of one optimizer in the study that stands for article 3."""
    # six of the study's ten seeds: less to wait for, and the interval is narrow enough
    cells = grid.cells(study.read(ROOT / "studies" / "mnist-momentum.yaml", {"seeds": SEEDS}))
    [cell] = [cell for cell in cells if cell.optimizer.label == optimizer]
    arrays = datasets.load("mnist", mnist)
    steps, [trials] = run.train_cells([cell.spec()], arrays, device.choose("cpu"))
    assert steps == Plan(60_000, 64, {"epochs": 5}, 1.0).evaluations
    return np.array([trial.train_loss for trial in trials])


@pytest.mark.parametrize(
    "optimizer", [pytest.param("sgd", marks=pytest.mark.slow), "momentum"]
)  # ten seconds each
def test_mnist_momentum_agrees_with_the_article(
    mnist: Path, optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every figure of article 3 lies in our 99% prediction interval for one run, a narrow one."""
    monkeypatch.setenv("TRAINSCAPE_CFLAGS", "")  # so many steps repay a better compiled one
    runs = losses(mnist, optimizer)
    n = len(runs)
    mean, spread = runs.mean(0), runs.std(0, ddof=1)
    margin = stats.t.ppf(0.995, n - 1) * spread * np.sqrt(1 + 1 / n)
    article = np.array(MNIST_MOMENTUM[optimizer])
    assert n == SEEDS
    assert (np.abs(article - mean) <= margin).all(), (article, mean, margin)
    assert (spread / mean).max() <= 0.04, "the interval is too wide to fail"


def trained(name: str, **changes: object) -> list[Entry]:
    """The cells of a study on data that needs no download, trained here, by batch size."""
    cells = grid.cells(study.read(ROOT / "studies" / f"{name}.yaml", changes))
    found = []
    for _, pack in groupby(cells, lambda cell: (cell.workload, cell.batch_size)):
        own = list(pack)
        made = datasets.registry.get(workloads.registry.get(own[0].workload).dataset)
        specs = [cell.spec() for cell in own]
        steps, records = run.train_cells(specs, made.make(Raw(Path())), device.choose("cpu"))
        for cell, spec, trials in zip(own, specs, records, strict=True):
            found.append(Entry(cell, CellRecord("0" * 64, "cpu", spec, {}, steps, trials)))
    return found


@pytest.fixture(scope="module")
def descent() -> list[analysis.Row]:
    """The forty rows of article 4, from the cells of the study that stands for it."""
    rows = analysis.records(analysis.decay(analysis.paths(trained("exponential-decay"))))
    return [row for row in rows if row["schedule"] == "exponential"]


def test_exponential_decay_prints_the_articles_rows(descent: list[analysis.Row]) -> None:
    """Rate, loss and w of the steps that article 4 is quoted with, digit for digit."""
    printed = {
        row["step"]: tuple(f"{row[name]:.6g}" for name in ("rate", "loss", "w0")) for row in descent
    }
    assert {step: printed[step] for step in EXPONENTIAL_DECAY} == EXPONENTIAL_DECAY
    assert f"{descent[-1]['w0']:.7f}" == "-0.9957312"


def test_exponential_decay_follows_the_recurrence(descent: list[analysis.Row]) -> None:
    """All forty rows are w ← w − 2 · 0.1 · 0.99^k · (w + 1), as near as float32 can say."""
    assert [row["step"] for row in descent] == list(range(40))
    w = 5.0
    for k, row in enumerate(descent):
        w -= 2 * 0.1 * 0.99**k * (w + 1)
        assert row["rate"] == pytest.approx(0.1 * 0.99 ** (k + 1), rel=1e-12)
        # float32 knows w near −1 to 6e-8, and so w + 1, which the loss squares
        assert row["w0"] == pytest.approx(w, rel=5e-7, abs=2e-7)
        assert row["loss"] == pytest.approx((w + 1) ** 2, rel=4e-7 / (w + 1) + 5e-7)


def test_regression_adam_agrees_with_the_article() -> None:
    """Twenty cells: the best memorises below the noise's variance; batch 256 at 0.0001 is lost."""
    losses = {
        (entry.cell.batch_size, entry.cell.lr): entry.record.trials[0].train_loss[-1]
        for entry in trained("regression-adam", seeds=1)
    }
    assert len(losses) == 20
    assert 0.06 < min(losses.values()) < 0.08 < 1 / 12
    assert losses[256, 0.0001] > 1
    assert losses[256, 0.0001] == max(losses.values())


def moves(optimizer: str, gradients: list[float], lr: float = 0.1) -> list[float]:
    """How far an optimizer with its defaults goes at every step, along the gradient."""
    rule = registry.get(optimizer)()
    w = torch.zeros(1, dtype=torch.float64)
    state, at = rule.init(w), [0.0]
    for step, gradient in enumerate(gradients, 1):
        rate = torch.tensor(lr, dtype=torch.float64)
        rule.update(w, torch.full_like(w, gradient), state, rate, rule.now(step, w))
        at.append(w.item())
    return [before - after for before, after in pairwise(at)]


def test_momentum_makes_the_step_ten_times_as_long() -> None:
    """With γ = 0.9 and a constant gradient the step grows to 10 × lr × gradient, from 1 ×."""
    steps = moves("momentum", [2.0] * 200)
    assert steps[0] == pytest.approx(0.1 * 2)
    assert steps[-1] == pytest.approx(10 * 0.1 * 2, rel=1e-6)
    assert all(later > earlier for earlier, later in pairwise(steps[:100]))


def test_adagrad_lowers_its_rate_at_every_step() -> None:
    """Whatever the gradients, step over gradient only falls; a large one lowers it for good."""
    draw = np.random.default_rng(0)
    gradients = draw.uniform(0.1, 2, 100).tolist()
    rates = [step / g for step, g in zip(moves("adagrad", gradients), gradients, strict=True)]
    assert all(later < earlier for earlier, later in pairwise(rates))
    shocked = moves("adagrad", [100.0] + [1.0] * 50)
    assert max(shocked[1:]) < 0.1 / 100 * 1.001


def test_adagrads_rate_can_fall_too_early() -> None:
    """From one rate, descent reaches the minimum of article 4's function, AdaGrad does not."""
    ends = {
        entry.cell.optimizer.label: entry.record.trials[0].path[-1][0]
        for entry in trained(
            "exponential-decay",
            grid={"optimizer": ["sgd", "adagrad"], "schedule": ["constant"]},
            figures=[],
        )
    }
    assert ends["sgd"] == pytest.approx(-1, abs=0.001)
    assert ends["adagrad"] > 3


def test_adam_has_the_libraries_defaults() -> None:
    """β₁ = 0.9, β₂ = 0.999, ε = 1e-8, as article 3 lists them; their 0.001 is an axis here."""
    defaults = asdict(registry.get("adam")())
    assert [defaults[name] for name in ("beta1", "beta2", "eps")] == [0.9, 0.999, 1e-8]


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_every_study_resolves(path: Path) -> None:
    """Each file is a valid study, named as its file; its cells and figures are known."""
    wanted = study.read(path)
    assert (wanted.name, wanted.output) == (path.stem, f"results-{path.stem}")
    made = Layout(wanted)
    assert made.grid
    assert made.products("figures") or made.products("timings")
