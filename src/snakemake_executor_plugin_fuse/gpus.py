"""The GPUs that a process may use, found without loading a GPU library.

``CUDA_VISIBLE_DEVICES`` is read by the rules of ``torch.cuda.device_count``: the list ends before
its first entry that names no GPU, and a GPU that is named twice makes all of it void.
Importing this module loads the standard library alone.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")  # a folder for each GPU, by its place on the PCI bus
NUMBER = re.compile(r"\+?(\d+)")
# lines of `nvidia-smi -L`
WHOLE = re.compile(r"GPU (?P<number>\d+): (?P<model>.+) \(UUID: (?P<uuid>[^)]+)\)")
SLICE = re.compile(r"\s+(?P<model>MIG \S+)\s+Device\s+\d+: \(UUID: (?P<uuid>[^)]+)\)")
HIDDEN = "?"  # for a UUID that the driver does not tell


class Gpu(NamedTuple):
    """A GPU, or a slice of one (MIG).

    Attributes:
        number: its place among the machine's GPUs; empty for a slice.
        uuid: begins with ``GPU-`` or ``MIG-``.
        model: such as ``NVIDIA H200`` or ``NVIDIA A100-SXM4-40GB MIG 1g.5gb``.
        whole: the UUID of the GPU that it is a slice of.
    """

    number: str
    uuid: str
    model: str
    whole: str = ""


def visible(environment: Mapping[str, str]) -> dict[str, str]:
    """The GPUs that a process may use, in CUDA's order: the model of each by its name.

    A name is a number or UUID that ``CUDA_VISIBLE_DEVICES`` takes. Numbers follow the PCI bus, as
    CUDA's do where all GPUs are of one model or ``CUDA_DEVICE_ORDER`` is ``PCI_BUS_ID``.

    Args:
        environment: the process's; one without ``CUDA_VISIBLE_DEVICES`` may use every GPU.
    """
    return {name: gpu.model for name, gpu in named(environment).items()}


def named(environment: Mapping[str, str]) -> dict[str, Gpu]:
    """The GPUs of :func:`visible` themselves, by name."""
    listed = environment.get(VARIABLE)
    if listed is None:
        return {gpu.number: gpu for gpu in every()}
    entries = _entries(listed)
    if not entries:
        return {}
    # the driver's folder has no slices, and may hide UUIDs
    return _named(entries, _told_by_driver()) or _named(entries, told_by_nvidia_smi())


def every() -> list[Gpu]:
    """The machine's GPUs, slices apart."""
    return [gpu for gpu in _told_by_driver() or told_by_nvidia_smi() if gpu.number]


def _entries(listed: str) -> list[str]:
    """The entries of a list that may name GPUs: those before the first of another kind."""
    parts = [part.strip() for part in listed.split(",")]
    kind = _kind(parts[0])
    if kind is None:
        return []
    entries = list(takewhile(lambda part: _kind(part) == kind, parts))
    if kind == "number":  # what follows the digits does not count
        entries = [str(int(NUMBER.match(entry)[1])) for entry in entries]  # type: ignore[index]
    return entries if len({*entries}) == len(entries) else []


def _kind(entry: str) -> str | None:
    """What an entry names a GPU by: ``number``, ``GPU-`` or ``MIG-``; None if it names none."""
    if NUMBER.match(entry):
        return "number"
    return entry[:4] if entry.startswith(("GPU-", "MIG-")) else None


def _named(entries: list[str], every: Sequence[Gpu]) -> dict[str, Gpu]:
    """The GPUs that the entries name; a UUID may be cut short while it is unique."""
    found: dict[str, Gpu] = {}
    for entry in entries:
        fitting = [gpu for gpu in every if gpu.number == entry or gpu.uuid.startswith(entry)]
        if len(fitting) != 1:
            break
        found[entry] = fitting[0]
    twice = len(set(found.values())) < len(found)
    return {} if twice else found


def _told_by_driver() -> list[Gpu]:
    """The GPUs that the driver lists; none where there is no driver, or one without this folder."""
    found = []
    for number, file in enumerate(sorted(DRIVER.glob("*/information"))):
        text = ""
        with suppress(OSError):  # the GPU is there all the same
            text = file.read_text(errors="replace")
        fields = dict(re.findall(r"^(.+?):[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE))
        found.append(Gpu(str(number), fields.get("GPU UUID", HIDDEN), fields.get("Model", "GPU")))
    return found


def told_by_nvidia_smi(again: bool = False) -> list[Gpu]:
    """The GPUs and slices that ``nvidia-smi`` lists.

    Args:
        again: whether to ask anew; else it is asked once a process, as it may take seconds.
    """
    program = shutil.which("nvidia-smi")
    return _listed.__wrapped__(program) if again else _listed(program)


def asked(program: str | None, *words: str) -> list[str]:
    """The lines that ``nvidia-smi`` answers; none where it is missing, fails or hangs."""
    if program is None:
        return []
    try:
        told = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return told.stdout.splitlines()


@cache
def _listed(program: str | None) -> list[Gpu]:
    found: list[Gpu] = []
    whole = Gpu("", HIDDEN, "")
    for line in asked(program, "-L"):
        if match := WHOLE.match(line):
            whole = Gpu(match["number"], match["uuid"], match["model"])
            found.append(whole)
        elif match := SLICE.match(line):
            model = f"{whole.model} {match['model']}"
            found.append(Gpu("", match["uuid"], model, whole.uuid))
    return found
