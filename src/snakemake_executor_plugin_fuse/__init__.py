"""Runs many ready jobs in few processes: a Snakemake executor plugin (``executor: fuse``).

Jobs whose rule declares a ``pack`` key share processes, packs, that make the outputs of all of
them; every job keeps its own place in the DAG, its own output, log, retries and rerun decision.
Other jobs run in a process of their own. How a rule declares it, and what happens when a pack
fails: docs/fuse.md.
"""

from snakemake_interface_executor_plugins.settings import (  # type: ignore[import-untyped]
    CommonSettings,
)

from snakemake_executor_plugin_fuse.executor import Executor as Executor
from snakemake_executor_plugin_fuse.settings import ExecutorSettings as ExecutorSettings

common_settings = CommonSettings(
    non_local_exec=True,  # local rules stay with Snakemake's own executor
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=True,
    auto_deploy_default_storage_provider=False,
    can_transfer_local_files=False,
)
