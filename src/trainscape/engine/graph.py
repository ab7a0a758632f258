"""Device work that is always the same: on a GPU captured as a CUDA graph, then launched as one.

A small model's kernels run for microseconds, and launching each takes longer than that. A graph is
launched as one. No arithmetic: a launch runs the kernels that were captured.
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
        self.capturing = device.type == "cuda"

    def __call__(self, work: Callable[[], Any]) -> Any:
        """Run the work, or its graph; what it returns is overwritten by the next call."""
        if self.graph is not None:
            self.graph.replay()
            return self.result
        self.calls += 1
        if not self.capturing or self.calls <= EAGER:
            return work()
        return self._captured(work)

    def _captured(self, work: Callable[[], Any]) -> Any:
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize(self.device)
        try:
            with torch.cuda.graph(graph):
                self.result = work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.capturing = False
            reason = str(error).strip().partition("\n")[0]
            print(f"a step runs uncaptured, more slowly: {reason}", file=sys.stderr)
            torch.cuda.synchronize(self.device)
            return work()
        self.graph = graph
        graph.replay()  # a capture runs nothing
        return self.result
