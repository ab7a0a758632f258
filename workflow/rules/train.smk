# One job per cell; its file name holds the digest of everything that decides its numbers.
# A learning-rate range test is a cell whose rate rises and whose loss is traced.
# The fuse executor trains the ready ones of a workload in one process per core or GPU (docs/fuse.md).

PACK_COMMAND = command(LAYOUT, "train", "--jobs")


rule train:
    input:
        data_of(LAYOUT, workflow),
    output:
        f"{LAYOUT.output}/{{kind}}/{{workload}}/{{optimizer}}/{{cell}}.json",
    log:
        f"{LOGS}/train/{{kind}}/{{workload}}/{{optimizer}}/{{cell}}.log",
    wildcard_constraints:
        kind="cells|range",
    resources:
        gpu=int(LAYOUT.gpu),
    params:
        pack=lambda wildcards: wildcards.workload,
        pack_cost=lambda wildcards, output: LAYOUT.cost(output[0]),
        pack_command=lambda wildcards: PACK_COMMAND,
    shell:
        shell_command(LAYOUT, "train") + " {output} > {log} 2>&1"


rule settle_cells:
    input:
        ancient(LAYOUT.products("train")),
        lambda _: ancient(proposed(LAYOUT, checkpoints)),
    output:
        LAYOUT.stamp("train"),
    log:
        f"{LOGS}/settle.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "settle") + " > {log} 2>&1"
