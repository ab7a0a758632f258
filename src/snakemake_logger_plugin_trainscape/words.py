"""The words of the progress line: stages, cells and spans of time."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_logger_plugin_trainscape import announced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TRAIN = "train"
STAGES = {  # what each rule does; a rule that is not here is called by its name
    "make_dataset": "making data",  # stands for make_dataset_digits and all others
    "propose_cells": "proposing cells",
    TRAIN: "training",
    "choose_finalists": "choosing finalists",
    "settle_cells": "checking cells",
    "measure_throughput": "measuring step times",
    "collect": "writing the tables",
    "replay_searches": "simulating searches",
    "answer": "finding answers",
    "draw_figures": "drawing figures",
    "draw_timings": "finding the fastest",
    "write_report": "writing the report",
}
# Stages that take minutes and count in their log: what they count, and why they take so long.
SLOW = {"measure_throughput": ("step times", "one at a time, so that nothing disturbs them")}
COUNT = re.compile(r"^.*?\b(\d+ of \d+)\b.*?(?:(\d+) s left)?$", re.MULTILINE)
TAIL = 4096  # bytes of a log's end that are read


def stage(rule: str) -> str:
    """What a rule does, in words."""
    return STAGES.get(_key(rule), rule.replace("_", " "))


def _key(rule: str) -> str:
    """The rule's key in ``STAGES``."""
    return "make_dataset" if rule.startswith("make_dataset_") else rule


def task(rule: str, output: Sequence[str]) -> str:
    """What a job does, in words: a training job's name, if it was announced, or the stage."""
    named = announced.name(output[0]) if rule == TRAIN and output else None
    return named or stage(rule)


def activity(rule: str, words: str, log: str | None) -> str:
    """What a job does at the moment, in words.

    Args:
        rule: the job's rule.
        words: what it does in general (:func:`task`).
        log: the job's log, if it has one.
    """
    if rule not in SLOW:
        return words
    counted, why = SLOW[rule]
    found = _counts(Path(log)) if log else []
    if not found:
        return f"{words}: {why}"
    count, seconds = found[-1]
    left = f", about {span(float(seconds))} left" if seconds else ""
    return f"{counted} {count}{left}: {why}"


def _counts(log: Path) -> list[tuple[str, str]]:
    """The counts in the end of a log, and the seconds that each says are left."""
    try:
        with log.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - TAIL, 0))
            return COUNT.findall(file.read().decode(errors="replace"))
    except OSError:  # not there yet
        return []


def plan(jobs: Mapping[str, int]) -> str:
    """What a run is going to do, from the number of jobs of each rule.

    >>> plan({"make_dataset_digits": 1, "train": 90, "write_report": 1, "all": 1, "total": 93})
    'To do: making data, training 90 cells, writing the report'
    """
    counts = Counter[str]()
    for rule, count in jobs.items():
        counts[_key(rule)] += count
    known = [rule for rule in STAGES if counts[rule]]
    others = [rule for rule in counts if rule not in STAGES and rule not in ("all", "total")]
    return "To do: " + (", ".join(_counted(r, counts[r]) for r in known + others) or "nothing")


def _counted(rule: str, count: int) -> str:
    if rule == TRAIN:
        back = min(announced.kept(), count)
        counts = {f"{stage(rule)} %s": count - back, "bringing back %s": back}
        return ", ".join(words % _cells(n) for words, n in counts.items() if n)
    return stage(rule) if count == 1 else f"{stage(rule)} ({count} times)"


def _cells(count: int) -> str:
    return f"{count} cell" + "s" * (count > 1)


def span(seconds: float) -> str:
    """A span of time, in two units at most.

    >>> span(8.4), span(130), span(3700)
    ('8 s', '2 min 10 s', '1 h 1 min')
    """
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
