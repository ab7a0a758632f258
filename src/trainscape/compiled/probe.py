"""The probe: a little C that shows whether what a compiler makes computes what it should.

It is run in a process of its own, which it may crash. When it is run stands in `toolchain.py`.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from trainscape.compiled.libraries import opened
from trainscape.compiled.processes import CompileError, ended, signal_name

if TYPE_CHECKING:
    from pathlib import Path

# Right if the products are rounded where they stand alone, and only there.
PROBE = r"""
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
static float a[64], fused[64], apart[64], root[64];
int probe(void) {
    volatile float near_one = 1.0f + 0x1p-12f, square = 1.0f + 0x1p-11f;
    float c = square;
    for (size_t i = 0; i < 64; i++) a[i] = near_one;
    for (size_t i = 0; i < 64; i++) {
        fused[i] = __builtin_fmaf(a[i], a[i], -c);
        apart[i] = a[i] * a[i] - c;
        root[i] = sqrtf(a[i] * 4.0f);
    }
    for (size_t i = 0; i < 64; i++)
        if (fused[i] != 0x1p-24f || apart[i] != 0.0f || fabsf(root[i] - 2.0f) > 0.001f) return 1;
    return 0;
}
"""
WRONG, NOT_LOADED = 3, 4  # exit codes of the probe's process; Python itself has 1 and 2
RUN = f"""
import ctypes, sys
try:
    library = ctypes.CDLL(sys.argv[1])
except OSError:
    sys.exit({NOT_LOADED})
sys.exit({WRONG} if library.probe() else 0)
"""


def check(name: str, made: Path) -> None:
    """See that the library of :data:`PROBE` computes what it should.

    Args:
        name: of the compiler, for lines.
        made: the library.

    Raises:
        CompileError: it does not, or cannot be loaded.
    """
    command = (sys.executable, "-I", "-S", "-c", RUN, str(made))
    code = 0
    with suppress(OSError):  # no Python there: the first step is to show it
        code, _, _ = ended(f"what {name} compiles", command)
    if code < 0:
        raise CompileError(f"what {name} compiles is killed by {signal_name(-code)}")
    if code == WRONG:
        raise CompileError(f"what {name} compiles does not round each product once")
    if code == NOT_LOADED:
        opened(made)
