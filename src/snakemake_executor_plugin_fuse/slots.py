"""What may run at the same time: one slot for each core, and some for each GPU."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snakemake_executor_plugin_fuse import gpus
from snakemake_executor_plugin_fuse.devices import SHARE, lost

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from snakemake_executor_plugin_fuse.bundles import Bundle
    from snakemake_executor_plugin_fuse.devices import Device


@dataclass(frozen=True)
class Lease:
    """Slots that a process holds.

    Attributes:
        cores: slots of the CPU.
        held: slots by GPU.
        devices: the GPUs that the process may see.
    """

    cores: int
    held: Counter[Device]
    devices: tuple[Device, ...] = ()

    @property
    def names(self) -> list[str]:
        """What ``CUDA_VISIBLE_DEVICES`` calls its GPUs."""
        return [device.name for device in self.devices]

    @property
    def environment(self) -> dict[str, str]:
        """What tells the process its GPUs, and how much of their memory is its own."""
        if not self.devices:
            return {}
        share = min(device.share for device in self.devices)
        return {gpus.VARIABLE: ",".join(self.names), SHARE: f"{share:.6g}"}


class Slots:
    """The slots that are free.

    A process on GPUs takes a slot of each of its GPUs. Any other takes a slot for each of its
    threads. A job without a key that asks for all cores, and for two at least, gets the whole
    machine, GPUs included: it may be there to measure it.

    Args:
        cores: how many slots the CPU has.
        devices: the GPUs.
        per_gpu: how many slots each GPU has.
    """

    def __init__(self, cores: int, devices: Iterable[Device], per_gpu: int) -> None:
        self.cores = cores
        self.gpu = Counter(dict.fromkeys(devices, per_gpu))
        self._free_cores = cores
        self._free_gpu = self.gpu.copy()
        self._failures: Counter[Device] = Counter()

    @property
    def alike(self) -> bool:
        """Whether GPUs can be taken for equally fast: of one model, and others use none of them."""
        return len({(device.model, device.share) for device in self.gpu}) < 2

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
        self._free_gpu += Counter({gpu: n for gpu, n in lease.held.items() if gpu in self.gpu})

    def blame(self, lease: Lease) -> None:
        """A process made nothing on these GPUs: none starts there until the others did no better.

        A broken GPU is always free, and would fail all that waits, one after the other.
        """
        self._failures.update(lease.devices)

    def remove_lost(self, lease: Lease) -> list[str]:
        """Start nothing any more on those GPUs of a lease that are lost; their names."""
        gone = [device for device in lease.devices if device in self.gpu and lost(device)]
        for device in gone:
            del self.gpu[device]
            del self._free_gpu[device]
        return [device.name for device in gone]

    def _needs_the_machine(self, bundle: Bundle) -> bool:
        return bundle.threads >= max(self.cores, 2)

    def _kinds_of_slots(self, bundle: Bundle) -> set[str]:
        if self._needs_the_machine(bundle):
            return {"cores", "gpus"}
        return {"gpus"} if bundle.gpus else {"cores"}

    def _take(self, bundle: Bundle) -> Lease | None:
        """The slots for a bundle, or None while they are not free."""
        best_first = sorted(
            self.gpu, key=lambda device: (self._failures[device], -self._free_gpu[device])
        )
        devices = tuple(best_first[: bundle.gpus])
        if len(devices) < bundle.gpus:
            return None
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
