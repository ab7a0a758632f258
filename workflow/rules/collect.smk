# Tables and figures. If a job fails, the old ones stay. After the step times, which are measured alone.


rule collect:
    input:
        after(LAYOUT, workflow, "throughput"),
    output:
        stamp=LAYOUT.stamp("collect"),
        tables=described(LAYOUT, "collect"),
    log:
        f"{LOGS}/collect.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "collect") + " > {log} 2>&1"


rule draw_figures:
    input:
        after(LAYOUT, workflow, "throughput", "replay"),
    output:
        stamp=LAYOUT.stamp("figures"),
        figures=described(LAYOUT, "figures"),
    log:
        f"{LOGS}/figures.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "figures") + " > {log} 2>&1"


rule collect_timings:
    input:
        after(LAYOUT, workflow, "throughput"),
    output:
        stamp=LAYOUT.stamp("timings"),
        products=described(LAYOUT, "timings"),
    log:
        f"{LOGS}/timings.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "timings") + " > {log} 2>&1"
