"""Texts that a shell, a template or a page would obey go through a run as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from kit.project import STUDY

if TYPE_CHECKING:
    from kit.project import Project

HOSTILE = 'it\'s; touch pwned; $(touch pwned) `touch pwned` "{x}" {{y}} %s \\ --help é <b>'
FILE = 'plugins/-a b; $(touch pwned) `touch pwned` "q" it\'s é.py'
PLUGIN = """
from dataclasses import dataclass
from typing import Literal
from trainscape.optimizers import Optimizer, register

@register("own")
@dataclass(frozen=True)
class Own(Optimizer):
    note: str = ""

    def update(self, param, grad, state, lr, now):
        param.sub_(lr * grad)
"""


def test_no_text_of_a_study_is_read_by_a_shell(clean: Project) -> None:
    """A plugin's file, a hyperparameter and an article's words, from params.yaml to the page."""
    (clean / FILE).write_text(PLUGIN, encoding="utf-8")
    own = {"name": "own", "note": HOSTILE}
    study = {
        **STUDY,
        "name": "x.-_",
        "plugins": [FILE],
        "grid": {**STUDY["grid"], "optimizer": [own, "sgd"], "lr": [0.1]},
        "article": {
            "title": HOSTILE,
            "url": "https://example.org/?a=$(touch+pwned)&b='",
            "claim": HOSTILE,
            "decided_by": "lower-loss",
            "of": ["own"],
            "than": "sgd",
        },
        "throughput": {"enabled": False},
    }
    text = yaml.safe_dump(study, allow_unicode=True)
    (clean / "params.yaml").write_text(text, encoding="utf-8")
    clean.snakemake()
    assert clean.trainscape("verify")[-1].endswith("0 complaints")
    assert not list(clean.root.rglob("pwned"))
    page = (clean / "results/report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page and HOSTILE not in page
