"""What starts the suite's test: the study, its measurements, a quiet machine, progress.

It reads neither clock nor memory, so that a record's name does not depend on it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from trainscape import hardware, study
from trainscape.cells import grid
from trainscape.errors import UserError
from trainscape.files import write_json
from trainscape.throughput.alone import Clock, alone, say, share
from trainscape.throughput.identity import digest, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from trainscape.study import Study
    from trainscape.throughput.identity import Measurement
    from trainscape.throughput.suite.passes import Series

# Snakemake sets these to the threads of a rule, and a study's own jobs need the last two. A
# practitioner's loop has torch's defaults.
CLEARED = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_CBWR",
    "CUBLAS_WORKSPACE_CONFIG",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The study to measure."""
    text = "parameter file, or a study as JSON (default: params.yaml)"
    parser.addoption("--study", default="params.yaml", metavar="FILE", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Read the study; give torch, which is imported later, its own settings."""
    for name in CLEARED:
        os.environ.pop(name, None)
    os.environ["KINETO_LOG_LEVEL"] = "99"  # the profiler tells of each start and stop
    given = config.getoption("study")
    try:
        measured = (
            study.parse(json.loads(given), "study")
            if given.startswith("{")
            else study.read(Path(given))
        )
        config.pluginmanager.register(Run(measured), Run.__name__)
    except UserError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.fixture(scope="session", name="study")
def study_of_run(pytestconfig: pytest.Config) -> Study:
    """The study that is measured."""
    return _run(pytestconfig).study


@pytest.fixture(scope="session")
def rows(pytestconfig: pytest.Config) -> list[dict[str, Any]]:
    """The record's rows so far, for each measurement to append its own."""
    return _run(pytestconfig).rows


@pytest.fixture(scope="session")
def chosen(request: pytest.FixtureRequest) -> list[Measurement]:
    """What is measured: all that is wanted, or by hand what ``-k`` leaves of it."""
    tests = (item for item in request.session.items if isinstance(item, pytest.Function))
    return [cast("Measurement", test.callspec.params["wanted"]) for test in tests]


@pytest.fixture(scope="session")
def progress(pytestconfig: pytest.Config) -> Progress:
    """What tells how far the run is."""
    return _run(pytestconfig).progress


@pytest.fixture(scope="session")
def others() -> Callable[[], float]:
    """What others use: each call gives their share of the cores, 0 to 1, since the one before."""
    last = Clock.now()

    def used() -> float:
        nonlocal last
        start, last = last, Clock.now()
        return share(start, last)

    return used


def _run(config: pytest.Config) -> Run:
    found = config.pluginmanager.get_plugin(Run.__name__)
    assert isinstance(found, Run)
    return found


class Run:
    """One run of the suite: a plugin of pytest, since its hooks share what they learn.

    Args:
        measured: the study.
    """

    def __init__(self, measured: Study) -> None:
        cells = grid.cells(measured)
        self.study = measured
        self.wanted = wanted(cells)
        self.digest = digest(measured, cells)
        self.progress = Progress(len(self.wanted))
        self.rows: list[dict[str, Any]] = []
        self.load: dict[str, Any] = {}
        self.failure = ""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test of every measurement."""
        metafunc.parametrize("wanted", self.wanted, ids=str)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Measure with the machine to itself."""
        if session.config.option.collectonly:
            return (yield)
        with alone() as self.load:
            return (yield)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No dot for a measurement that went well: it has a line."""
        quiet = report.when == "call" and not report.failed
        return (report.outcome, "", "") if quiet else None

    def pytest_exception_interact(self, call: pytest.CallInfo[Any]) -> None:
        """Keep why a measurement fails."""
        error = call.excinfo.value if call.excinfo else None
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        self.failure = f"{self.progress.name or 'the suite'} failed: {kind}{error}"

    def pytest_unconfigure(self) -> None:
        """Say why a measurement failed, last of all: pytest's own line is cut to 80 characters."""
        if self.failure:
            say(self.failure)

    def pytest_benchmark_generate_machine_info(self) -> dict[str, Any]:
        """The machine in our words: pytest-benchmark's own take seconds, and hold its name."""
        import torch

        from trainscape.throughput.suite.loop import device_of

        used = {"device": device_of(self.study.device).type, "threads": torch.get_num_threads()}
        return {**hardware.describe(), **used}

    def pytest_benchmark_generate_commit_info(self) -> dict[str, Any]:
        """No commit: a record is named after the source that made it."""
        return {}

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Add what a record holds besides the machine."""
        output_json.update(digest=self.digest, load=self.load, rows=self.rows)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Where nothing fits the memory pytest-benchmark writes no file, but there is a record."""
        file = session.config.getoption("benchmark_json")
        if file and not any(row["blocks"] for row in self.rows):
            made = {"machine_info": self.pytest_benchmark_generate_machine_info()}
            self.pytest_benchmark_update_json(made)
            write_json(file, made)


class Progress:
    """Lines on stderr: what is being prepared, and after a pass how many step times are known.

    Args:
        total: how many there will be.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.name = ""  # of the measurement in hand
        self.done = 0  # of those that were measured before

    def begin(self, name: str) -> None:
        """Say that the measurement ``name`` is prepared."""
        self.name = name
        say(f"preparing {name}")

    def passed(self, every: Sequence[Series], passes: int) -> None:
        """Say how many of ``every`` that are measured together are known, and the time left."""
        known = self.done + sum(one.known for one in every)
        left = sum(one.ahead for one in every)
        after = f", about {max(1, round(left))} s left" if left else ""
        say(f"pass {passes}, {known} of {self.total} known{after}")
        if not left:
            self.done = known
