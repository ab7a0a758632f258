"""Runs many ready jobs in few processes: a Snakemake executor plugin (``executor: fuse``).

Jobs whose rule declares a ``bundle`` key share processes: one process makes the outputs of a whole
bundle of jobs. Every job keeps its own place in the DAG, its own output, log, retries and rerun
decision. Other jobs run in a process of their own. How a rule declares it, and what happens when a
process fails: README.md beside this file.

What Snakemake asks this package for is imported when it is asked for: that takes 0.3 s, as it loads
Snakemake, and others may want :mod:`~snakemake_executor_plugin_fuse.gpus` alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakemake_executor_plugin_fuse.executor import Executor as Executor
    from snakemake_executor_plugin_fuse.settings import ExecutorSettings as ExecutorSettings
    from snakemake_executor_plugin_fuse.settings import common_settings as common_settings

MODULES = {"Executor": "executor", "ExecutorSettings": "settings", "common_settings": "settings"}


def __getattr__(name: str) -> object:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
