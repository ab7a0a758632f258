"""A study whose time is estimated, and made-up step times of this machine.

Offers: :data:`STUDY`, :func:`layout`; :func:`record`, step times; :func:`seconds`, what was said.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainscape import hardware, study
from trainscape.pipeline.layout import Layout

STUDY = {
    "budget": {"epochs": 2},
    "seeds": 3,
    "throughput": {"enabled": False},
    "grid": {
        "optimizer": ["sgd", "adam"],
        "batch_size": [50, 400],
        "lr": [0.1],
        "schedule": ["constant"],
    },
}


def layout(**changes: Any) -> Layout:
    """The layout of the test's study."""
    return Layout(study.parse({**STUDY, **changes}, "study"))


def record(step_time: float, workload: str = "digits-mlp", machine: str | None = None) -> Path:
    """Write a throughput record: the same step time for the study's batch sizes."""
    rows = [
        {"workload": workload, "batch_size": batch, "mode": mode, "step_time_s": seconds}
        for batch in (50, 400)
        for mode, seconds in (("step", step_time), ("loader", 1e6))
    ]
    name = machine or hardware.fingerprint("auto")
    path = Path(f"results/throughput/{name}-0123456789ab.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"fingerprint": name, "rows": rows}))
    return path


def seconds(text: str) -> float:
    """The first span of time in an estimate."""
    amount, unit = text.split("about ")[1].split()[:2]
    return float(amount) * {"s": 1, "min": 60, "h": 3600}[unit]
