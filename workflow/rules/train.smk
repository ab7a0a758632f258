# One job per cell; its file name holds the digest of everything that decides its numbers.


rule train:
    input:
        lambda wildcards: ancient(LAYOUT.dataset(wildcards.workload)),
    output:
        f"{LAYOUT.output}/cells/{{workload}}/{{optimizer}}/{{cell}}.json",
    log:
        f"{LOGS}/train/{{workload}}/{{optimizer}}/{{cell}}.log",
    shell:
        command(LAYOUT, "train") + " {output} > {log} 2>&1"


rule settle_cells:
    input:
        ancient(LAYOUT.products("train")),
    output:
        LAYOUT.stamp("train"),
    log:
        f"{LOGS}/settle.log",
    shell:
        command(LAYOUT, "make", "settle") + " > {log} 2>&1"
