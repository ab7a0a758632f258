# Tables -> figures: those that training alone decides, and those that hold seconds.


rule draw_figures:
    input:
        RUN.after("collect", "replay", "answer", makes="figures"),
    output:
        stamp=LAYOUT.stamp("figures"),
        figures=described(LAYOUT, "figures"),
    log:
        f"{LOGS}/figures.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "figures") + " --for {output.stamp} > {log} 2>&1"


rule draw_timings:
    input:
        RUN.after("throughput", "collect", makes="timings"),
    output:
        stamp=LAYOUT.stamp("timings"),
        products=described(LAYOUT, "timings"),
    log:
        f"{LOGS}/timings.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "timings") + " --for {output.stamp} > {log} 2>&1"
