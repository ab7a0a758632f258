"""A study -> its cells, and what each is known by.

The modules are listed and not imported: training a cell must not load what lists a study.
"""

__all__ = [
    "budget",  # how long a trial trains and when it is evaluated
    "cell",  # what a cell is: its spec, digest and path
    "confirm",  # cells on fresh seeds
    "grid",  # the cells of a study, checked beforehand
    "identity",  # what a cell depends on besides its values
    "imported",  # optimizers by import path
    "locate",  # the class that an import path names
    "outcomes",  # of single examples, as records hold them
    "parts",  # optimizers and schedules as a study names them
    "plugins",  # a user's own files
    "range_tests",  # learning-rate range tests as cells
    "rules",  # plugins' update rules, tried beforehand
    "tryout",  # imported optimizers, tried beforehand
]
