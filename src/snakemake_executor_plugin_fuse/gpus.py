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


class Gpu(NamedTuple):
    """A GPU, or a slice of one (MIG).

    Attributes:
        number: its place among the machine's GPUs; empty for a slice.
        uuid: begins with ``GPU-`` or ``MIG-``.
        model: such as ``NVIDIA H200`` or ``NVIDIA A100-SXM4-40GB MIG 1g.5gb``.
    """

    number: str
    uuid: str
    model: str


def visible(environment: Mapping[str, str]) -> dict[str, str]:
    """The GPUs that a process may use, in CUDA's order: the model of each by its name.

    A name is a number or UUID that ``CUDA_VISIBLE_DEVICES`` takes. Numbers follow the PCI bus, as
    CUDA's do where all GPUs are of one model or ``CUDA_DEVICE_ORDER`` is ``PCI_BUS_ID``.

    Args:
        environment: the process's; one without ``CUDA_VISIBLE_DEVICES`` may use every GPU.
    """
    listed = environment.get(VARIABLE)
    if listed is None:
        every = _told_by_driver() or _told_by_nvidia_smi(shutil.which("nvidia-smi"))
        return {gpu.number: gpu.model for gpu in every if gpu.number}
    entries = _entries(listed)
    if not entries:
        return {}
    # the driver's folder has no slices, and may hide UUIDs
    return _named(entries, _told_by_driver()) or _named(
        entries, _told_by_nvidia_smi(shutil.which("nvidia-smi"))
    )


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


def _named(entries: list[str], every: Sequence[Gpu]) -> dict[str, str]:
    """The models of the GPUs that the entries name; a UUID may be cut short while it is unique."""
    found: dict[str, Gpu] = {}
    for entry in entries:
        fitting = [gpu for gpu in every if gpu.number == entry or gpu.uuid.startswith(entry)]
        if len(fitting) != 1:
            break
        found[entry] = fitting[0]
    twice = len(set(found.values())) < len(found)
    return {} if twice else {entry: gpu.model for entry, gpu in found.items()}


def _told_by_driver() -> list[Gpu]:
    """The GPUs that the driver lists; none where there is no driver, or one without this folder."""
    found = []
    for number, file in enumerate(sorted(DRIVER.glob("*/information"))):
        text = ""
        with suppress(OSError):  # the GPU is there all the same
            text = file.read_text(errors="replace")
        fields = dict(re.findall(r"^(.+?):[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE))
        found.append(Gpu(str(number), fields.get("GPU UUID", "?"), fields.get("Model", "GPU")))
    return found


@cache
def _told_by_nvidia_smi(program: str | None) -> list[Gpu]:
    """The GPUs that ``nvidia-smi`` lists; asked once a process, as it may take seconds."""
    if program is None:
        return []
    try:
        told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    found: list[Gpu] = []
    model = ""
    for line in told.stdout.splitlines():
        if whole := WHOLE.match(line):
            model = whole["model"]
            found.append(Gpu(whole["number"], whole["uuid"], model))
        elif part := SLICE.match(line):
            found.append(Gpu("", part["uuid"], f"{model} {part['model']}"))
    return found
