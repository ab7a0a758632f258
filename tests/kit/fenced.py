"""Memory that ends or starts at a page that may not be touched, to show that C stays in bounds.

Offers: :func:`fenced`, a fixture; a test that takes it runs for either end.
"""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from kit.c_kernels import call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.c_kernels import Array, Libraries


class Fenced:
    """Memory for arrays that end, or start, at a page that may not be touched."""

    def __init__(self, *, at_end: bool) -> None:
        self.at_end = at_end
        self.kept: list[mmap.mmap] = []

    def put(self, like: Array, gap: int = 0) -> Array:
        """A copy of an array, shared with forked processes.

        Args:
            like: the array.
            gap: how many numbers at its end are no part of it: the page after it starts with them.
        """
        page = mmap.PAGESIZE
        size = -(-like.nbytes // page) * page
        memory = mmap.mmap(-1, size + 2 * page)
        self.kept.append(memory)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        protect = ctypes.CDLL(None).mprotect
        for fence in (start, start + page + size):
            assert protect(ctypes.c_void_p(fence), ctypes.c_size_t(page), 0) == 0
        offset = page + (size - like.nbytes if self.at_end else 0)
        found = np.frombuffer(memory, like.dtype, like.size, offset).reshape(like.shape)
        found[...] = like
        return found.reshape(-1)[gap:] if gap and self.at_end else found

    def stay_inside(
        self, libraries: Libraries, calls: Sequence[tuple[str, tuple[Array, ...]]]
    ) -> None:
        """Fails unless no call, by name and arrays, touches a page beside them, by any compiler."""
        for build, library in libraries.made.items():
            at = self.put(np.zeros(1, np.int64))  # how far it came
            child = os.fork()
            if not child:
                status = 1
                faulthandler.disable()  # what it would print is no news here
                try:
                    for number, (name, arrays) in enumerate(calls):
                        at[0] = number
                        call(library, name, *arrays)
                    status = 0
                finally:  # never on as a second session of tests
                    os._exit(status)
            _, status = os.waitpid(child, 0)
            assert status == 0, (build, calls[int(at[0])][0])


@pytest.fixture(params=["end", "start"])
def fenced(request: pytest.FixtureRequest) -> Fenced:
    """Memory with a fence at either end of every array, one after the other."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    return Fenced(at_end=request.param == "end")
