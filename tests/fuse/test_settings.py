"""Bad values are refused in one line, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_fuse import ExecutorSettings

if TYPE_CHECKING:
    from kit.toy import Toy


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ExecutorSettings(per_gpu=0), "--fuse-per-gpu is 0; it must be a whole number of 1"),
        (ExecutorSettings(max_jobs=-5), "--fuse-max-jobs is -5; it must be a whole number of 1"),
        (ExecutorSettings(launcher="srun 'x"), "it must be a shell command"),
        (ExecutorSettings(launcher="no-such-thing -x"), "no program 'no-such-thing'"),
        (ExecutorSettings(launcher="env", cancel="no-such -x"), "--fuse-cancel is 'no-such -x'"),
        (ExecutorSettings(cancel="true"), "it must be empty, as there is no --fuse-launcher"),
    ],
)
def test_bad_settings_are_refused_by_option_and_value(
    settings: ExecutorSettings, words: str
) -> None:
    """The line names the option, its value and what is valid."""
    with pytest.raises(WorkflowError) as refusal:
        settings.check()
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_good_settings_pass() -> None:
    """The defaults, and a launcher that sets a variable for a program that is there."""
    ExecutorSettings().check()
    ExecutorSettings(launcher="A=1 env nice -n 5").check()


def test_a_bad_setting_ends_the_run_before_it_begins(toy: Toy) -> None:
    """Nothing is started, and the option is named."""
    said = toy.fail("--fuse-max-jobs", "0")
    assert "--fuse-max-jobs is 0; it must be a whole number of 1 or more." in said
    assert not (toy / ".snakemake/fuse").exists()


def test_a_bad_declaration_is_refused_by_rule_and_value(toy: Toy) -> None:
    """A rule's bundle_cost that is no number ends the run before any process starts."""
    toy.edit('bundle="one key",', 'bundle="one key", bundle_cost="much",')
    assert "Rule make: params.bundle_cost is 'much'; it must be a number above 0." in toy.fail()
    assert not toy.calls()


def test_a_gpu_that_is_not_there_is_refused(toy: Toy) -> None:
    """A job that asks for a GPU where none can be seen ends the run in one line."""
    toy.edit("    shell:", "    resources:\n        gpu=1,\n    shell:")
    said = toy.fail(CUDA_VISIBLE_DEVICES="")
    assert "Rule make asks for 1 GPU (resource gpu), but none can be seen here" in said
    assert not toy.calls()
