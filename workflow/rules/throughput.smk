# Step times. The machine must be doing nothing else: after training, before tables and figures.

if LAYOUT.throughput:

    rule measure_throughput:
        input:
            after(LAYOUT, workflow, once=LAYOUT.throughput),
        output:
            LAYOUT.throughput,
        log:
            f"{LOGS}/throughput.log",
        threads: workflow.resource_settings.cores or 1  # unset by --unlock
        shell:
            shell_command(LAYOUT, "make", "throughput") + " > {log} 2>&1"
