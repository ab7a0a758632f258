"""Trained weights have the same bits on every CPU and by every compiler: those kept in golden.json.

``python tests/engine/test_golden.py`` makes that file again, after a change that is meant to change
last bits.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("golden.json")
TESTS = Path(__file__).parents[1]
# by compiler and instruction set: what the environment of a process says
BUILDS = {
    "AVX2": {"TRAINSCAPE_MARCH": "x86-64-v3"},
    "AVX-512": {"TRAINSCAPE_MARCH": "x86-64-v4"},
    "optimised": {"TRAINSCAPE_CFLAGS": "-O3"},
    "zig": {"TRAINSCAPE_CC": f"{sys.executable} -m ziglang cc", "TRAINSCAPE_CFLAGS": ""},
}
# of the others, in which the other builds are compared: all kinds of products and functions
FEW = ("digits-cnn momentum", "silu lars", "dropout muon", "batch-norm adamw")


def cells() -> list[str]:
    """Every rule on the smallest network, and other networks by two rules."""
    from kit.crowds import WORKLOADS
    from trainscape import optimizers

    rules = sorted(name for name in optimizers.registry.names() if optimizers.registry.ships(name))
    others = [name for name in WORKLOADS if name != "digits-mlp"] + ["cifar10-resnet", "valley"]
    pairs = [f"{name} {rule}" for name in others for rule in ("momentum", "adam")]
    return list(dict.fromkeys([*(f"digits-mlp {rule}" for rule in rules), *pairs, *FEW]))


def bits(cell: str) -> str:
    """A hash of the records and the weights of three trials of a cell."""
    from kit import examples
    from kit.crowds import WORKLOADS
    from kit.examples import task, trained, trial
    from kit.plain_loop import LR
    from trainscape import datasets, workloads
    from trainscape.datasets import Raw

    name, rule = cell.split()
    made = WORKLOADS[name]() if name in WORKLOADS else workloads.registry.get(name)
    if name == "valley":
        arrays = datasets.registry.get("point").make(Raw(Path()))
        of = task(made, arrays, 1, {"steps": 5}, validation=0)
    else:
        size = {"side": 32, "colours": 3} if name == "cifar10-resnet" else {"side": 8}
        of = task(made, examples.images(20, test=6, **size), 8, {"steps": 6}, validation=0.2)
    rate = LR.get(rule, 0.002)
    trials = [trial(rule, rate * (1 + seed), seed) for seed in range(3)]
    found = [asdict(one) for one in trained(trials, of)]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]


def kept() -> dict[str, str]:
    """The hashes by cell."""
    found: dict[str, str] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("cell", sorted(kept()))
def test_a_cell_has_the_bits_that_are_kept(cell: str) -> None:
    """Made by this machine's compiler for this machine."""
    assert bits(cell) == kept()[cell]


def test_every_cell_is_kept() -> None:
    """The file holds all rules and kinds of networks."""
    assert sorted(kept()) == sorted(cells())


@pytest.mark.parametrize("build", BUILDS)
def test_other_builds_have_the_same_bits(build: str) -> None:
    """Narrower vectors, another compiler, other optimisations."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    if build == "AVX-512" and "avx512f" not in flags:
        pytest.skip("this CPU has no AVX-512")
    if build == "zig" and importlib.util.find_spec("ziglang") is None:
        pytest.skip("the package ziglang is not installed")
    script = (
        f"import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / 'engine')!r}]\n"
        f"import json, conftest, test_golden\n"
        f"print(json.dumps({{c: test_golden.bits(c) for c in {FEW!r}}}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **BUILDS[build]},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == {cell: kept()[cell] for cell in FEW}


if __name__ == "__main__":
    sys.path[:0] = [str(TESTS)]
    import conftest  # noqa: F401

    text = json.dumps({cell: bits(cell) for cell in sorted(cells())}, indent=1) + "\n"
    GOLDEN.write_text(text, encoding="utf-8")
