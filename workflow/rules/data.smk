# Datasets as arrays with a pinned hash: data/<name>.npz. A plugin's may change: hence the stamp.

for DATASET in LAYOUT.datasets:

    rule:
        name:
            f"make_dataset_{DATASET}"
        input:
            RUN.nothing,
        output:
            update(f"data/{DATASET}.npz"),
            str(data_stamp(DATASET)),
        log:
            f"{LOGS}/data/{DATASET}.log",
        localrule: True
        params:
            dataset=DATASET,  # a shell directive is read when the job runs: after the loop
        shell:
            shell_command(LAYOUT, "data") + " {params.dataset} > {log} 2>&1"
