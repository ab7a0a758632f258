"""How many trials a pack holds.

On a CPU, where they train one after the other, this changes no byte and little time. On a GPU packs
are filled up to one width, a power of two, which a cell's backend names. It depends on the model
and the batch alone as long as half of the process's share of the GPU's memory holds it. The share
is the same in every run on such GPUs, unless others use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainscape.engine.model import build
from trainscape.hardware import asked_width, gpu_share
from trainscape.memory import out_of_memory

if TYPE_CHECKING:
    from trainscape.engine.task import Task
    from trainscape.workloads import Workload

CPU = 128  # trials: more gain nothing, and none of them is kept until all are done
CUDA = (16, 512)
MEMORY = 8 << 30  # bytes of a GPU that a pack may take, and half of the process's share
CPU_MEMORY = 1 << 30  # bytes, by the estimate below
COPIES = 4  # of the parameters: themselves, gradients, and the states of most rules
KEPT = 3  # activations held at a time, in outputs of all layers: forward, backward, inputs


def suitable(task: Task) -> int:
    """The width for a model and batch size on this machine; ``TRAINSCAPE_WIDTH`` overrides it.

    Raises:
        UserError: the variable is no whole number above 0.
    """
    asked = asked_width()
    if asked is not None:
        return asked
    x = task.splits.train.x
    try:
        with out_of_memory():
            each = _bytes_of(task)
    except torch.OutOfMemoryError:
        return 1  # of a model that memory does not hold on two examples
    if x.device.type != "cuda":
        return min(CPU, max(CPU_MEMORY // each, 2))
    return _fitting(each, _room(*torch.cuda.mem_get_info(x.device)))


def on_a_gpu(task: Task) -> int:
    """The width on a GPU that has memory enough, reckoned on any machine.

    Raises:
        UserError: ``TRAINSCAPE_WIDTH`` is no whole number above 0.
    """
    return asked_width() or _fitting(_bytes_of(task), MEMORY)


def _room(free: int, total: int) -> int:
    """The bytes of a GPU that a pack of this process may take."""
    share = gpu_share()
    # what others of this run have taken by now, each within its share, is to change no width
    return free // 2 if share is None else min(int(share * total) // 2, free)


def _fitting(each: int, room: int) -> int:
    """The width of packs whose trials take ``each`` bytes."""
    low, width = CUDA
    while width > low and width * each > MEMORY:
        width //= 2
    while width > 1 and width * each > room:
        width //= 2
    return width


def _bytes_of(task: Task) -> int:
    """About the bytes that a trial touches, in a step or where it is evaluated."""
    each, output = _bytes(task.workload, task.splits.train.x[:2], task.plan.batch_size)
    splits = (task.splits.val, task.splits.test, task.splits.fit)
    held = 0 if task.workload.in_parts else output * max(len(split.y) for split in splits)
    return each + held


def _bytes(workload: Workload, example: Tensor, batch_size: int) -> tuple[int, int]:
    """About the bytes that a trial's step touches, and an example's output where it is held."""
    model = build(workload.build, 0)
    outputs: list[int] = []

    def count(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(output.numel() // len(example))

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    with torch.no_grad():
        made = model.eval()(example.cpu())
    weights = sum(p.numel() for p in model.parameters())
    inputs = example[0].numel()
    step = COPIES * weights + KEPT * batch_size * (inputs + sum(outputs))
    held = made.numel() // len(example) if isinstance(made, Tensor) else 0
    return 4 * step, 4 * KEPT * held
