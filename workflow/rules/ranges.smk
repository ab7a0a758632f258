# What the learning-rate range tests suggest, beside the grid's own best; empty where there are none.


rule collect_ranges:
    input:
        after(LAYOUT, workflow, "throughput"),
    output:
        stamp=LAYOUT.stamp("ranges"),
        tables=described(LAYOUT, "ranges"),
    log:
        f"{LOGS}/ranges.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "ranges") + " > {log} 2>&1"
