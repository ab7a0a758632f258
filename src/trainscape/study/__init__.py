"""params.yaml -> a checked :class:`Study`; names are resolved later, when its cells are made.

``read`` a file or ``parse`` plain data; ``schema`` prints what a parameter file may hold.
"""

from trainscape.study.design import Confirm
from trainscape.study.model import Budget, RangeTest, Study, Throughput, parse, read, schema

__all__ = ["Budget", "Confirm", "RangeTest", "Study", "Throughput", "parse", "read", "schema"]
