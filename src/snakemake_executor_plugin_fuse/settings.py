"""The executor's settings: ``--fuse-…`` on the command line, the same as keys of a profile."""

# No `from __future__ import annotations`: Snakemake reads the fields' types as they stand.
import shlex
import shutil
from dataclasses import dataclass, field

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import (  # type: ignore[import-untyped]
    CommonSettings,
    ExecutorSettingsBase,
)

common_settings = CommonSettings(
    non_local_exec=True,  # local rules stay with Snakemake's own executor
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_envvar_declarations_to_cmd=True,
    auto_deploy_default_storage_provider=False,
    can_transfer_local_files=False,
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]
    """What a user may set.

    Attributes:
        launcher: command put in front of each bundle's command.
        cancel: command that ends what the launcher has started for a bundle.
        per_gpu: bundles that run at the same time on one GPU.
        max_jobs: most jobs in one bundle.
    """

    launcher: str = field(
        default="",
        metadata={
            "help": "Command put in front of each bundle's command, for example "
            "'srun --ntasks=1 --gpus=1'. Empty (the default): bundles run on this machine."
        },
    )
    cancel: str = field(
        default="",
        metadata={
            "help": "Command that ends what the launcher has started for the bundle $FUSE_BUNDLE, "
            "for example 'scancel --name=$FUSE_BUNDLE' for the launcher "
            "'srun --job-name=$FUSE_BUNDLE'. Empty (the default): the launcher gets SIGTERM."
        },
    )
    per_gpu: int = field(
        default=1,
        metadata={"help": "Bundles that run at the same time on one GPU (1 or more, default 1)."},
    )
    max_jobs: int = field(
        default=2000,
        metadata={"help": "Most jobs in one bundle (1 or more, default 2000)."},
    )

    def check(self) -> None:
        """Refuse values that no run can use.

        Raises:
            WorkflowError: names the option, its value and what is valid, in one line.
        """
        for name in ("per_gpu", "max_jobs"):
            value = getattr(self, name)
            if value < 1:
                _refuse(name, value, "a whole number of 1 or more")
        for name in ("launcher", "cancel"):
            self._check_command(name)
        if self.cancel and not self.launcher:
            _refuse("cancel", self.cancel, "empty, as there is no --fuse-launcher")

    def _check_command(self, name: str) -> None:
        value = getattr(self, name)
        try:
            words = shlex.split(value)
        except ValueError as error:
            _refuse(name, value, f"a shell command ({error})")
        if words and "=" not in words[0] and not shutil.which(words[0]):
            _refuse(name, value, f"a command; there is no program {words[0]!r}")


def _refuse(name: str, value: object, valid: str) -> None:
    raise WorkflowError(f"--fuse-{name.replace('_', '-')} is {value!r}; it must be {valid}.")
