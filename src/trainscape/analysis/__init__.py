"""Cell records -> tables and a few numbers. Knows nothing of pictures or pages, nor of torch.

``trials`` and ``curves`` read records, ``summary`` reads trials, ``metrics`` and ``timings`` read
the summary: each can be made again from the file of the one before.
"""

from trainscape.analysis._best import best, edge, metric, ties, validated
from trainscape.analysis._curves import curves
from trainscape.analysis._metrics import metrics
from trainscape.analysis._summary import grouped, summary
from trainscape.analysis._tables import AXES, Row, frame, read_csv, records, write_csv
from trainscape.analysis._timings import timings
from trainscape.analysis._trials import Entry, steps_to_target, trials

__all__ = [
    "AXES",
    "Entry",
    "Row",
    "best",
    "curves",
    "edge",
    "frame",
    "grouped",
    "metric",
    "metrics",
    "read_csv",
    "records",
    "steps_to_target",
    "summary",
    "ties",
    "timings",
    "trials",
    "validated",
    "write_csv",
]
