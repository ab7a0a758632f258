"""How fast other devices train, for ``trainscape estimate --device``: a small table with sources.

A rate is how many trials take a step in a second, all of a full pack together, on one process of
the device. The measured ones are medians over blocks, of the widest packs; a processor's are means
over the optimizers that its page has, a GPU's are Adam's. What is stated of a GPU that nobody
measured follows from data sheets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.errors import UserError, near, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    Rates = Mapping[int, float]  # steps a second, by batch size

# workloads whose model is another's
SAME_MODEL = {"fashion-mlp": "mnist-mlp", "kmnist-mlp": "mnist-mlp"}


@dataclass(frozen=True)
class Device:
    """A device that is not this machine.

    Args:
        title: what it is, in words.
        source: where its numbers are from.
        processes: how many train side by side: one for each core, or one for a GPU.
        start: seconds until a process's first step is done.
        number: seconds for each number of an example's gradient, where its noise is measured.
        rates: steps a second by precision, workload and batch size.
    """

    title: str
    source: str
    processes: int
    start: float
    number: float
    rates: Mapping[str, Mapping[str, Rates]]

    def steps(self, workload: str, precision: str) -> Rates | None:
        """A workload's steps a second by batch size; None if nothing is known of them."""
        known = self.rates.get(precision, {})
        return known.get(workload) or known.get(SAME_MODEL.get(workload, ""))

    def known(self, precision: str) -> list[str]:
        """The workloads that it has rates of."""
        own = self.rates.get(precision, {})
        return [*own, *(name for name, of in SAME_MODEL.items() if of in own)]


XEON = Device(
    title="2 cores of an Intel Xeon at 2.5 GHz with AVX-512",
    source="measured, docs/benchmarks/engine.json",
    processes=2,
    start=3.0,
    number=4.3e-9,
    rates={
        "fp32": {
            "digits-mlp": {16: 198_000, 64: 70_000, 256: 17_400},
            "digits-cnn": {16: 14_400, 64: 3_540},
            "mnist-mlp": {16: 7_390, 64: 2_230, 256: 671},
            "mnist-cnn": {16: 59.3, 64: 18.7},
        }
    },
)
H200 = Device(
    title="an NVIDIA H200",
    source="measured, docs/benchmarks/gpu-nvidia-h200.json",
    processes=1,
    start=10.0,  # the first use of CUDA, and what it compiles
    number=2e-11,  # not measured: the Xeon's, as much less as mnist-mlp's step is
    rates={
        "fp32": {
            "digits-mlp": {64: 700_000},
            "mnist-mlp": {64: 165_000},
            "mnist-cnn": {64: 1_860},
        },
        "tf32": {
            "digits-mlp": {64: 1_190_000},
            "mnist-mlp": {64: 216_000},
            "mnist-cnn": {64: 4_240},
        },
        "bf16": {
            "digits-mlp": {64: 780_000},
            "mnist-mlp": {64: 151_000},
            "mnist-cnn": {64: 4_500},
        },
    },
)
H100 = Device(
    title="an NVIDIA H100 (SXM, 80 GB)",
    source="measured, docs/benchmarks/gpu-nvidia-h100-80gb-hbm3.json",
    processes=1,
    start=H200.start,
    number=2.3e-11,  # not measured: the Xeon's, as much less as mnist-mlp's step is
    rates={
        "fp32": {
            "digits-mlp": {64: 761_000},
            "mnist-mlp": {64: 139_000},
            "mnist-cnn": {64: 1_580},
        },
        "tf32": {
            "digits-mlp": {64: 1_160_000},
            "mnist-mlp": {64: 169_000},
            "mnist-cnn": {64: 3_740},
        },
        "bf16": {
            "digits-mlp": {64: 905_000},
            "mnist-mlp": {64: 118_000},
            "mnist-cnn": {64: 3_940},
        },
    },
)
H200_MEMORY, H200_FP32 = 4.8, 67.0  # TB/s and TFLOP/s by NVIDIA's data sheet (SXM)


def _stated(title: str, memory: float, fp32: float) -> Device:
    """A GPU of which only a data sheet is known: an H200 by the lower of two ratios.

    Args:
        title: what it is, in words.
        memory: TB/s of its memory.
        fp32: TFLOP/s of its plain fp32 arithmetic.
    """
    ratio = min(memory / H200_MEMORY, fp32 / H200_FP32)
    return Device(
        title=title,
        source=f"stated: the H200's measured rates × {ratio:.2f}, by NVIDIA's data sheets",
        processes=1,
        start=H200.start,
        number=H200.number / ratio,
        rates={
            precision: {
                name: {batch: rate * ratio for batch, rate in rates.items()}
                for name, rates in of.items()
            }
            for precision, of in H200.rates.items()
        },
    )


DEVICES = {
    "xeon": XEON,
    "h200": H200,
    "h100": H100,
    "a100": _stated("an NVIDIA A100 (SXM, 80 GB)", memory=2.039, fp32=19.5),
    "l4": _stated("an NVIDIA L4", memory=0.3, fp32=30.3),
    "rtx-4090": _stated("an NVIDIA GeForce RTX 4090", memory=1.008, fp32=82.6),
}


def device(name: str) -> Device:
    """A device of the table by its name, however it is written.

    Raises:
        UserError: nothing is known of it; names those that are known.

    >>> device("NVIDIA H200").title, device("RTX 4090").title
    ('an NVIDIA H200', 'an NVIDIA GeForce RTX 4090')
    """
    short = name.casefold().removeprefix("nvidia").removeprefix(" geforce").strip()
    spelt = "-".join(short.replace("_", " ").replace("-", " ").split())
    if spelt in DEVICES:
        return DEVICES[spelt]
    meant = near(spelt, DEVICES)
    raise UserError(
        f"--device: unknown {shown(name)}; known are {', '.join(DEVICES)}"
        + (f"; did you mean {meant!r}?" if meant else "")
    )
