"""The benchmarks in a size of seconds: their form, never their times."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks import checkpoint, jax_peer, rates, sizes
from benchmarks.__main__ import main
from kit.cores import one_core as one_core  # a fixture, once it is here

ROOT = Path(__file__).resolve().parents[2]
MACHINE = {"cpu", "isa", "cores", "physical_cores", "memory_gib", "gpu", "torch", "python", "load"}


def run(*words: str, **env: str) -> str:
    """Run a module of the benchmarks as `make` does; all it says."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "MKL_"))}
    paths = f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": paths, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def quick(name: str, out: Path) -> dict[str, Any]:
    """What a benchmark in its quick size writes; its page must have a table and its warning."""
    assert main([name, "--quick", "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {f"{name}.json", f"{name}.md"}
    page = (out / f"{name}.md").read_text(encoding="utf-8")
    assert "Quick sizes: these numbers are worth nothing." in page
    refused = partial(pytest.fail, "JSON that is not strict: ")
    found: dict[str, Any] = json.loads(
        (out / f"{name}.json").read_text(encoding="utf-8"), parse_constant=refused
    )
    assert found["benchmark"] == name
    assert found["sizes"] == "quick"
    assert set(found["machine"]) == MACHINE
    assert found["rows"] == [] or "| --- |" in page
    assert str(ROOT) not in page + json.dumps(found)
    return found


def test_every_case_of_the_engine_has_a_width() -> None:
    """In either size; else there is nothing to compare with."""
    for size, cases in ((sizes.FULL, rates.FULL), (sizes.QUICK, rates.QUICK)):
        assert all(case.widest >= min(size.widths) for case in cases)


def test_checkpoints_are_written_and_brought_back() -> None:
    """The costs of two trials are said in a line."""
    words = r"2 trials of digits-mlp: \d+ ms to write, \d+ ms to bring back, 0\.1 MB"
    assert re.fullmatch(words, checkpoint.row("digits-mlp", 2))


@pytest.mark.dag
@pytest.mark.usefixtures("one_core")
def test_grid(tmp_path: Path) -> None:
    """Every way gives seconds and a ratio to ours, and all do the same work."""
    found = quick("grid", tmp_path)
    ways = [row["way"] for row in found["rows"]]
    assert ways[0] == "ours: training, compiled beforehand"
    assert len(ways) == len(set(ways)) == (7 if jax_peer.missing() else 8)
    for row in found["rows"]:
        assert row["how"] in ("measured", "extrapolated") or row["how"].startswith("skipped")
        if not row["how"].startswith("skipped"):
            assert row["seconds"] > 0
            assert row["ratio"] > 0
            assert row["sample"]
    agreement = found["agreement"]
    assert agreement["agree"] == agreement["trials"] == 4, agreement
    assert 0 < agreement["largest_difference"] < agreement["tolerance"]
    rival = [row for row in found["rows"] if row["way"].startswith("JAX")]
    if jax_peer.missing():
        assert [row["how"] for row in rival] == [f"skipped: {jax_peer.MISSING}"]
    else:
        assert rival[0]["seconds"] < rival[1]["seconds"]  # which has its compile time
        agreement = found["agreement_jax"]
        assert agreement["agree"] == agreement["trials"] == 4, agreement


def test_mnist_is_skipped_without_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the files the result says so, and nothing fails."""
    monkeypatch.setenv("TRAINSCAPE_RAW", "")
    found = quick("mnist", tmp_path)
    assert "TRAINSCAPE_RAW" in found["skipped"]


def test_engine(tmp_path: Path) -> None:
    """Every pack stands beside the eager loop and below no floor's ceiling."""
    found = quick("engine", tmp_path)
    assert {row["width"] for row in found["rows"]} == {2, 8}
    assert all(rate > 0 for rate in found["ceilings"]["flop_per_s"].values())
    assert all(rate > 0 for rate in found["ceilings"]["copied_bytes_per_s"].values())
    for row in found["rows"]:
        assert row["ratio"] == pytest.approx(row["rate"] / row["eager_rate"])
        floors = row["arithmetic_floor_s"], row["memory_floor_s"]
        assert row["floor_s"] == max(floors)
        assert min(floors) > 0
        assert row["percent"] > 0
    if jax_peer.missing():
        assert jax_peer.MISSING in found["notes"]
        assert found["jax"] == []
        return
    assert len(found["jax"]) == 2
    for row in found["jax"]:
        assert row["agrees"], row
        assert row["ratio"] == pytest.approx(row["rate"] / row["jax_rate"])
        assert min(row["percent"], row["jax_percent"], row["compile_s"]) > 0
        raced = {name: way["raced_rate"] for name, way in row["ways"].items()}
        assert row["way"] == max(raced, key=lambda name: raced[name])


@pytest.mark.slow  # minutes of Snakemake runs, whose parts other tests run one by one
@pytest.mark.dag
def test_orchestration(tmp_path: Path) -> None:
    """Both executors, the dry run and the finished study are timed."""
    found = quick("orchestration", tmp_path)
    keys = [row["key"] for row in found["rows"]]
    assert keys == [
        *("toy_fuse", "toy_local", "toy_dry_run"),
        *("aggregates", "nothing_to_do", "dry_run", "parse", "dvc_status"),
    ]
    assert all(0 < row["min_s"] <= row["median_s"] for row in found["rows"])


@pytest.mark.slow  # minutes of Snakemake runs, whose parts other tests run one by one
@pytest.mark.dag
def test_increment(tmp_path: Path) -> None:
    """A rate more trains its own cells alone."""
    found = quick("increment", tmp_path)
    assert [row["cells"] for row in found["rows"]] == [4, 4, 0]
    assert found["shares"]["cells"] == 1
    assert all(share > 0 for share in found["shares"].values())


@pytest.mark.browser
def test_page(tmp_path: Path) -> None:
    """A page is opened, weighed and used."""
    found = quick("page", tmp_path)
    if "skipped" in found:
        pytest.skip(found["skipped"])
    (row,) = found["rows"]
    assert row["cells"] == 96
    assert all(row[key] > 0 for key in ("megabytes", "ready_s", "chart_s", "sort_s", "filter_s"))
    assert set(found["bytes"]["made up"]) == {"data", "Vega", "figures"}


def test_gpu_evidence_without_a_gpu_writes_nothing(tmp_path: Path) -> None:
    """It runs through on a CPU, says that nothing was measured, and leaves no file."""
    words = ("benchmarks.gpu_evidence", "--out", str(tmp_path))
    said = run(*words, CUDA_VISIBLE_DEVICES="")
    assert said.count("no CUDA device: nothing was measured on a GPU") == 2
    assert "failed:" not in said
    assert "DOES NOT HOLD" not in said
    assert not list(tmp_path.iterdir())
