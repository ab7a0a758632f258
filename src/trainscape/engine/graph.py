"""Work that a device does again and again: on a GPU it is captured once as a CUDA graph.

A small model's kernels run for microseconds, and to launch each of them takes longer than that. A
graph is launched as a whole. No number is made here: a graph holds the kernels that were captured.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

EAGER = 3  # runs before the capture: libraries choose kernels and take workspace in them


class Captured:
    """Runs the work it is called with; on CUDA, from the fourth call on, as a graph of it.

    The work must be the same at every call, read and write tensors that stay where they are, and
    ask the device for nothing.

    Args:
        device: where the work runs.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.calls = 0
        self.graph: Any = None
        self.result: Any = None
        self.can_capture = device.type == "cuda"

    def __call__(self, work: Callable[[], Any]) -> Any:
        """Run the work, or launch its graph; the next call overwrites what this one returns."""
        if self.graph is not None:
            self.graph.replay()  # CUDA's word for a launch
            return self.result
        self.calls += 1
        if not self.can_capture or self.calls <= EAGER:
            return work()
        return self._capture(work)

    def _capture(self, work: Callable[[], Any]) -> Any:
        """Capture the work as a graph and launch it; run the work where it cannot be captured."""
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize(self.device)
        try:
            with torch.cuda.graph(graph):
                self.result = work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.can_capture = False
            reason = str(error).strip().partition("\n")[0]
            print(f"a step runs uncaptured, more slowly: {reason}", file=sys.stderr)
            torch.cuda.synchronize(self.device)
            return work()
        self.graph = graph
        graph.replay()  # a capture runs nothing
        return self.result
