"""Cell records -> tables and a few numbers. Knows nothing of pictures or pages, nor of torch.

``trials`` and ``curves`` read records, ``summary`` reads trials, ``metrics`` and ``timings`` read
the summary: each can be made again from the file of the one before.
"""

from trainscape.analysis._batches import batches
from trainscape.analysis._best import best, edge, metric, validated
from trainscape.analysis._bests import bests
from trainscape.analysis._carried import carried
from trainscape.analysis._cells import Cells
from trainscape.analysis._critical import (
    STEADY,
    best_steps,
    critical,
    critical_and_steps,
    noise_scales,
)
from trainscape.analysis._curves import COLUMNS as CURVES
from trainscape.analysis._curves import Histories, curves, evaluations
from trainscape.analysis._detail import examples, noise
from trainscape.analysis._finalists import best_of_optimizers, finalists_of
from trainscape.analysis._importance import importance
from trainscape.analysis._range import NEAR, agreement, range_metrics, range_tests
from trainscape.analysis._range_curve import RangeCurve, range_curve, range_curves, read_curves
from trainscape.analysis._replay import BAND, Goal, Replayed, goal, needed, replay
from trainscape.analysis._scaling import ALL, RULES, best_rates, overall, rules, scaling
from trainscape.analysis._search import UNTRAINED, Searched, steps, trained, whole
from trainscape.analysis._summary import grouped, summary
from trainscape.analysis._timings import timed, timings
from trainscape.analysis._trajectories import TRACES, decay, losses, paths, traces
from trainscape.analysis._trials import axes, steps_to_target, trials
from trainscape.results.cell_files import Entry
from trainscape.results.tables import (
    AXES,
    Row,
    frame,
    key,
    lines,
    read_csv,
    records,
    write_csv,
    written_csv,
)

__all__ = [
    "ALL",
    "AXES",
    "BAND",
    "CURVES",
    "NEAR",
    "RULES",
    "STEADY",
    "TRACES",
    "UNTRAINED",
    "Cells",
    "Entry",
    "Goal",
    "Histories",
    "RangeCurve",
    "Replayed",
    "Row",
    "Searched",
    "agreement",
    "axes",
    "batches",
    "best",
    "best_of_optimizers",
    "best_rates",
    "best_steps",
    "bests",
    "carried",
    "critical",
    "critical_and_steps",
    "curves",
    "decay",
    "edge",
    "evaluations",
    "examples",
    "finalists_of",
    "frame",
    "goal",
    "grouped",
    "importance",
    "key",
    "lines",
    "losses",
    "metric",
    "needed",
    "noise",
    "noise_scales",
    "overall",
    "paths",
    "range_curve",
    "range_curves",
    "range_metrics",
    "range_tests",
    "read_csv",
    "read_curves",
    "records",
    "replay",
    "rules",
    "scaling",
    "steps",
    "steps_to_target",
    "summary",
    "timed",
    "timings",
    "traces",
    "trained",
    "trials",
    "validated",
    "whole",
    "write_csv",
    "written_csv",
]
