"""Step time in isolation: how long one training step takes with the machine to itself.

Training jobs share the machine, so their own clock says nothing. A pytest-benchmark suite times a
plain PyTorch loop for every (workload, optimizer, batch size) of a study, and the record of it is
named after the hardware and after all that decides the numbers.
"""

from trainscape.throughput.identity import digest, path
from trainscape.throughput.measure import measure

__all__ = ["digest", "measure", "path"]
