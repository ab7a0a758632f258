"""The articles' studies run by the workflow: each route once, the long one in its small variant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from kit.project import Project


def test_dvc_makes_a_study(clean: Project) -> None:
    """`dvc repro` of one study's stage makes its report with its figures, and no other study's."""
    clean.dvc("repro", "studies/dvc.yaml:study@valley")
    page = (clean / "results-valley/report.html").read_text(encoding="utf-8")
    assert "As the article drew it" in page
    assert (clean / "results-valley/figures/valley/path/constant.svg").is_file()
    assert [path.name for path in clean.root.glob("results*")] == ["results-valley"]
    again = clean.run("snakemake", "--dry-run", "--configfile", "studies/valley.yaml")
    assert "Nothing to be done" in again


def test_dvc_lists_every_article() -> None:
    """Each of the five articles' studies, or its small variant, is a stage of studies/dvc.yaml."""
    from kit.project import ROOT

    stages = yaml.safe_load((ROOT / "studies/dvc.yaml").read_text(encoding="utf-8"))["stages"]
    listed = set(stages["study"]["foreach"])
    articles = {"golden-rule", "regression-adam", "mnist-momentum", "exponential-decay"}
    assert articles | {"cnn-batch-size-smoke"} <= listed
    assert all((ROOT / f"studies/{name}.yaml").is_file() for name in listed)


def test_the_small_variant_of_article_five(clean: Project) -> None:
    """A part of it trains, is timed and replayed; time, accuracy and memory stand by batch size."""
    small = ["budget={epochs: 1}", "seeds=1", "throughput={rounds: 2, block: 0.001}"]
    small += ["grid={batch_size: [64, 256], lr: [0.01, 0.1]}"]
    study = ("--configfile", "studies/cnn-batch-size-smoke.yaml")
    clean.snakemake(*study, "--config", *small, "replay={runs: 20}")
    table = clean / "results-cnn-batch-size-smoke/figures/digits-cnn/batch-table/batch-table.csv"
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    assert len(rows) == 4
    wanted = ("train_time_s", "samples_per_s", "peak_memory_bytes", "test_metric_mean")
    places = [header.split(",").index(name) for name in wanted]
    assert all(float(row.split(",")[place]) > 0 for row in rows for place in places)
