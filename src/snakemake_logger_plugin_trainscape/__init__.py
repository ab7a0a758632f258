"""A run's progress in one line: a Snakemake logger plugin (``logger: [trainscape]`` in a profile).

Instead of a paragraph for each job it shows how many cells are trained, which one is being trained,
which is the best so far and how long the others will take. Its last line is the report's path. A
failed job is shown with the end of its log. A dry run is a few lines on what would run. Whoever
asks for details (``--verbose``) gets what Snakemake makes.
"""

from snakemake_logger_plugin_trainscape.announced import announce as announce
from snakemake_logger_plugin_trainscape.announced import inform as inform
from snakemake_logger_plugin_trainscape.handler import LogHandler as LogHandler
