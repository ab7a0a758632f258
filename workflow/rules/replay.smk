# Searches on the finished grid, by look-ups: how many cells each would have needed.

if LAYOUT.study.replay.enabled:

    rule replay_searches:
        input:
            RUN.after("collect", makes="replay"),
        output:
            stamp=LAYOUT.stamp("replay"),
            tables=described(LAYOUT, "replay"),
        log:
            f"{LOGS}/replay.log",
        localrule: True
        threads: workflow.resource_settings.cores or 1  # unset by --unlock
        shell:
            shell_command(LAYOUT, "make", "replay")
            + " --for {output.stamp} --cores {threads} > {log} 2>&1"
