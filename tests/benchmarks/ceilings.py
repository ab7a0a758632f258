"""What the machine can do at best: a large matrix product, and copies of several sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from benchmarks.clock import in_turns, timed
from benchmarks.output import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Ceilings:
    """Measured rates.

    Args:
        flops: floating-point operations a second in a large product, by precision.
        copies: bytes a second, read and written together, by the bytes of the tensor copied.
    """

    flops: Mapping[str, float]
    copies: Mapping[int, float]

    def copy(self, moved: float) -> float:
        """The rate of the copy that moves nearest to ``moved`` bytes: of the right cache."""
        return self.copies[min(self.copies, key=lambda size: abs(math.log(2 * size / moved)))]

    @property
    def memory(self) -> float:
        """The rate of the largest copy."""
        return self.copies[max(self.copies)]

    def plain(self) -> dict[str, object]:
        """As plain data."""
        return {
            "flop_per_s": dict(self.flops),
            "copied_bytes_per_s": {str(size): rate for size, rate in self.copies.items()},
        }


def measure(
    product: int,
    copies: Sequence[int],
    rounds: int,
    block: float,
    device: str = "cpu",
    precisions: Sequence[str] = ("fp32",),
) -> Ceilings:
    """Measure both, in turns; each rate is that of the fastest round.

    Args:
        product: rows and columns of the square matrices.
        copies: bytes of the tensors that are copied.
        rounds: repetitions.
        block: seconds that are timed at once.
        device: where.
        precisions: of the product: ``fp32``, ``tf32``, ``bf16``.
    """
    works: dict[object, Callable[[int], float]] = {}
    for precision in precisions:
        a, b, out = (
            torch.randn(product, product, device=device).to(DTYPES[precision]) for _ in range(3)
        )
        works[precision] = partial(_products, a, b, out, precision == "tf32")
    for size in copies:
        source = torch.ones(size // 4, device=device)
        works[size] = partial(_copies, source, torch.empty_like(source))
    times = in_turns(works, rounds, block)
    return Ceilings(
        {precision: 2 * product**3 / times[precision].min for precision in precisions},
        {size: 2 * (size // 4 * 4) / times[size].min for size in copies},
    )


def table(limits: Ceilings) -> Table:
    """The ceilings, for people."""
    rows = [
        {"what": f"matrix product, {name}", "rate": f"{rate / 1e9:,.1f} GFLOP/s"}
        for name, rate in limits.flops.items()
    ]
    rows += [
        {"what": f"copy of {_size(size)}", "rate": f"{rate / 1e9:,.1f} GB/s read and written"}
        for size, rate in limits.copies.items()
    ]
    return Table({"what": "ceiling", "rate": "measured in this run"}, rows, "Ceilings")


def synchronize(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def _products(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor, tf32: bool, count: int) -> float:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        return _run(lambda: torch.mm(a, b, out=out), count, a.device.type)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _copies(source: torch.Tensor, out: torch.Tensor, count: int) -> float:
    return _run(lambda: out.copy_(source), count, source.device.type)


def _run(work: Callable[[], object], count: int, device: str) -> float:
    def all_of_it() -> None:
        for _ in range(count):
            work()
        synchronize(device)

    return timed(all_of_it)


def _size(size: int) -> str:
    return f"{size >> 20:,} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
