"""The switches that decide last bits, in one place: part of every cell's digest."""

from __future__ import annotations

import os

import torch


def pin(tf32: bool = False) -> None:
    """Make arithmetic the same from run to run and from pack to pack.

    It must be called before the process's first matrix product. On the CPU a pack uses exactly one
    thread and MKL's strict mode, whatever the environment says: without either, a trial's last bits
    depend on what it was packed with (MKL's kernels otherwise round by the alignment of their
    operands, which differs from trial to trial: measured on products of 1 to 64 rows). Cores are
    filled with packs.

    Args:
        tf32: whether a GPU's products of float32 may round their operands to 10 bits.
    """
    os.environ["MKL_CBWR"] = "AUTO,STRICT"
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # cuBLAS is deterministic only so
    # use_deterministic_algorithms does the same and imports torch's compiler: 1.6 s a process
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    # a debugging aid that goes with them: 5 to 10% of a step of digits-cnn, or of 8 digits-mlp
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(1)
