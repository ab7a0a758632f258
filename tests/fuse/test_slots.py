"""What may run beside what."""

from __future__ import annotations

from snakemake_executor_plugin_fuse.bundles import Bundle, Task
from snakemake_executor_plugin_fuse.devices import Device
from snakemake_executor_plugin_fuse.slots import Slots


def bundle(gpus: int = 0) -> Bundle:
    """Jobs that share a process."""
    return Bundle((Task(None, 0, 1, "command", "key", gpus=gpus),))


def alone(threads: int = 1, gpus: int = 0) -> Bundle:
    """A job alone."""
    return Bundle((Task(None, 0, 1, "command", threads=threads, gpus=gpus),))


def gpu(name: str, share: float = 1.0) -> Device:
    """A GPU."""
    return Device(name, f"GPU-{name}", "Toy", share)


def test_as_many_bundles_run_as_there_are_cores() -> None:
    """The rest waits until one has ended."""
    slots, queue = Slots(2, [], 1), [bundle(), bundle(), bundle()]
    (_, first), _ = slots.start(queue)
    assert len(queue) == 1
    assert not list(slots.start(queue))
    slots.give_back(first)
    assert len(list(slots.start(queue))) == 1


def test_each_gpu_takes_as_many_bundles_as_set_spread_evenly() -> None:
    """A bundle on a GPU sees one GPU, and takes no core's slot."""
    slots = Slots(1, [gpu("3", 0.5), gpu("5", 0.25)], 2)
    started = list(slots.start([bundle(gpus=1) for _ in range(5)] + [bundle()]))
    assert [lease.names for _, lease in started] == [["3"], ["5"], ["3"], ["5"], []]


def test_a_job_with_several_gpus_gets_different_ones() -> None:
    """Two GPUs are two devices, never two slots of one."""
    slots = Slots(1, [gpu("3", 0.5), gpu("5", 0.25)], 2)
    ((_, lease),) = slots.start([alone(gpus=2)])
    assert lease.names == ["3", "5"]
    assert lease.environment == {"CUDA_VISIBLE_DEVICES": "3,5", "FUSE_GPU_SHARE": "0.25"}


def test_a_job_that_asks_for_all_cores_has_the_machine_to_itself() -> None:
    """It waits for all bundles to end, those on GPUs too, and none starts before it is done."""
    slots = Slots(2, [gpu("0")], 1)
    queue = [bundle(), bundle(gpus=1), alone(threads=64), bundle(), bundle(gpus=1)]
    leases = [lease for _, lease in slots.start(queue)]
    assert len(leases) == 2
    slots.give_back(leases[0])
    assert not list(slots.start(queue))
    slots.give_back(leases[1])
    ((exclusive, lease),) = slots.start(queue)
    assert exclusive.threads == 64
    assert not list(slots.start(queue))
    slots.give_back(lease)
    assert len(list(slots.start(queue))) == 2


def test_a_job_takes_a_slot_for_each_of_its_threads() -> None:
    """Three of four cores leave a core for one bundle; a bundle on a GPU need not wait for them."""
    slots = Slots(4, [gpu("0")], 1)
    queue = [alone(threads=3), alone(threads=2), bundle(), bundle(gpus=1)]
    assert [started.threads for started, _ in slots.start(queue)] == [3, 1]
    assert [waiting.threads for waiting in queue] == [2, 1]  # or the job might never start


def test_a_gpu_on_which_nothing_was_made_waits_until_the_others_did_no_better() -> None:
    """A broken GPU, which is always free, does not fail all that waits."""
    slots = Slots(1, [gpu("0"), gpu("1")], 1)
    queue = [bundle(gpus=1) for _ in range(4)]
    broken, whole = (lease for _, lease in slots.start(queue))
    slots.give_back(broken)
    slots.blame(broken)
    assert not list(slots.start(queue))
    slots.give_back(whole)
    assert [lease.names for _, lease in slots.start(queue)] == [["1"]]
    slots.give_back(whole)
    slots.blame(whole)
    assert [lease.names for _, lease in slots.start(queue)] == [["0"]]


def test_gpus_of_one_model_that_nobody_else_uses_count_as_equally_fast() -> None:
    """Another share says that others use one."""
    assert Slots(1, [], 1).alike
    assert Slots(1, [gpu("0"), gpu("1")], 1).alike
    assert not Slots(1, [gpu("0"), gpu("1", 0.5)], 1).alike
