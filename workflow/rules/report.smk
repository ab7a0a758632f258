# One self-contained page.


rule write_report:
    input:
        RUN.after(*STAGES[2:-1], makes="report"),
    output:
        stamp=LAYOUT.stamp("report"),
        page=described(LAYOUT, "report"),
    log:
        f"{LOGS}/report.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "report") + " --for {output.stamp} > {log} 2>&1"
