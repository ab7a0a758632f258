"""Step time in isolation: how long one training step takes with the machine to itself.

Training jobs share the machine, so their own clock says nothing. The pytest-benchmark suite in
:data:`SUITE` times a plain PyTorch loop for every (workload, optimizer, batch size) of a study. Its
:func:`record` is named after the hardware and after all that decides the numbers. That is the code
in the suite's folder; the files beside this one wait for a quiet machine, name and write.
"""

from trainscape.throughput.identity import SUITE, digest, path
from trainscape.throughput.record import record

__all__ = ["SUITE", "digest", "path", "record"]
