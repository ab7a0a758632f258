"""The elementary functions in C: how exact they are, and that nothing but C decides their bits."""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import shutil
import subprocess
import sys
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from scipy import special

import trainscape

if TYPE_CHECKING:
    from collections.abc import Callable

    Numbers = np.ndarray[Any, np.dtype[Any]]
    Function = Callable[..., Numbers]

HEADERS = Path(trainscape.__file__).parent / "compiled" / "c"
FLAGS = (
    *("-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
    *("-fno-sanitize=all", "-Wall", "-Wextra", "-Werror", f"-I{HEADERS}"),
)
INTEL = platform.machine() == "x86_64"
CC = (shutil.which("cc") or "",)
ZIG = (sys.executable, "-m", "ziglang", "cc")
ARM = "qemu-aarch64-static"

# each function's reference in a wider format, and the largest error that is let pass, in ulp
FLOATS: dict[str, tuple[Function, float]] = {
    "exp": (np.exp, 1.0),
    "log": (np.log, 1.0),
    "log1p": (np.log1p, 1.0),
    "expm1": (np.expm1, 1.4),
    "tanh": (np.tanh, 1.4),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), 0.9),
    "erf": (special.erf, 1.2),
    "sin": (np.sin, 0.501),
    "cos": (np.cos, 0.501),
}
DOUBLES: dict[str, tuple[Function, float]] = {
    "exp_d": (np.exp, 1.1),
    "log_d": (np.log, 1.0),
    "tanh_d": (np.tanh, 1.5),
    "sin_d": (np.sin, 1.5),
    "cos_d": (np.cos, 1.5),
}
PAIRS = ("pow", "max", "min")
SPECIAL = (
    *(0.0, 1.0, 0.5, 2.0, 2.5, 3.0, 1e-45, 1e-40, 1.1754944e-38, 1e-30, 1e-8),
    *(88.7, 88.8, 103.9, 150.0, 2.0**24, 2.0**24 + 2, 2.0**127, 3.4028235e38),
    *(float("inf"), float("nan")),
)
EDGES = np.array([*SPECIAL, *(-x for x in SPECIAL)], np.float32)


@cache
def source() -> str:
    """C with each function in a loop of its own, and called one by one through a pointer."""
    lines = ['#include "functions.h"', "#include <stdio.h>"]
    one = [(name, "float") for name in (*FLOATS, "sign")] + [(name, "double") for name in DOUBLES]
    for name, real in one:
        lines += [
            f"void loop_{name}(long n, const {real} *restrict x, {real} *restrict y) {{",
            f"    for (long i = 0; i < n; i++) y[i] = ts_{name}(x[i]); }}",
            f"static {real} call_{name}({real} x) {{ return ts_{name}(x); }}",
            f"void each_{name}(long n, const {real} *x, {real} *y) {{",
            f"    {real} (*volatile call)({real}) = call_{name};",
            "    for (long i = 0; i < n; i++) y[i] = call(x[i]); }",
        ]
    for name in PAIRS:
        lines += [
            f"void loop_{name}(long n, const float *restrict a, const float *restrict b,",
            "    float *restrict y) {",
            f"    for (long i = 0; i < n; i++) y[i] = ts_{name}(a[i], b[i]); }}",
            f"static float call_{name}(float a, float b) {{ return ts_{name}(a, b); }}",
            f"void each_{name}(long n, const float *a, const float *b, float *y) {{",
            f"    float (*volatile call)(float, float) = call_{name};",
            "    for (long i = 0; i < n; i++) y[i] = call(a[i], b[i]); }",
        ]
    return "\n".join([*lines, ""])


def program(singles: int, doubles: int, pairs: int) -> str:
    """C of a program that reads all inputs and writes all results, as :func:`results` orders them.

    Args:
        singles: how many floats there are.
        doubles: how many doubles.
        pairs: how many pairs of floats.
    """
    lines = [
        source(),
        f"static float x[{singles}], y[{singles}], a[{pairs}], b[{pairs}], c[{pairs}];",
        f"static double v[{doubles}], w[{doubles}];",
        "int main(void) {",
        "    if (fread(x, sizeof x, 1, stdin) + fread(v, sizeof v, 1, stdin)",
        "        + fread(a, sizeof a, 1, stdin) + fread(b, sizeof b, 1, stdin) != 4) return 1;",
    ]
    for name in (*FLOATS, "sign"):
        lines.append(f"    loop_{name}({singles}, x, y); fwrite(y, sizeof y, 1, stdout);")
    for name in DOUBLES:
        lines.append(f"    loop_{name}({doubles}, v, w); fwrite(w, sizeof w, 1, stdout);")
    for name in PAIRS:
        lines.append(f"    loop_{name}({pairs}, a, b, c); fwrite(c, sizeof c, 1, stdout);")
    return "\n".join([*lines, "    return 0; }", ""])


def built(text: str, compiler: tuple[str, ...], *flags: str) -> Path:
    """The file that a compiler makes of C."""
    folder = Path(mkdtemp(prefix="functions-"))
    (folder / "functions.c").write_text(text)
    command = [*compiler, *FLAGS, *flags, str(folder / "functions.c"), "-o", str(folder / "made")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "made"


@cache
def library(compiler: tuple[str, ...], march: str) -> ctypes.CDLL:
    """The loops and the single calls as a library, or a skipped test where there can be none."""
    if not compiler[0]:
        pytest.skip("no C compiler: no cc on the path")
    if compiler is ZIG and not importlib.util.find_spec("ziglang"):
        pytest.skip("ziglang is not installed")
    if march != "native" and not INTEL:
        pytest.skip("these are instruction sets of x86-64")
    if march == "x86-64-v4" and torch.backends.cpu.get_cpu_capability() != "AVX512":
        pytest.skip("this processor has no AVX-512")
    if compiler is ZIG:
        march = march.replace("-", "_")
    made = built(source(), compiler, f"-march={march}", "-shared", "-fPIC")
    loaded = ctypes.CDLL(str(made))
    shutil.rmtree(made.parent)
    return loaded


def native() -> ctypes.CDLL:
    """The library of this machine's own compiler and instructions."""
    return library(CC, "native")


def call(loaded: ctypes.CDLL, name: str, *inputs: Numbers) -> Numbers:
    """What a function of a library gives for arrays."""
    kept = [np.ascontiguousarray(x) for x in inputs]
    y = np.empty_like(kept[0])
    pointers = [ctypes.c_void_p(x.ctypes.data) for x in (*kept, y)]
    getattr(loaded, name)(ctypes.c_long(y.size), *pointers)
    return y


def results(loaded: ctypes.CDLL, form: str = "loop") -> bytes:
    """The bits of all functions on all inputs."""
    x, v, a, b = inputs()
    made = [call(loaded, f"{form}_{name}", x) for name in (*FLOATS, "sign")]
    made += [call(loaded, f"{form}_{name}", v) for name in DOUBLES]
    made += [call(loaded, f"{form}_{name}", a, b) for name in PAIRS]
    return b"".join(y.tobytes() for y in made)


@cache
def inputs() -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Floats, doubles and pairs of floats: of all sizes, of common sizes, and the edges.

    The counts are odd: a loop's last, incomplete vectors are part of what is compared.
    """
    draw = np.random.default_rng(0)
    bits = draw.integers(0, 2**32, 100_000, dtype=np.uint32).view(np.float32)
    common = [draw.uniform(-size, size, 60_000) for size in (1, 3, 20, 105, 1e4)]
    floats = np.concatenate([bits, *common, EDGES, [1.0]], dtype=np.float32, casting="same_kind")
    wide = [draw.uniform(-size, size, 30_000) for size in (1, 20, 745, 1e6)]
    doubles = np.concatenate([*wide, np.exp(draw.uniform(-700, 700, 30_000)), EDGES, [5e-324]])
    a = np.exp(draw.uniform(-20, 20, 60_000)) * draw.choice([-1, 1, 1], 60_000)
    b = draw.uniform(-12, 12, 60_000)
    b[::2] = np.round(b[::2])
    edges = np.array([*product(EDGES, EDGES), (1, 1)], np.float32)
    first = np.concatenate([a, edges[:, 0]], dtype=np.float32, casting="same_kind")
    second = np.concatenate([b, edges[:, 1]], dtype=np.float32, casting="same_kind")
    return floats, doubles, first, second


def ulps(y: Numbers, reference: Numbers) -> Numbers:
    """How far results are from a wider reference, in units of their last place.

    Infinities and NaN count as right only where the rounded reference has them.
    """
    with np.errstate(all="ignore"):
        rounded, limits = reference.astype(y.dtype), np.finfo(y.dtype)
        exponent = np.maximum(np.frexp(np.abs(reference))[1] - 1, limits.minexp)
        unit = np.ldexp(np.ones_like(reference), exponent + limits.machep)
        error = np.abs(y.astype(reference.dtype) - reference) / unit
        apart = ~(np.isfinite(rounded) & np.isfinite(y))
        same = (rounded == y) | (np.isnan(rounded) & np.isnan(y))
    return np.where(apart, np.where(same, 0, np.inf), error)


@pytest.mark.parametrize("name", FLOATS)
def test_floats_are_within_their_error(name: str) -> None:
    """Against double, over all floats' range; a result below the normal ones counts as well."""
    (reference, most), x = FLOATS[name], inputs()[0]
    with np.errstate(all="ignore"):
        expected = reference(x.astype(np.float64))
    error = ulps(call(native(), f"loop_{name}", x), expected)
    assert error.max() <= most, f"{name}({x[error.argmax()]!r}) errs by {error.max()} ulp"


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="no format wider than double")
@pytest.mark.parametrize("name", DOUBLES)
def test_doubles_are_within_their_error(name: str) -> None:
    """Against long double; sines up to 2^48, as they say."""
    (reference, most), x = DOUBLES[name], inputs()[1]
    if name in ("sin_d", "cos_d"):
        x = x[~(np.abs(x) > 2.0**48) | np.isinf(x)]
    with np.errstate(all="ignore"):
        expected = reference(x.astype(np.longdouble))
    error = ulps(call(native(), f"loop_{name}", x), expected)
    assert error.max() <= most, f"{name}({x[error.argmax()]!r}) errs by {error.max()} ulp"


def test_powers_are_the_rounded_ones() -> None:
    """Against double, with every pair of edges: signs, zeros, whole exponents, infinities, NaN."""
    _, _, a, b = inputs()
    with np.errstate(all="ignore"):
        expected = np.power(a.astype(np.float64), b.astype(np.float64))
    y = call(native(), "loop_pow", a, b)
    error = ulps(y, expected)
    i = error.argmax()
    assert error.max() <= 0.501, f"pow({a[i]!r}, {b[i]!r}) is {y[i]!r}, not {expected[i]!r}"
    number = ~np.isnan(expected)
    assert np.array_equal(np.signbit(y[number]), np.signbit(expected[number]))


@pytest.mark.parametrize("name", (*FLOATS, "sign"))
def test_the_edges_are_those_of_torch(name: str) -> None:
    """Zeros keep torch's sign; infinities and NaN come where torch has them."""
    y, x = call(native(), f"loop_{name}", EDGES), torch.from_numpy(EDGES)
    expected = getattr(torch, name)(x.double()).float().numpy()  # its floats lose subnormal numbers
    apart = ~np.isfinite(expected) | (expected == 0)
    assert np.array_equal(y[apart], expected[apart], equal_nan=True)
    assert np.array_equal(np.isfinite(y), np.isfinite(expected))
    signed = ~np.isnan(expected)
    assert np.array_equal(np.signbit(y[signed]), np.signbit(expected[signed]))


@pytest.mark.parametrize(("name", "torchs"), [("max", "maximum"), ("min", "minimum")])
def test_the_larger_and_the_smaller_are_those_of_torch(name: str, torchs: str) -> None:
    """NaN wins from either side; of equal zeros it is the first."""
    _, _, a, b = inputs()
    expected = getattr(torch, torchs)(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    y = call(native(), f"loop_{name}", a, b)
    assert np.array_equal(y, expected, equal_nan=True)
    zeros = np.array([0.0, -0.0], np.float32)
    assert np.array_equal(np.signbit(call(native(), f"loop_{name}", zeros, -zeros)), [False, True])


@pytest.mark.parametrize("name", (*FLOATS, "pow"))
def test_there_is_one_nan(name: str) -> None:
    """Machines differ in the sign of the NaN they make, so none of those gets out."""
    _, _, a, b = inputs()
    y = call(native(), f"loop_{name}", *((a, b) if name == "pow" else (EDGES,)))
    assert set(y[np.isnan(y)].view(np.uint32)) == {0x7FC00000}


def test_a_loop_gives_the_bits_of_single_calls() -> None:
    """Whether a number is computed alone or in a vector does not show."""
    assert results(native()) == results(native(), "each")


@pytest.mark.parametrize("march", ["x86-64-v3", "x86-64-v4"])
@pytest.mark.parametrize("compiler", [CC, ZIG], ids=["cc", "zig"])
def test_compilers_and_instruction_sets_agree(compiler: tuple[str, ...], march: str) -> None:
    """AVX2 and AVX-512, by gcc and by clang, give equal bits for all inputs."""
    assert results(library(compiler, march)) == results(native())


def test_arm_agrees() -> None:
    """So do the instructions of ARM64, which an emulator runs."""
    if not importlib.util.find_spec("ziglang"):
        pytest.skip("ziglang is not installed")
    if not shutil.which(ARM):
        pytest.skip(f"{ARM} is not installed")
    expected, (x, v, a, b) = results(native()), inputs()
    made = built(
        program(x.size, v.size, a.size), ZIG, *("-target", "aarch64-linux-musl"), "-static"
    )
    fed = b"".join(part.tobytes() for part in (x, v, a, b))
    done = subprocess.run([ARM, str(made)], input=fed, capture_output=True, check=True)
    shutil.rmtree(made.parent)
    assert done.stdout == expected
