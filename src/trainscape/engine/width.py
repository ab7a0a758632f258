"""How many trials a pack holds: as many as its machine trains fastest.

On a CPU this changes no byte, and so it is not in the digest. On a GPU, and on a CPU whose matrix
library rounds by the width (:mod:`trainscape.engine.backend`), packs are filled up to one width,
which depends on the model and the batch alone as long as the memory holds it, and which a cell's
backend names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainscape.engine.model import build
from trainscape.errors import UserError
from trainscape.memory import out_of_memory

if TYPE_CHECKING:
    from trainscape.engine.task import Task
    from trainscape.workloads import Workload

VARIABLE = "TRAINSCAPE_WIDTH"
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
    asked = os.environ.get(VARIABLE, "")
    if asked:
        if not asked.isdecimal() or not int(asked):
            raise UserError(f"{VARIABLE}: {asked!r} is no width; choose a whole number above 0")
        return int(asked)
    x = task.splits.train.x
    try:
        with out_of_memory():
            each = _bytes(task.workload, x[:2], task.plan.batch_size)
    except torch.OutOfMemoryError:
        return 1  # of a model that memory does not hold on two examples
    if x.device.type != "cuda":
        low, high = CPU
        width = min(max(_cache() // each, low), high)
        return min(width, max(CPU_MEMORY // each, 2))
    low, high = CUDA
    width = high
    while width > low and width * each > MEMORY:
        width //= 2
    free, _ = torch.cuda.mem_get_info(x.device)
    while width > 1 and width * each > free // 2:
        width //= 2
    return width


def _bytes(workload: Workload, example: Tensor, batch_size: int) -> int:
    """About the bytes that a trial's step touches."""
    model = build(workload.build, 0)
    outputs: list[int] = []

    def count(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(output.numel() // len(example))

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(count)
    with torch.no_grad():
        model.eval()(example.cpu())
    weights = sum(p.numel() for p in model.parameters())
    inputs = example[0].numel()
    return 4 * (COPIES * weights + KEPT * batch_size * (inputs + sum(outputs)))


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
