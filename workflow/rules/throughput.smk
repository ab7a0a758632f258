# Step times. The machine must be doing nothing else: after training, before tables and figures.

if LAYOUT.throughput:

    rule measure_throughput:
        input:
            RUN.after(once=LAYOUT.throughput, makes="throughput"),
        output:
            LAYOUT.throughput,
        log:
            f"{LOGS}/throughput.log",
        threads: workflow.resource_settings.cores or 1  # unset by --unlock
        params:
            python=sys.executable,
            suite=SUITE,
            study=study_text(LAYOUT),
            logs=LOGS,  # where pytest-benchmark's own file stays: it holds the time of every round
        shell:
            # The shell prints the command of a child that is killed: short, as the study is in a
            # variable. A pytest that runs the workflow has options that are not for this one.
            "STUDY={params.study:q}; ("
            " PYTEST_ADDOPTS= PYTEST_PLUGINS= {params.python:q} -u -m pytest"
            ' -c {params.suite:q}/pytest.ini {params.suite:q} --study="$STUDY"'
            " --benchmark-quiet --benchmark-json={params.logs:q}/throughput.json"
            " --benchmark-storage=file://{params.logs:q}"
            " && "
            + shell_command(LAYOUT, "make", "throughput")
            + " --for {output} --benchmarks {params.logs:q}/throughput.json ) > {log} 2>&1"
