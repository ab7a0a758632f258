# The table of contents: the study, its stages, and what a full run makes.
import sys

# The source beside this file, whatever is installed: a clone runs its own.
sys.path.insert(0, f"{workflow.basedir}/src")

from snakemake_logger_plugin_trainscape import announce
from trainscape.errors import UserError
from trainscape.pipeline.layout import data_stamp
from trainscape.pipeline.stages import STAGES
from trainscape.pipeline.workflow import (
    Run,
    described,
    proposed,
    shell_command,
    study_text,
)
from trainscape.throughput import SUITE

try:
    RUN = Run.of(workflow)
except (UserError, OSError) as error:
    print(f"trainscape: {error}", file=sys.stderr)
    sys.exit(2)

LAYOUT = RUN.layout

# Snakemake would merge the two: a study replaces params.yaml
if not workflow.overwrite_configfiles:

    configfile: "params.yaml"


if workflow.is_main_process:
    for line in LAYOUT.notes:
        print(line, file=sys.stderr)

# what the logger shows: a run's last line says where the report is, and cells have names
announce(LAYOUT.targets("report"), LAYOUT.trainable, RUN.kept)
LOGS = f"logs/{LAYOUT.study.name}"


# a run that leaves out what was asked for is no success
onsuccess:
    RUN.check_all_is_made()


rule all:
    input:
        RUN.all,
        lambda _: RUN.later(checkpoints),
    localrule: True


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"


if LAYOUT.rounds:

    include: "workflow/rules/search.smk"


if LAYOUT.finalists:

    include: "workflow/rules/confirm.smk"


include: "workflow/rules/throughput.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/replay.smk"
include: "workflow/rules/answer.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
