"""Studies that are spoiled: each has keys that the others have not.

Offers: :data:`STUDIES`, as plain data; :func:`dumped`, which writes plain data as a file holds it.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

STUDIES: list[Any] = [
    {
        "name": "small",
        "output": "results-small",
        "workloads": ["digits-mlp"],
        "budget": {"epochs": 2},
        "seeds": 2,
        "grid": {"optimizer": ["sgd"], "batch_size": [64], "lr": [0.1], "schedule": ["constant"]},
    },
    {
        "workloads": ["digits-mlp", "digits-cnn"],
        "budget": {"steps": 60},
        "seeds": [0, 3],
        "validation": 0.2,
        "split": "per-seed",
        "evaluate_every": 0.5,
        "trace_every": 5,
        "last_batch": "drop",
        "order": "fixed",
        "target": {"digits-mlp": 0.9},
        "device": "cpu",
        "margin": 0.01,
        "confirm": {"cells": 2, "seeds": 3},
        "range_test": {"enabled": True, "steps": 40, "low": 1e-4, "high": 1.0},
        "throughput": {"enabled": False, "within": 0.2, "patience": 1, "block": 0.01},
        "grid": {
            "optimizer": [
                {"name": "momentum", "momentum": 0.8, "label": "heavy"},
                {"name": "adam", "beta1": 0.8, "clip_norm": 1.0},
            ],
            "batch_size": [32, "full"],
            "lr": {"heavy": [0.1], "adam": {"log": [0.001, 0.1, 3]}},
            "schedule": ["plateau", {"name": "cosine", "warmup": "10%", "label": "warm"}],
        },
    },
    {
        "workloads": ["digits-mlp"],
        "budget": {"epochs": 2},
        "design": {"method": "tpe", "trials": 3, "rounds": 2, "seed": 1},
        "replay": {"enabled": False, "runs": 3, "cells": 2, "margin": 0.01},
        "figures": [],
        "article": {
            "title": "On rates",
            "url": "https://example.org/article",
            "claim": "one is better",
            "decided_by": "lower-loss",
            "of": ["sgd"],
            "than": "nadam",
        },
        "grid": {
            "optimizer": ["sgd", {"torch": "torch.optim.NAdam", "momentum_decay": 0.01}],
            "batch_size": [64],
            "lr": {"log": [0.01, 0.1, 2]},
            "schedule": ["constant"],
        },
    },
]


def dumped(tree: Any, form: int) -> bytes:
    """Plain data as YAML, in one of its forms."""
    if form == 0:
        return yaml.safe_dump(tree, sort_keys=False).encode()
    if form == 1:
        text = yaml.safe_dump(tree, allow_unicode=True, default_flow_style=True)
        return text.encode("utf-8", "surrogatepass")
    return json.dumps(tree, default=str, skipkeys=True).encode()
