"""The short form: thirty studies, and bounds as wide as thirty studies need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from calibration import best
from calibration.__main__ import calibrate, families
from calibration.page import write
from calibration.rows import Row, quantile, share
from calibration.truth import deconvolved, load, world
from trainscape.statistics.intervals import over_seeds

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.statistics.scores import Scale

STUDIES = 30
ERRORS = 4.0  # standard errors by which bounds are wider than in the long form


def generator(name: str) -> np.random.Generator:
    """Random numbers by name."""
    return np.random.Generator(np.random.PCG64(list(name.encode())))


def lost(rows: list[Row]) -> list[str]:
    """The claims that do not hold, with what was found."""
    return [f"{row.name}: {row.shown}, not {row.target}" for row in rows if not row.met(ERRORS)]


@pytest.mark.parametrize("name", families())
def test_claims_hold(name: str) -> None:
    """In simulated studies each family's claims are right about as often as they say."""
    _, rows = calibrate(name, STUDIES)
    assert any(row.target for row in rows)
    assert not lost(rows)


def test_wrong_intervals_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short form fails where intervals have half their width."""

    def narrow(
        values: best.Floats, scale: Scale, among: int = 1
    ) -> tuple[best.Floats, best.Floats]:
        low, high = over_seeds(values, scale, among=among)
        middle, quarter = (low + high) / 2, (high - low) / 4
        return middle - quarter, middle + quarter

    monkeypatch.setattr(best, "over_seeds", narrow)
    assert any("interval of any finalist" in name for name in lost(calibrate("best", STUDIES)[1]))


def test_a_rows_bounds() -> None:
    """Within the bounds a claim is met; outside by so many errors where these are allowed."""
    row = share("covers", [True] * 90 + [False] * 10, 0.93, 0.97)
    assert not row.met()
    assert row.met(2)
    assert (row.shown, row.target) == ("90.0%", "93.0% to 97.0%")
    assert not share("covers", np.ones(1000), 0.93, 0.97).met(3)
    assert quantile("lag", [0.001, 0.03], 1.0, high=0.02, unit="points").shown == "3.00 points"
    assert quantile("size", [1, 2, 9]).met()


def test_the_page_has_every_row_and_says_what_is_not_met(tmp_path: Path) -> None:
    """A table a family, a picture of its shares, and "not met" in words."""
    rows = [share("covers <all>", [1, 1, 0, 0], 0.9, noise=2.0), quantile("size", [3.0])]
    page, drawn = write({"Some family": rows}, 4, tmp_path)
    text = page.read_text()
    assert "| covers <all> | × 2 | 50.0% | at least 90.0% | **not met** |" in text
    assert "| size |  | 3 |  |  |" in text
    assert f"]({drawn.name})" in text
    assert "covers &lt;all&gt; (noise × 2)</text>" in drawn.read_text()


def test_true_accuracies_are_those_of_many_trials() -> None:
    """What a world says of its mean accuracies agrees with four thousand seeds."""
    drawn = world(1.0, generator("world"))
    cells = np.arange(0, len(load().lr), 60)
    trials = drawn.trials(4000, generator("trials"), cells)
    for split, found in trials.items():
        error = found.std(1) / np.sqrt(4000)
        apart = np.abs(found.mean(1) - drawn.accuracy(split)[cells])
        assert (apart < 5 * error + 1e-6).all()


def test_deconvolution_takes_the_noise_out() -> None:
    """Means that are noise alone come together; means with little noise stay."""
    draw = generator("means")
    noise = draw.normal(0, 1.0, 300)
    middle, _ = deconvolved(noise, np.ones(300))
    assert middle.std() < 0.4
    far = np.arange(20.0)
    middle, doubt = deconvolved(far, np.full(20, 0.1))
    np.testing.assert_allclose(middle, far, atol=0.2)
    assert doubt.max() < 0.2
