"""The C kernels of compiled steps, compiled for tests by every compiler and target of this machine.

A test module writes C that calls the kernels with constant sizes, and plain loops that they must
equal bit for bit; :func:`built` makes libraries of both.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trainscape.compiled import toolchain
from trainscape.compiled.building import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = NDArray[Any]

ZERO, BIAS, OUTPUT = 0, 1, 2  # `enum from`: what a sum starts from

HEAD = '#include "kernels.h"\n'
PLAIN_HEAD = """\
#include <math.h>
#include <stdint.h>
#define FOR(i, n) for (long i = 0; i < (n); i++)
"""


@dataclass(frozen=True)
class Libraries:
    """Kernels by each compiler and target, by name, and the plain loops by the first of them."""

    made: Mapping[str, ctypes.CDLL]
    plain: ctypes.CDLL


def levels() -> list[str]:
    """The levels of x86-64 above the second that run here."""
    information = Path("/proc/cpuinfo")
    flags = set(information.read_text().split()) if information.exists() else set()
    needed = {"v3": {"avx2", "fma"}, "v4": {"avx2", "fma", "avx512f", "avx512vl", "avx512dq"}}
    return [level for level, of in needed.items() if of <= flags]


def commands() -> dict[str, list[str]]:
    """Every compiler and target whose code can be made and run here."""
    found: dict[str, list[str]] = {}
    runs = levels()
    if compiler := shutil.which("cc"):
        wide = toolchain.WIDE if "v4" in runs else ()
        found |= {f"cc {level}": [compiler, *wide, f"-march=x86-64-{level}"] for level in runs}
        if not runs:
            found["cc"] = [compiler]
    if importlib.util.find_spec("ziglang"):
        zig = [sys.executable, "-m", "ziglang", "cc"]
        found |= {f"zig {level}": [*zig, f"-mcpu=x86_64_{level}"] for level in runs}
    if clang := shutil.which("clang"):
        found |= {f"clang {level}": [clang, f"-march=x86-64-{level}"] for level in runs}
    return found


def built(folder: Path, lines: Sequence[str], plain: str = "") -> Libraries:
    """Libraries of all compilers, which run side by side.

    Args:
        folder: where they are made.
        lines: C; the kernels' header comes before it.
        plain: C without them; the plain loops' head comes before it.
    """
    made = commands()
    if not made:
        pytest.skip("no C compiler here")
    (folder / "kernels.c").write_text("\n".join((HEAD, *lines, "")))
    (folder / "plain.c").write_text(PLAIN_HEAD + plain)
    named = {name: [*of, f"-I{HEADERS}", "kernels.c"] for name, of in made.items()}
    named["plain"] = [*next(iter(made.values())), "plain.c"]
    jobs = {}
    for i, (name, command) in enumerate(named.items()):
        level = ["-O1"] if name == "plain" else []
        command = [*command, *toolchain.FLAGS, *level, "-o", f"{i}.so", "-lm"]
        jobs[name] = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    loaded = {}
    for i, (name, job) in enumerate(jobs.items()):
        _, errors = job.communicate()
        assert job.returncode == 0, f"{name}: {errors}"
        loaded[name] = ctypes.CDLL(str(folder / f"{i}.so"))
    return Libraries(plain=loaded.pop("plain"), made=loaded)


class Window:
    """What slides over images: a dataclass adds the fields of `struct conv` or `struct pool`."""

    ih: int
    iw: int
    kh: int
    kw: int
    sh: int
    sw: int
    ph: int
    pw: int
    dh: int = 1
    dw: int = 1

    @property
    def out(self) -> tuple[int, int]:
        """The rows and columns of outputs."""
        return (
            _out_size(self.ih, self.kh, self.sh, self.ph, self.dh),
            _out_size(self.iw, self.kw, self.sw, self.pw, self.dw),
        )


def call(library: ctypes.CDLL, name: str, *arrays: Array | None) -> None:
    """Calls a function with pointers to the arrays."""
    pointers = [None if a is None else ctypes.c_void_p(a.ctypes.data) for a in arrays]
    getattr(library, name)(*pointers)


def initialiser(values: Sequence[int]) -> str:
    """The initialiser of a struct."""
    return "{" + ", ".join(map(str, values)) + "}"


def _out_size(size: int, window: int, step: int, frame: int, spread: int) -> int:
    """How many places a window of a convolution or pooling has along one axis.

    Args:
        size: of the axis.
        window: how many numbers it holds.
        step: from one place to the next.
        frame: of zeros, at either end.
        spread: from one number in the window to the next.
    """
    return (size + 2 * frame - spread * (window - 1) - 1) // step + 1


def strides(shape: tuple[int, ...]) -> list[int]:
    """Of images, rows and columns in memory of such a shape, which ends in channels."""
    _, rows, columns, channels = shape
    return [rows * columns * channels, columns * channels, channels]


def some(seed: int, *shape: int) -> NDArray[np.float32]:
    """Numbers that round in nearly every sum."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def canaries(*shape: int) -> NDArray[np.float32]:
    """An output before it is made: what no kernel may touch keeps this value."""
    return np.full(shape, -12345.678, np.float32)


def wide(array: Array) -> torch.Tensor:
    """As a tensor of doubles."""
    return torch.from_numpy(np.array(array, np.float64))


def same(found: Array, expected: Array, what: object) -> None:
    """Fails unless all bits agree."""
    assert found.tobytes() == expected.tobytes(), what


def near(found: Array, expected: torch.Tensor | Array) -> None:
    """Fails unless the numbers agree as sums of floats do."""
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-4, atol=1e-4)
