"""Progress of a run, calmly: a Snakemake logger plugin (``logger: [trainscape]`` in a profile).

Instead of a paragraph per job it shows which cells are being trained, how many of how many are
done and how long it will take, and ends with the report's path. Errors are shown in full, with the
end of the failed job's log. Dry runs and ``--verbose`` runs look as Snakemake makes them.
"""

from snakemake_logger_plugin_trainscape.handler import LogHandler as LogHandler
from snakemake_logger_plugin_trainscape.report import announce as announce
