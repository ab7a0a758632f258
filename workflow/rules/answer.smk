# Tables -> claims: what to use, how sure that is, what to run next; the numbers commits compare by.


rule answer:
    input:
        RUN.after("collect", makes="answer"),
    output:
        stamp=LAYOUT.stamp("answer"),
        claims=described(LAYOUT, "answer"),
    log:
        f"{LOGS}/answer.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "answer") + " --for {output.stamp} > {log} 2>&1"
