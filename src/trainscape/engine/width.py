"""How many trials a pack holds.

On a CPU, where they train one after the other, this changes no byte and little time. On a GPU packs
are filled up to one width, which depends on the model and the batch alone as long as the memory
holds it, and which a cell's backend names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainscape.engine.model import build
from trainscape.hardware import asked_width
from trainscape.memory import out_of_memory

if TYPE_CHECKING:
    from trainscape.engine.task import Task
    from trainscape.workloads import Workload

CPU = 128  # trials: more gain nothing, and none of them is kept until all are done
CUDA = (16, 512)
MEMORY = 8 << 30  # bytes of a GPU that a pack may take, and half of what is free
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
            each, output = _bytes(task.workload, x[:2], task.plan.batch_size)
    except torch.OutOfMemoryError:
        return 1  # of a model that memory does not hold on two examples
    splits = (task.splits.val, task.splits.test, task.splits.fit)
    held = 0 if task.workload.in_parts else output * max(len(split.y) for split in splits)
    whole = each + held
    if x.device.type != "cuda":
        return min(CPU, max(CPU_MEMORY // whole, 2))
    low, high = CUDA
    width = high
    while width > low and width * whole > MEMORY:
        width //= 2
    free, _ = torch.cuda.mem_get_info(x.device)
    while width > 1 and width * whole > free // 2:
        width //= 2
    return width


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
