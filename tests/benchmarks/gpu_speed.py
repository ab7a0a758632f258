"""Model-steps a second on a GPU, by pack width and precision, beside the eager loop."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import clock, jax_rival
from benchmarks.jax_peer import PeerError
from benchmarks.jax_rival import Rival, Way
from benchmarks.steps import COLUMNS, Case, EagerStepper, Stepper, needs, row
from trainscape.engine import arithmetic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmarks.ceilings import Ceilings
    from benchmarks.clock import Times

CASES = (
    Case("digits-mlp", "adam", 64, 512),
    Case("mnist-mlp", "adam", 64, 512),
    Case("mnist-cnn", "adam", 64, 512),
)
WIDTHS = (2, 16, 64, 128, 256, 512)
JAX_WIDTHS = (64, 512)  # fewer: each is compiled, for seconds
PRECISIONS = ("fp32", "tf32", "bf16")
GPU_COLUMNS = {"precision": "precision", **COLUMNS}


def rates(
    case: Case,
    precision: str,
    widths: Sequence[int],
    on: torch.device,
    limits: Ceilings,
    rounds: int,
    block: float,
) -> tuple[list[dict[str, Any]], list[str]]:
    """A case at one precision; its rows, and which widths did not fit.

    Each width has the memory to itself, and takes turns with the eager loop.
    """
    rows, left = [], []
    least = needs(case)
    with practitioner(precision):
        eager = EagerStepper(case, on, precision)

    def plain(count: int) -> float:
        with practitioner(precision):
            return eager(count)

    arithmetic.pin(precision == "tf32")
    for width in widths:
        times = _in_turns(case, width, on, precision, {"eager": plain}, rounds, block)
        if times is None:
            left.append(f"{case.workload} {precision} width {width}: does not fit the memory")
            continue
        found = row(case, width, times["ours"], times["eager"], least, limits, precision)
        rows.append({**found, "eager_variant": eager.variant})
    return rows, left


def _in_turns(
    case: Case,
    width: int,
    on: torch.device,
    precision: str,
    others: Mapping[str, Callable[[int], float]],
    rounds: int,
    block: float,
) -> dict[str, Times] | None:
    """The times of ``ours`` at a width, in turns with others; None where it does not fit."""
    works: dict[str, Callable[[int], float]] = {}
    try:
        works = {"ours": Stepper(case, width, on, precision), **others}
        return clock.in_turns(works, rounds, block)
    except torch.OutOfMemoryError:
        return None
    finally:
        works.clear()
        gc.collect()
        if on.type == "cuda":
            torch.cuda.empty_cache()


def beside_jax(
    case: Case,
    precision: str,
    widths: Sequence[int],
    on: torch.device,
    limits: Ceilings,
    rounds: int,
    block: float,
    folder: Path,
) -> tuple[list[dict[str, Any]], list[str]]:
    """A case's rival at its fastest width, in turns with ours at each; its row, and what failed.

    Args:
        case: what to train.
        precision: of the arithmetic.
        widths: trials a pack, and models that ``vmap`` holds.
        on: where.
        limits: the ceilings.
        rounds: repetitions.
        block: seconds that are timed at once.
        folder: for files.
    """
    arithmetic.pin(precision == "tf32")
    least, left = needs(case), []
    rows: list[tuple[dict[str, Any], dict[str, Any]]] = []
    among = [Way(f"vmap {width}", width, width) for width in widths if width <= case.widest]
    try:
        with Rival(case, folder, on, least, block, precision, among) as rival:
            for width in (way.width for way in among):
                times = _in_turns(case, width, on, precision, {"jax": rival}, rounds, block)
                if times is None:
                    left.append(f"{case.workload} {precision} width {width}: does not fit")
                    continue
                step = rival.per_step(times["jax"])
                ours = row(case, width, times["ours"], step, least, limits, precision)
                rows.append((ours, rival.said(step)))
    except PeerError as error:
        return [], [*left, f"beside JAX: {case.workload} {precision}: {error}"]
    if not rows:
        return [], left
    found, said = max(rows, key=lambda pair: pair[0]["rate"])
    return [jax_rival.beside([found], said, least, limits)], left


@contextmanager
def practitioner(precision: str) -> Iterator[None]:
    """Torch as a practitioner has it, not as the engine needs it for equal bits."""
    cudnn = torch.backends.cudnn.benchmark
    torch.set_deterministic_debug_mode("default")
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = cudnn
        arithmetic.pin(precision == "tf32")
