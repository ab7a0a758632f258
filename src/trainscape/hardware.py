"""The machine in a few words, and a short hash of the parts that decide how fast it trains.

Cheap to import and to call, as every reading of the Snakefile does both: nothing is loaded but the
standard library. Nothing here names the machine, its user or a path.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_fuse.gpus import visible
from trainscape.errors import UserError
from trainscape.hashing import SHORT, sha256

WIDTH = "TRAINSCAPE_WIDTH"
SHARE = "FUSE_GPU_SHARE"  # as the fuse executor calls it

CPUINFO = Path("/proc/cpuinfo")
TOPOLOGY = Path("/sys/devices/system/cpu")
SPEED = ("cpu", "isa", "cores", "physical_cores", "torch")

# The instruction set by the flags that PyTorch's own kernels ask for, the widest first.
INSTRUCTION_SETS = {
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"},
    "avx2": {"avx2", "fma"},
    "sve": {"sve"},
    "neon": {"asimd"},
}


def describe() -> dict[str, Any]:
    """The machine as plain data.

    Returns:
        ``cpu`` (model), ``isa`` (``avx512``, ``avx2``, …), ``cores`` and ``physical_cores`` (those
        this process may use), ``memory_gib``, ``gpu`` (models or None), ``torch`` (public version),
        ``python`` (major.minor).
    """
    first = _first_processor()
    usable = usable_cores()
    return {
        "cpu": _cpu_model(first),
        "isa": _instruction_set(first),
        "cores": len(usable),
        "physical_cores": _physical_cores(usable),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "gpu": gpus(),
        "torch": torch_version(),
        "python": "{}.{}".format(*platform.python_version_tuple()),
    }


def fingerprint(device: str) -> str:
    """12 hex digits over what decides speed: CPU, usable cores, torch, and off the CPU the GPU.

    Args:
        device: the study's: ``auto``, ``cpu`` or ``cuda``.
    """
    found = describe()
    parts = {name: found[name] for name in SPEED}
    return sha256({**parts, "gpu": None if device == "cpu" else found["gpu"]})[:SHORT]


def maker() -> str:
    """Who made the CPU, in a word: ``intel``, ``amd``, …; of any other the kind of machine."""
    named = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
    return named.get(_first_processor().get("vendor_id", ""), platform.machine().lower())


def torch_version() -> str:
    """Torch's public version: which CUDA it was built for does not count."""
    return version("torch").split("+")[0]


def usable_cores() -> list[int]:
    """The numbers of the logical cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _first_processor() -> dict[str, str]:
    """The kernel's entry for the first core; the others' are alike, and there may be hundreds."""
    found: dict[str, str] = {}
    try:
        with CPUINFO.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.strip():
                    break
                key, _, value = line.partition(":")
                found[key.strip()] = value.strip()
    except OSError:
        pass
    return found


def _cpu_model(first: dict[str, str]) -> str:
    if "model name" in first:
        return " ".join(first["model name"].split())
    if "CPU part" in first:  # Arm has numbers for names
        return f"{platform.machine()} {first.get('CPU implementer', '?')}:{first['CPU part']}"
    if platform.system() == "Darwin":
        return _output_of("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _instruction_set(first: dict[str, str]) -> str:
    flags = set(f"{first.get('flags', '')} {first.get('Features', '')}".split())
    if not flags and platform.machine() == "arm64":
        return "neon"
    return next((name for name, needed in INSTRUCTION_SETS.items() if needed <= flags), "default")


def _physical_cores(usable: list[int]) -> int:
    """How many physical cores these logical ones are; as many, where the kernel does not tell."""
    siblings = {_read(TOPOLOGY / f"cpu{i}/topology/thread_siblings_list") for i in usable}
    return len(usable) if None in siblings else len(siblings)


def gpus() -> str | None:
    """The models of the GPUs that this process may use: ``2 × NVIDIA H200``; None without any."""
    counted = sorted(Counter(visible(os.environ).values()).items())
    return ", ".join(f"{n} × {name}" if n > 1 else name for name, n in counted) or None


def asked_width() -> int | None:
    """How many trials a pack shall hold, by ``TRAINSCAPE_WIDTH``; None where it is not set.

    Raises:
        UserError: the variable is no whole number above 0.
    """
    asked = os.environ.get(WIDTH, "")
    if asked and (not asked.isdecimal() or not int(asked)):
        raise UserError(f"{WIDTH}: {asked!r} is no width; choose a whole number above 0")
    return int(asked) if asked else None


def gpu_share() -> float | None:
    """Of its GPU's memory, the part that this process may take; None where nobody shares it out.

    The fuse executor tells it: others may use the GPU, too.
    """
    told = os.environ.get(SHARE, "")
    return float(told) if told else None


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _output_of(*command: str) -> str:
    """What a command prints, or nothing if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
