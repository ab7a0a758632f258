"""Random numbers that depend on the seed alone.

Every trial of a seed meets the same initial weights, data order and dropout masks, whatever its
optimizer, lr or schedule: cells are compared on common random numbers. Streams are separate, so
that using more of one never shifts another.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

GOLDEN = -0x61C8864680B583EB  # 2⁶⁴/φ, 0x9E3779B97F4A7C15, as a signed number


def derive(seed: int, *stream: object) -> int:
    """A 63-bit number from a seed and the name of a stream, by sha256."""
    text = "/".join(map(str, (seed, *stream)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def permutation(size: int, seed: int, *stream: object) -> Tensor:
    """A permutation of ``range(size)``, int64, on the CPU."""
    generator = torch.Generator().manual_seed(derive(seed, *stream))
    return torch.randperm(size, generator=generator)


def uniform_bits(keys: Tensor, step: Tensor, count: int) -> Tensor:
    """24 uniform bits per element, by a counter: the same on every device and at any pack width.

    Args:
        keys: int64 (S,), one stream each.
        step: the training step, int64 (1,): a tensor, as int64 products are meant to wrap around.
        count: elements a stream.

    Returns:
        int64 (S, count), values in [0, 2²⁴).
    """
    counter = torch.arange(1, count + 1, dtype=torch.int64, device=keys.device)
    bits = _mix(_mix(keys + step * GOLDEN)[:, None] + counter * GOLDEN)
    return _shift(bits, 40)


def _mix(z: Tensor) -> Tensor:
    """SplitMix64's output function (Steele, Lea and Flood, Fast splittable pseudorandom number
    generators, 2014): a bijection of int64 whose output bits depend on all input bits.
    """
    z = (z ^ _shift(z, 30)) * -0x40A7B892E31B1A47  # 0xBF58476D1CE4E5B9 as a signed number
    z = (z ^ _shift(z, 27)) * -0x6B2FB644ECCEEE15  # 0x94D049BB133111EB
    return z ^ _shift(z, 31)


def _shift(z: Tensor, bits: int) -> Tensor:
    """A logical right shift: torch's own keeps the sign of int64."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
