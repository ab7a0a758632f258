"""How many trials a pack holds: as many as its machine trains fastest.

On a CPU this changes no byte, and so it is not in the digest. On a GPU, and on a CPU whose matrix
library rounds by the width (:mod:`trainscape.engine.backend`), packs are filled up to one width,
which depends on the model and the batch alone as long as the memory holds it, and which a cell's
backend names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainscape.engine.model import build
from trainscape.hardware import asked_width
from trainscape.memory import out_of_memory

if TYPE_CHECKING:
    from trainscape.engine.task import Task
    from trainscape.workloads import Workload

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
CACHE = 16 << 20  # bytes a core is taken to have where the system does not say
# Trials: of fewer the interpreter takes longer than the arithmetic, more gain nothing (measured).
CPU = (8, 128)
CUDA = (16, 512)
MEMORY = 8 << 30  # bytes of a GPU that a pack may take, and half of what is free
CPU_MEMORY = 1 << 30  # bytes, by the estimate below: a pack of mnist-cnn took four times that
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
        low, high = CPU
        width = min(max(_cache() // each, low), high)
        return min(width, max(CPU_MEMORY // whole, 2))
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


def _cache() -> int:
    """The bytes of the largest cache that a core has to itself, or its share of a common one."""
    sizes = [CACHE >> 5]
    for index in CACHES.glob("index*"):
        try:
            size = (index / "size").read_text(encoding="utf-8").strip()
            sharing = (index / "shared_cpu_list").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if size.endswith("K") and size[:-1].isdecimal():
            sizes.append((int(size[:-1]) << 10) // _count(sharing))
    return max(sizes) if len(sizes) > 1 else CACHE


def _count(listed: str) -> int:
    """How many numbers a list such as ``0-3,8`` names."""
    total = 0
    for part in listed.split(","):
        low, _, high = part.partition("-")
        total += int(high or low) - int(low) + 1 if low.isdecimal() else 1
    return total
