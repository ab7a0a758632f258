"""What may run at the same time: one slot for each core, and some for each GPU."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snakemake_executor_plugin_fuse.bundles import Bundle


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

    A process on GPUs takes a slot of each of its GPUs. Any other takes a slot for each of its
    threads. A job without a key that asks for all cores, and for two at least, gets the whole
    machine, GPUs included: it may be there to measure it.

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

    def start(self, queue: list[Bundle]) -> Iterator[tuple[Bundle, Lease]]:
        """Take bundles off the queue, in its order, while there are slots for them.

        A bundle that has to wait keeps those behind it from the slots it waits for.
        """
        waited_for: set[str] = set()
        for bundle in list(queue):
            kinds = self._kinds_of_slots(bundle)
            lease = None if kinds & waited_for else self._take(bundle)
            if lease is None:
                waited_for |= kinds
            else:
                queue.remove(bundle)
                yield bundle, lease

    def give_back(self, lease: Lease) -> None:
        """Free the slots of a process that has ended."""
        self._free_cores += lease.cores
        self._free_gpu += lease.held

    def _needs_the_machine(self, bundle: Bundle) -> bool:
        return bundle.threads >= max(self.cores, 2)

    def _kinds_of_slots(self, bundle: Bundle) -> set[str]:
        if self._needs_the_machine(bundle):
            return {"cores", "gpus"}
        return {"gpus"} if bundle.gpus else {"cores"}

    def _take(self, bundle: Bundle) -> Lease | None:
        """The slots for a bundle, or None while they are not free."""
        freest_first = sorted(self.gpu, key=lambda device: -self._free_gpu[device])
        devices = tuple(freest_first[: bundle.gpus])
        if self._needs_the_machine(bundle):
            cores, held = self.cores, self.gpu.copy()
        elif bundle.gpus:
            cores, held = 0, Counter(devices)
        else:
            cores, held = bundle.threads, Counter()
        if cores > self._free_cores or not held <= self._free_gpu:
            return None
        self._free_cores -= cores
        self._free_gpu -= held
        return Lease(cores, held, devices)
