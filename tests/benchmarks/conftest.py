"""What the benchmarks measure: the throughput stage's request, or else params.yaml."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from trainscape import datasets, hardware, study, workloads
from trainscape.cells import grid, plugins
from trainscape.throughput import request as _request


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of every measurement."""
    if "wanted" in metafunc.fixturenames:
        asked = _asked(metafunc.config.rootpath)
        metafunc.parametrize("wanted", asked.measurements, ids=str)


def pytest_runtest_logstart(nodeid: str) -> None:
    """Say which measurement begins, to the process that asked for it."""
    if _request.VARIABLE in os.environ:
        print(f"\n{_request.BEGUN} {nodeid}", flush=True)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say that a measurement is skipped, so that none can be missing unsaid."""
    if report.skipped and _request.VARIABLE in os.environ:
        print(f"\n{_request.SKIPPED} {report.nodeid}", flush=True)


def pytest_benchmark_generate_machine_info() -> dict[str, Any]:
    """The machine in our words: pytest-benchmark's own take seconds, and hold the host's name."""
    return hardware.describe()


def pytest_benchmark_generate_commit_info() -> dict[str, Any]:
    """No commit: a record is named after the source that made it."""
    return {}


@pytest.fixture(scope="session")
def asked(pytestconfig: pytest.Config) -> _request.Request:
    """Everything that is to be measured, with its data in place."""
    found = _asked(pytestconfig.rootpath)
    if _request.VARIABLE not in os.environ:  # else the data stage has made them
        folder = Path(found.data)
        for name in {workloads.registry.get(one.workload).dataset for one in found.measurements}:
            datasets.prepare(name, folder, folder / "raw")
    return found


@cache
def _asked(root: Path) -> _request.Request:
    file = os.environ.get(_request.VARIABLE)
    if not file:
        params = study.read(root / "params.yaml")
        return _request.request(params, grid.cells(params), root / "data")
    found = _request.read(Path(file))
    plugins.load(found.plugins)
    return found
