"""JAX in a process of its own, which is told what to do; this process never imports jax.

Its threads and ours would stand in each other's way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import nn

    Array = NDArray[Any]

MISSING = "jax is not installed: pip install -r requirements-bench.txt"
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
LIMIT = 120.0  # seconds that a way has for its answer: some never come to one


class PeerError(Exception):
    """The rival could not do what it was asked."""


def missing() -> str | None:
    """Why there is no rival, in a line; None if there is one."""
    return None if find_spec("jax") else MISSING


class Peer:
    """A process that runs :mod:`benchmarks.jax_program`.

    Args:
        core: the one core it runs on, with one thread; None for a GPU and what jax chooses.
    """

    def __init__(self, core: int | None) -> None:
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        words = [sys.executable, "-m", "benchmarks.jax_program"]
        if core is None:
            env["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # the card is shared with our packs
        else:
            env |= {"XLA_FLAGS": ONE_THREAD, "JAX_PLATFORMS": "cpu"}
            words += ["--core", str(core)]
        self.process = subprocess.Popen(
            words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ask(self, do: str, limit: float = LIMIT, **words: Any) -> dict[str, Any]:
        """What it answers.

        Raises:
            PeerError: it could not, or not within ``limit`` seconds: it then runs no more.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        clock_ = threading.Timer(limit, self.process.kill)
        clock_.start()
        try:
            print(json.dumps({"do": do, **words}), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            late = not clock_.is_alive()
            clock_.cancel()
        if not line:
            self.process.wait()
            raise PeerError(f"stopped after {limit:.0f} s" if late else "its process ended")
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise PeerError(found["error"])
        return found


def last_core() -> int:
    """The core that a rival of one thread runs on."""
    return sorted(os.sched_getaffinity(0))[-1] if hasattr(os, "sched_getaffinity") else 0


def layout(model: nn.Module, weights: Sequence[Array]) -> list[Array]:
    """Weights (T, …) of torch's layers as the program has them: outputs and channels last.

    A linear layer behind convolutions takes its inputs by channel in torch, by place there.
    """
    found, channels = [], 0
    for param, weight in zip(model.parameters(), weights, strict=True):
        if param.ndim == 4:
            channels = len(param)
            found.append(weight.transpose(0, 3, 4, 2, 1))
        elif param.ndim == 2 and channels:
            side = round((param.shape[1] / channels) ** 0.5)
            apart = weight.reshape(len(weight), -1, channels, side, side)
            found.append(apart.transpose(0, 3, 4, 2, 1).reshape(len(weight), -1, len(param)))
            channels = 0
        elif param.ndim == 2:
            found.append(weight.transpose(0, 2, 1))
        else:
            found.append(weight)
    return [np.ascontiguousarray(part) for part in found]


def named(name: str, arrays: Sequence[Array]) -> dict[str, Any]:
    """Arrays by ``name_0``, ``name_1``, …, for a file."""
    return {f"{name}_{i}": array for i, array in enumerate(arrays)}
