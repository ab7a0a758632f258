"""Lack of memory under one name, whoever reports it: Python, numpy, torch on a GPU or the CPU, C++.

Torch is not loaded to find out.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# what errors say that have no class of their own: torch's allocator of the CPU, C++, and libraries
WORDS = (
    "DefaultCPUAllocator",
    "Storage size calculation overflowed",
    "std::bad_alloc",
    "Cannot allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_lack(error: BaseException) -> bool:
    """Whether an error says that memory has run out."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # others, such as a user's own, may speak of memory
    speaks = isinstance(error, RuntimeError | OSError)
    return speaks and any(word in str(error) for word in WORDS)


@contextmanager
def out_of_memory() -> Iterator[None]:
    """Give every lack of memory the class that a GPU's has.

    Raises:
        torch.OutOfMemoryError: memory ran out.
    """
    try:
        yield
    except Exception as error:
        if not is_lack(error) or type(error).__name__ == "OutOfMemoryError":
            raise
        import torch

        raise torch.OutOfMemoryError(str(error)) from error
