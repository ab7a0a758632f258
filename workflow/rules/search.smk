# A search: each round is proposed once the cells of the rounds before it are trained.


def earlier(wildcards):
    """The rounds before this one, and their cells."""
    files = LAYOUT.rounds[wildcards.workload]
    this = f"{LAYOUT.output}/search/{wildcards.workload}/{wildcards.round}.json"
    before = files[: files.index(this)]
    return RUN.undated(before) + RUN.needed(proposed(LAYOUT, checkpoints, before))


checkpoint propose_cells:
    input:
        earlier,
    output:
        f"{LAYOUT.output}/search/{{workload}}/{{round}}.json",
    log:
        f"{LOGS}/search/{{workload}}/{{round}}.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "propose") + " {output} > {log} 2>&1"
