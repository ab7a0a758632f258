# Which cells train again on fresh seeds: known once all others of the workload are trained.


def candidates(wildcards):
    """The cells that a workload's finalists are chosen from."""
    rounds = LAYOUT.rounds.get(wildcards.workload)
    if rounds is not None:
        return RUN.undated(rounds) + RUN.needed(proposed(LAYOUT, checkpoints, rounds))
    cells = LAYOUT.cells.items()
    return RUN.needed(f for f, cell in cells if cell.workload == wildcards.workload)


checkpoint choose_finalists:
    input:
        candidates,
    output:
        f"{LAYOUT.output}/finalists/{{workload}}/{{finalists}}.json",
    log:
        f"{LOGS}/finalists/{{workload}}/{{finalists}}.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "choose") + " {output} > {log} 2>&1"
