"""A run's progress in one line: a Snakemake logger plugin (``logger: [trainscape]`` in a profile).

Instead of a paragraph for each job it shows how many cells are trained, which one is being trained
and how long the others will take. Its last line is the report's path. A failed job is shown with
the end of its log. Dry runs and ``--verbose`` runs look as Snakemake makes them.
"""

from snakemake_logger_plugin_trainscape.announced import announce as announce
from snakemake_logger_plugin_trainscape.handler import LogHandler as LogHandler
