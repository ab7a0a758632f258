"""The logger plugin: the time that is left."""

from __future__ import annotations

import pytest

from snakemake_logger_plugin_trainscape.pace import Pace


def test_time_left_is_right_for_jobs_side_by_side() -> None:
    """With equal jobs on two cores, time left is exact from the first that finishes."""
    pace = Pace(cores=2)
    pace.start(1, 0)
    pace.start(2, 0)
    assert pace.left(10, 5) is None
    pace.finish(1, 10)
    pace.start(3, 10)
    pace.finish(2, 10)
    pace.start(4, 10)
    assert pace.left(8, 10) == pytest.approx(40)
    assert pace.left(8, 15) == pytest.approx(35)
    assert pace.left(0, 15) == 0


def test_time_left_follows_a_change_of_speed() -> None:
    """Only recent jobs count: after slow cells, fast ones are soon expected to go on fast."""
    pace = Pace(cores=1)
    now = 0.0
    for number in range(60):
        pace.start(number, now)
        now += 100 if number < 30 else 1
        pace.finish(number, now)
    assert pace.left(10, now) == pytest.approx(10)


def test_time_left_goes_by_the_rate_when_more_jobs_are_handed_over_than_cores() -> None:
    """Of 90 jobs that run together 30 have ended after a minute: two minutes are left."""
    pace = Pace(cores=2)
    for number in range(90):
        pace.start(number, 0)
    for number in range(4):
        pace.finish(number, 60)
    assert pace.left(86, 60) is None, "too few: those that run with them may end a moment later"
    for number in range(4, 30):
        pace.finish(number, 60)
    assert pace.left(60, 60) == pytest.approx(120)
    assert pace.left(60, 90) == pytest.approx(90)
    assert pace.left(60, 1e6) > 0  # type: ignore[operator]


def test_jobs_that_fail_or_come_back_at_once_count_rightly() -> None:
    """A failed job leaves no duration; restored cells, done in no time, bring the end nearer."""
    pace = Pace(cores=1)
    pace.start(1, 0)
    pace.drop(1)
    pace.start(2, 50)
    pace.finish(2, 60)
    assert pace.left(1, 60) == pytest.approx(10)
    pace.start(3, 60)
    pace.finish(3, 60)
    assert pace.left(1, 60) == pytest.approx(5)
