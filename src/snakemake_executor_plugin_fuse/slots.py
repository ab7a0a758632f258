"""What may run at once: one slot for each core, and so many for each GPU."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snakemake_executor_plugin_fuse.packs import Unit


@dataclass(frozen=True)
class Lease:
    """Slots that a process holds.

    Attributes:
        cores: slots of the CPU.
        held: slots by GPU.
        devices: the GPUs that the process may see.
    """

    cores: int
    held: Counter[str]
    devices: tuple[str, ...]


class Slots:
    """The slots that are free.

    A process on GPUs takes a slot of each of its GPUs, any other one slot for each of its threads.
    A job alone that asks for all cores (two at least) gets the whole machine, GPUs included: it
    may be there to measure it.

    Args:
        cores: how many slots the CPU has.
        devices: the GPUs, by name.
        per_gpu: how many slots each GPU has.
    """

    def __init__(self, cores: int, devices: Iterable[str], per_gpu: int) -> None:
        self.cores = cores
        self.gpu = Counter(dict.fromkeys(devices, per_gpu))
        self._free_cores = cores
        self._free_gpu = self.gpu.copy()

    def start(self, queue: list[Unit]) -> Iterator[tuple[Unit, Lease]]:
        """Take units off the queue, in its order, while there are slots for them.

        A unit that must wait keeps the slots it waits for from those behind it.
        """
        waiting: set[str] = set()
        for unit in list(queue):
            pools = self._pools(unit)
            lease = None if pools & waiting else self._take(unit)
            if lease is None:
                waiting |= pools
            else:
                queue.remove(unit)
                yield unit, lease

    def give(self, lease: Lease) -> None:
        """Take back the slots of a process that has ended."""
        self._free_cores += lease.cores
        self._free_gpu += lease.held

    def _whole(self, unit: Unit) -> bool:
        return unit.threads >= max(self.cores, 2)

    def _pools(self, unit: Unit) -> set[str]:
        if self._whole(unit):
            return {"cores", "gpus"}
        return {"gpus"} if unit.gpus else {"cores"}

    def _take(self, unit: Unit) -> Lease | None:
        by_room = sorted(self.gpu, key=lambda device: -self._free_gpu[device])
        devices = tuple(by_room[: unit.gpus])
        if self._whole(unit):
            cores, held = self.cores, self.gpu.copy()
        elif unit.gpus:
            cores, held = 0, Counter(devices)
        else:
            cores, held = unit.threads, Counter()
        if cores > self._free_cores or not held <= self._free_gpu:
            return None
        self._free_cores -= cores
        self._free_gpu -= held
        return Lease(cores, held, devices)
