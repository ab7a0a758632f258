"""What may run beside what."""

from __future__ import annotations

from snakemake_executor_plugin_fuse.packs import Unit, Work
from snakemake_executor_plugin_fuse.slots import Slots


def pack(gpus: int = 0) -> Unit:
    """A pack."""
    return Unit((Work(None, 0, 1, "command", "key", gpus=gpus),))


def alone(threads: int = 1, gpus: int = 0) -> Unit:
    """A job alone."""
    return Unit((Work(None, 0, 1, "command", threads=threads, gpus=gpus),))


def test_as_many_packs_run_as_there_are_cores() -> None:
    """The rest waits until one has ended."""
    slots, queue = Slots(2, [], 1), [pack(), pack(), pack()]
    (_, first), _ = slots.start(queue)
    assert len(queue) == 1
    assert not list(slots.start(queue))
    slots.give(first)
    assert len(list(slots.start(queue))) == 1


def test_each_gpu_takes_as_many_packs_as_set_spread_evenly() -> None:
    """A pack on a GPU sees one GPU, and takes no core's slot."""
    slots = Slots(1, ["3", "5"], 2)
    started = list(slots.start([pack(gpus=1) for _ in range(5)] + [pack()]))
    assert [lease.devices for _, lease in started] == [("3",), ("5",), ("3",), ("5",), ()]


def test_a_job_with_several_gpus_gets_different_ones() -> None:
    """Two GPUs are two devices, never two slots of one."""
    slots = Slots(1, ["3", "5"], 2)
    ((_, lease),) = slots.start([alone(gpus=2)])
    assert lease.devices == ("3", "5")


def test_a_job_that_asks_for_all_cores_has_the_machine_to_itself() -> None:
    """It waits for all packs to end, GPU packs too, and none starts before it is done."""
    slots, queue = Slots(2, ["0"], 1), [pack(), pack(gpus=1), alone(threads=64), pack(), pack(1)]
    leases = [lease for _, lease in slots.start(queue)]
    assert len(leases) == 2
    slots.give(leases[0])
    assert not list(slots.start(queue))
    slots.give(leases[1])
    ((unit, lease),) = slots.start(queue)
    assert unit.threads == 64
    assert not list(slots.start(queue))
    slots.give(lease)
    assert len(list(slots.start(queue))) == 2


def test_a_job_takes_a_slot_for_each_of_its_threads() -> None:
    """Three of four cores leave room for one pack; a pack on a GPU need not wait for them."""
    slots, queue = Slots(4, ["0"], 1), [alone(threads=3), alone(threads=2), pack(), pack(gpus=1)]
    assert [unit.threads for unit, _ in slots.start(queue)] == [3, 1]
    assert [unit.threads for unit in queue] == [2, 1]  # the pack does not overtake for ever
