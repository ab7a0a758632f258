"""Which hyperparameters an optimizer takes, what it says of others, and where it is listed."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from trainscape.errors import UserError
from trainscape.optimizers import registry

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "key", "value", "why"),
    [
        ("sgd", "weight_decay", -1e-3, "is out of range; choose a number in [0, inf)"),
        ("sgd", "weight_decay", float("inf"), "is out of range; choose a number in [0, inf)"),
        ("momentum", "momentum", float("nan"), "is out of range; choose a number in [0, 1)"),
        ("momentum", "momentum", 1, "is out of range; choose a number in [0, 1)"),
        ("momentum", "dampening", 1.5, "is out of range; choose a number in [0, 1]"),
        ("nesterov", "momentum", 0.0, "is out of range; choose a number in (0, 1)"),
        ("adagrad", "eps", "tiny", "is no number; choose one in [0, inf)"),
        ("adagrad", "lr_decay", None, "is no number; choose one in [0, inf)"),
        ("rmsprop", "alpha", True, "is no number; choose one in [0, 1)"),
        ("rmsprop", "centered", "yes", "is neither true nor false; choose one"),
        ("adam", "beta1", [0.9], "is no number; choose one in [0, 1)"),
        ("adamw", "beta2", "1.0", "is out of range; choose a number in [0, 1)"),
        ("adadelta", "eps", 0, "is out of range; choose a number in (0, inf)"),
        ("lars", "trust_coefficient", 0, "is out of range; choose a number in (0, inf)"),
        ("muon", "ns_steps", 2.5, "is no whole number from 1; choose one"),
        ("muon", "ns_steps", 0, "is no whole number from 1; choose one"),
        ("muon", "ns_coefficients", (1.5, -0.5), "is no list of 3 values"),
        ("muon", "ns_coefficients", 1.5, "is no list of 3 values"),
        ("schedule_free_sgd", "momentum", 0, "is out of range; choose a number in (0, 1)"),
    ],
)
def test_a_bad_hyperparameter_is_refused(name: str, key: str, value: Any, why: str) -> None:
    """It is refused when the optimizer is made: one line with key, value and what is valid."""
    with pytest.raises(UserError) as refused:
        registry.get(name)(**{key: value})
    assert str(refused.value) == f"{name}.{key}: {value!r} {why}"


def test_a_number_in_a_list_is_named_by_its_place() -> None:
    """Of several numbers the one that is wrong is told, as elsewhere in a study."""
    with pytest.raises(UserError) as refused:
        registry.get("muon")(ns_coefficients=(1, 2, float("nan")))  # type: ignore[call-arg]
    assert str(refused.value) == "muon.ns_coefficients[2]: nan is no finite number"


def test_an_unknown_choice_is_refused() -> None:
    """A word that a hyperparameter does not know is answered with the nearest that it does."""
    with pytest.raises(UserError) as refused:
        registry.get("muon")(adjust_lr_fn="match_rms_adam")  # type: ignore[call-arg]
    said = "unknown 'match_rms_adam'; did you mean 'match_rms_adamw'?"
    assert str(refused.value) == f"muon.adjust_lr_fn: {said}"


@pytest.mark.parametrize("name", registry.names())
def test_no_number_may_be_nan_or_below_zero(name: str) -> None:
    """Every numeric hyperparameter of every optimizer refuses NaN and −1."""
    for field in fields(registry.get(name)):
        if isinstance(field.default, float):
            for value in (float("nan"), -1.0):
                with pytest.raises(UserError, match=rf"^{name}\.{field.name}: "):
                    registry.get(name)(**{field.name: value})


def test_numbers_that_mean_the_same_are_the_same() -> None:
    """Whole numbers and YAML's text for 1e-4 become floats, so that equal specs have equal JSON."""
    made: Any = registry.get("adamw")(weight_decay="1e-4", beta1=0)  # type: ignore[call-arg]
    assert (made.weight_decay, made.beta1) == (1e-4, 0.0)
    assert {type(made.weight_decay), type(made.beta1)} == {float}


@pytest.mark.parametrize("name", registry.names())
def test_the_docs_name_every_optimizer(name: str) -> None:
    """Every entry stands in the README's table and in the comment of ``params.yaml``."""
    (row,) = [r for r in (ROOT / "README.md").read_text().splitlines() if r[:13] == "| optimizers "]
    assert f"`{name}`" in row
    comment = (ROOT / "params.yaml").read_text().partition("  optimizer:")[0].splitlines()[-6:]
    assert name in " ".join(comment).replace(",", " ").split()
