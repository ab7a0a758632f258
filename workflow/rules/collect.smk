# Cell files -> tables. If a job fails, the old ones stay. After the step times, which are measured alone.


rule collect:
    input:
        RUN.after("throughput", makes="collect"),
    output:
        stamp=LAYOUT.stamp("collect"),
        tables=described(LAYOUT, "collect"),
    log:
        f"{LOGS}/collect.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "collect") + " --for {output.stamp} > {log} 2>&1"
