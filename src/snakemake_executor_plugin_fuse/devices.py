"""The GPUs that bundles run on: what each is called, and how much of its memory a bundle may take.

Others may use a GPU, too. So ``nvidia-smi`` is asked once a run, before any bundle starts, how much
memory is free; where it tells nothing, all of it counts as free.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

from snakemake_executor_plugin_fuse import gpus

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARE = "FUSE_GPU_SHARE"  # tells a bundle how much of its GPU's memory it may take, from 0 to 1
QUERY = ("--query-gpu=uuid,memory.total,memory.free", "--format=csv,noheader,nounits")
FREE = 0.8  # of a part of the memory; if less of it is free, a bundle's share is half of the part
LEAST = 1024  # MiB for each bundle; a GPU of which others leave less is not used


class Device(NamedTuple):
    """A GPU or a slice of one (MIG), for bundles.

    Attributes:
        name: what ``CUDA_VISIBLE_DEVICES`` calls it.
        uuid: of a GPU whose driver hides it ``?``.
        model: such as ``NVIDIA H200``.
        share: of its memory, for each of its bundles: a power of two, divided by their number. 0 if
            others leave too little.
    """

    name: str
    uuid: str
    model: str
    share: float


def found(environment: Mapping[str, str], per_gpu: int) -> list[Device]:
    """The GPUs that a process may use, each by a name that is the same in every order of CUDA's.

    A GPU in slices stands for its slices: CUDA shows a process no more than one of them.

    Args:
        environment: the process's.
        per_gpu: bundles that run at the same time on one GPU.
    """
    listed = gpus.named(environment)
    if not listed:
        return []
    memory, every = _memory(), gpus.told_by_nvidia_smi()
    uuids = {gpu.number: gpu.uuid for gpu in every}
    numbered = environment.get(gpus.VARIABLE) is not None and not _in_order(environment)
    made = []
    for name, gpu in listed.items():
        uuid = gpu.uuid if gpu.uuid != gpus.HIDDEN else uuids.get(gpu.number, gpu.uuid)
        slices = [part for part in every if part.whole == uuid]
        if slices:
            made += [Device(part.uuid, part.uuid, part.model, 1 / per_gpu) for part in slices]
            continue
        # CUDA may count otherwise: then it is one of these, whichever
        meant = [*memory.values()] if numbered and name == gpu.number else [memory.get(uuid)]
        share = min((_share(*known, per_gpu) for known in meant if known), default=1 / per_gpu)
        lasting = uuid if gpus.VARIABLE not in environment and uuid != gpus.HIDDEN else name
        made.append(Device(lasting, uuid, gpu.model, share))
    return made


def lost(device: Device) -> bool:
    """Whether ``nvidia-smi`` works and does not list a GPU that was listed before."""
    told = {gpu.uuid for gpu in gpus.told_by_nvidia_smi(again=True)}
    return bool(told) and device.uuid not in {*told, gpus.HIDDEN}


def _in_order(environment: Mapping[str, str]) -> bool:
    """Whether CUDA numbers GPUs as the driver does; by default it begins with the fastest."""
    if environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return True
    return len({gpu.model for gpu in gpus.every()}) < 2


def _share(total: int, free: int, per_gpu: int) -> float:
    """Of a GPU's memory, what each of its bundles may take.

    >>> _share(24000, 23500, 1), _share(24000, 23500, 2), _share(24000, 11000, 2)
    (1.0, 0.5, 0.25)
    >>> _share(24000, 500, 1)  # others leave too little
    0.0
    """
    if free < min(LEAST * per_gpu, FREE * total):
        return 0.0
    part = 1.0
    while free < part * FREE * total:
        part /= 2
    return part / per_gpu


def _memory() -> dict[str, tuple[int, int]]:
    """By UUID a GPU's memory and what is free of it, in MiB; empty if nothing tells."""
    known = {}
    for line in gpus.asked(shutil.which("nvidia-smi"), *QUERY):
        uuid, *numbers = (field.strip() for field in line.split(","))
        if len(numbers) == 2 and all(number.isdecimal() for number in numbers):
            total, free = map(int, numbers)
            known[uuid] = total, free
    return known
