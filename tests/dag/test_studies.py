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
    assert "What the article says" in page
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
