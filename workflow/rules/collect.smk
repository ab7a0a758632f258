# Tables and figures. If a job fails, the old ones stay.


rule collect:
    input:
        ancient(LAYOUT.targets("train")),
    output:
        stamp=LAYOUT.stamp("collect"),
        tables=described(LAYOUT, "collect"),
    log:
        f"{LOGS}/collect.log",
    shell:
        command(LAYOUT, "make", "collect") + " > {log} 2>&1"


rule draw_figures:
    input:
        ancient(LAYOUT.targets("train")),
    output:
        stamp=LAYOUT.stamp("figures"),
        figures=described(LAYOUT, "figures"),
    log:
        f"{LOGS}/figures.log",
    shell:
        command(LAYOUT, "make", "figures") + " > {log} 2>&1"


rule collect_timings:
    input:
        ancient(LAYOUT.targets("train", "throughput", "collect", "figures")),
    output:
        stamp=LAYOUT.stamp("timings"),
        products=described(LAYOUT, "timings"),
    log:
        f"{LOGS}/timings.log",
    shell:
        command(LAYOUT, "make", "timings") + " > {log} 2>&1"
