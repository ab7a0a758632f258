"""What the articles print, held against our own runs on real data."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from trainscape import datasets, grid, study
from trainscape.budget import Plan

ROOT = Path(__file__).resolve().parent.parent
# Article 3, mean of the batch losses of each epoch, one run each.
MNIST_MOMENTUM = {
    "momentum": [0.369134, 0.176699, 0.125531, 0.100507, 0.083820],
    "sgd": [0.735494, 0.364616, 0.318786, 0.290835, 0.268683],
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
    from trainscape.engine import device, run

    cells = grid.cells(study.read(ROOT / "studies" / "mnist-momentum.yaml"))
    [cell] = [cell for cell in cells if cell.optimizer.label == optimizer]
    arrays = datasets.load("mnist", mnist)
    steps, [trials] = run.train_cells([cell.spec()], arrays, device.choose("cpu"))
    assert steps == Plan(60_000, 64, {"epochs": 5}, 1.0).evaluations
    return np.array([trial.train_loss for trial in trials])


@pytest.mark.parametrize("optimizer", MNIST_MOMENTUM)
def test_mnist_momentum_agrees_with_the_article(mnist: Path, optimizer: str) -> None:
    """Every figure of article 3 lies in our 99% prediction interval for one run, a narrow one."""
    runs = losses(mnist, optimizer)
    n = len(runs)
    mean, spread = runs.mean(0), runs.std(0, ddof=1)
    margin = stats.t.ppf(0.995, n - 1) * spread * np.sqrt(1 + 1 / n)
    article = np.array(MNIST_MOMENTUM[optimizer])
    assert n == 10
    assert (np.abs(article - mean) <= margin).all(), (article, mean, margin)
    assert (spread / mean).max() <= 0.04, "the interval is too wide to fail"
