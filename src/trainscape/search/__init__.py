"""Which cells of a grid to train when not all are: proposed in rounds, by one of Optuna's samplers.

Pure: results go in, proposals come out, and nothing is read or written here. Optuna is imported
when a search begins, since listing a grid must stay cheap.
"""

from trainscape.search.proposals import Search, proposals
from trainscape.search.samplers import METHODS
from trainscape.search.space import Combination, Space

__all__ = ["METHODS", "Combination", "Search", "Space", "proposals"]
