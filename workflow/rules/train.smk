# One job per cell; its file name holds the digest of everything that decides its numbers.
# A learning-rate range test is a cell whose rate rises and whose loss is traced; a finalist is a cell
# on fresh seeds.
# The fuse executor trains the ready cells of a workload in bundles, one process per core or GPU
# (docs/fuse.md).


rule train:
    input:
        RUN.data,
    output:
        f"{LAYOUT.output}/{{kind}}/{{workload}}/{{optimizer}}/{{cell}}.json",
    log:
        f"{LOGS}/train/{{kind}}/{{workload}}/{{optimizer}}/{{cell}}.log",
    wildcard_constraints:
        kind="cells|range|confirm",
    resources:
        gpu=int(LAYOUT.gpu),
    params:
        bundle=lambda wildcards: wildcards.workload,
        bundle_cost=lambda wildcards, output: LAYOUT.cost(output[0]),
        bundle_pack=lambda wildcards, output: LAYOUT.pack(output[0]),
        bundle_fill=lambda wildcards, output: LAYOUT.fill(output[0]),
        bundle_command=lambda wildcards: RUN.bundle_command,
        again=lambda wildcards: RUN.again,
    shell:
        shell_command(LAYOUT, "train") + " {params.again} {output} > {log} 2>&1"


rule settle_cells:
    input:
        lambda _: RUN.known(),
        lambda _: RUN.later(checkpoints),
    output:
        LAYOUT.stamp("train"),
    log:
        f"{LOGS}/settle.log",
    localrule: True
    shell:
        shell_command(LAYOUT, "make", "settle") + " --for {output} > {log} 2>&1"
