"""Another batch size, in a browser: the calculator, what pays, and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.browser import WIDTHS, WORKLOAD, Opened, chosen
from kit.reports import MadeUp
from trainscape.analysis import ALL
from trainscape.numerals import hundredths, number

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

RATE, STEPS = "lr-scaling", "batch-scaling"


@pytest.fixture(scope="module")
def made() -> MadeUp:
    """A study of three optimizers and four batch sizes.

    One optimizer has a knee within its batch sizes, another an exponent bounded above alone.
    """
    study = MadeUp(synthetic.study())
    found = study.found[WORKLOAD]
    knee = {"critical": 100.0, "low": 40.0, "high": 200.0, "least_steps": 10.0, "pays": 64.0}
    open_ = {"exponent": 0.5, "low": None, "high": 0.8, "factor": 1.41, "factor_low": None}
    for row in found["critical"]:
        if (row["optimizer"], row["schedule"]) == ("adam", "constant"):
            row |= {**knee, "reason": None}
    for row in found["scaling"]:
        if (row["optimizer"], row["schedule"]) == ("sgd", "cosine"):
            row |= {**open_, "factor_high": 1.74, "reason": None}
        if (row["optimizer"], row["schedule"]) == ("sgd", "constant"):
            row |= dict.fromkeys(("exponent", "low", "high", "factor"))
            row["reason"] = "best rates end the axis on both sides"
    return study


@pytest.fixture(scope="module")
def file(made: MadeUp, once: Callable[..., Path]) -> Path:
    """Its page."""
    return once("scaling", made.alone)


def part(opened: Opened, kind: str) -> Locator:
    """A part of the page."""
    return opened.page.locator(f'[data-part="{kind}"]')


def answer(opened: Opened, kind: str) -> str:
    """The answer in large letters."""
    return part(opened, kind).locator(".ask .value").inner_text()


def rest(opened: Opened, kind: str) -> str:
    """The sentences below it."""
    return " ".join(part(opened, kind).locator(".ask p:not(.value)").all_inner_texts())


def alpha(made: MadeUp, optimizer: str, schedule: str = ALL) -> dict[str, Any]:
    """What was found of an optimizer's exponent."""
    rows = made.found[WORKLOAD]["scaling"]
    [row] = [r for r in rows if (r["optimizer"], r["schedule"]) == (optimizer, schedule)]
    return dict(row)


def test_the_page_answers_before_anything_is_typed(
    tab: Callable[..., Opened], made: MadeUp
) -> None:
    """Twice the batch of the setting to take, and what pays with its optimizer."""
    opened = tab()
    cell = made.found[WORKLOAD]["chosen"]["cell"]
    fit = alpha(made, cell["optimizer"])
    size, lr = cell["batch_size"], cell["lr"]
    after = f"{number(lr * 2 ** fit['exponent'])} at batch {2 * size}"
    assert answer(opened, RATE).startswith(f"lr {number(lr)} at batch {size} → {after}")
    ends = f"95% {hundredths(fit['factor_low'])} to {hundredths(fit['factor_high'])}"
    twice = f"Twice the batch: {cell['optimizer']} lr × {hundredths(fit['factor'])} ({ends})"
    assert twice in rest(opened, RATE)
    assert answer(opened, STEPS).startswith(f"{cell['optimizer']}, ")
    assert "pays" in answer(opened, STEPS)


def test_a_link_brings_back_a_calculation(tab: Callable[..., Opened], made: MadeUp) -> None:
    """Optimizer, both batch sizes and the rate; the answer is α's, its interval α's bounds."""
    opened = tab(of="adam", **{"from": 64, "to": 256, "lr": 0.01})
    fit = alpha(made, "adam")
    value, low, high = (number(0.01 * 4 ** fit[name]) for name in ("exponent", "low", "high"))
    assert answer(opened, RATE) == f"lr 0.01 at batch 64 → {value} at batch 256 95% {low} to {high}"
    assert part(opened, RATE).locator("select").first.input_value() == "adam"
    inputs = part(opened, RATE).locator("input")
    assert [one.input_value() for one in inputs.all()] == ["64", "0.01", "256"]


def test_a_smaller_batch_turns_the_interval_round(tab: Callable[..., Opened], made: MadeUp) -> None:
    """The higher exponent then gives the lower rate."""
    opened = tab(of="adam", **{"from": 256, "to": 64, "lr": 0.01})
    fit = alpha(made, "adam")
    low, high = sorted(0.01 * 0.25 ** fit[name] for name in ("low", "high"))
    assert answer(opened, RATE).endswith(f"95% {number(low)} to {number(high)}")


def test_a_missing_bound_is_said(tab: Callable[..., Opened]) -> None:
    """Bounded above for larger batches is bounded below for smaller ones."""
    about = {"of": "sgd", "of_rates": "cosine", "lr": 0.1}
    up = tab(**about, **{"from": 16, "to": 64})
    assert answer(up, RATE).endswith(f"at most {number(0.1 * 4**0.8)}")
    down = tab(**about, **{"from": 64, "to": 16})
    assert answer(down, RATE).endswith(f"at least {number(0.1 * 4**-0.8)}")


def test_an_unknown_exponent_is_said_with_its_reason(tab: Callable[..., Opened]) -> None:
    """No rate is made up."""
    opened = tab(of="sgd", of_rates="constant")
    assert answer(opened, RATE) == "sgd, constant: α is not known"
    assert rest(opened, RATE) == "Best rates end the axis on both sides."


def test_what_no_trial_supports_is_said(tab: Callable[..., Opened]) -> None:
    """A batch beyond those trained, and a rate beyond those tried."""
    opened = tab(of="adam", **{"from": 64, "to": 4096})
    assert "Batch 4096 is outside those trained (16 to 1024)" in rest(opened, RATE)
    assert "Batch 4096 is outside those trained" in rest(opened, STEPS)
    inside = tab(of="adam", **{"from": 64, "to": 256, "lr": 50})
    assert "This lr is outside those tried (0.001 to 1)" in rest(inside, RATE)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_numbers_are_typed(tab: Callable[..., Opened], made: MadeUp, width: int) -> None:
    """Both parts follow at once; what is no number above zero has no answer and is not kept."""
    opened = tab(width, of="adam")
    before, lr, after = part(opened, RATE).locator("input").all()
    for field, text in ((before, "32"), (lr, "0.02"), (after, "64")):
        field.fill("")
        field.press_sequentially(text)
    value = number(0.02 * alpha(made, "adam")["factor"])
    assert answer(opened, RATE).startswith(f"lr 0.02 at batch 32 → {value} at batch 64")
    assert [one.input_value() for one in part(opened, STEPS).locator("input").all()] == ["32", "64"]
    assert "From batch 32 to 64:" in rest(opened, STEPS)
    assert (chosen(opened.page, "from"), chosen(opened.page, "lr"), chosen(opened.page, "to")) == (
        "32",
        "0.02",
        "64",
    )
    for text in ("", "-8"):
        after.fill(text)
        assert answer(opened, RATE) == "–"
    after.press("Tab")
    assert after.input_value() == "64"
    assert answer(opened, RATE).startswith(f"lr 0.02 at batch 32 → {value} at batch 64")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width or width > 400


def test_an_optimizer_is_chosen_for_both_parts(tab: Callable[..., Opened], made: MadeUp) -> None:
    """A rate that was typed for another one is forgotten; batch sizes stay."""
    opened = tab(of="momentum", **{"from": 64, "to": 128, "lr": 0.02})
    part(opened, STEPS).locator("select").first.select_option("adam")
    [cell] = [r["cell"] for r in made.found[WORKLOAD]["optimizers"] if r["optimizer"] == "adam"]
    assert part(opened, RATE).locator("select").first.input_value() == "adam"
    assert answer(opened, RATE).startswith(f"lr {number(cell['lr'])} at batch 64 →")
    assert [chosen(opened.page, name) for name in ("of", "lr", "from")] == ["adam", None, "64"]


def test_menus_work_by_keys(tab: Callable[..., Opened]) -> None:
    """The schedule of each part is its own."""
    opened = tab(of="adam", of_steps="cosine")
    menu = part(opened, STEPS).locator("select").nth(1)
    menu.focus()
    menu.press("ArrowUp")
    assert chosen(opened.page, "of-steps") == "constant"
    assert answer(opened, STEPS).startswith("adam, constant")
    assert chosen(opened.page, "of-rates") is None


@pytest.mark.parametrize(
    ("to", "words"),
    [
        (64, "Batch 64 pays."),
        (256, "Whether batch 256 pays is open"),
        (512, "Batch 512 does not pay."),
    ],
)
def test_whether_a_batch_pays_follows_the_interval(
    tab: Callable[..., Opened], to: int, words: str
) -> None:
    """It pays up to twice B_crit, which lies between 40 and 200."""
    opened = tab(of="adam", of_steps="constant", **{"from": 32, "to": to})
    assert answer(opened, STEPS).startswith("adam, constant: up to batch 200 pays")
    assert "95% 80 to 400" in part(opened, STEPS).inner_text()
    assert words in rest(opened, STEPS)
    assert "That is 2·B_crit; of the batches trained up to 64 do." in rest(opened, STEPS)


def test_steps_saved_are_those_of_the_fit(tab: Callable[..., Opened]) -> None:
    """From 100 to 200 at B_crit 100: 1.5/2 of the steps; 1.2/1.4 to 2/3 at its bounds."""
    opened = tab(of="adam", of_steps="constant", **{"from": 100, "to": 200})
    words = "From batch 100 to 200: 25% fewer steps (95% 14.3% to 33.3%), 50% more examples."
    assert words in rest(opened, STEPS)
    back = tab(of="adam", of_steps="constant", **{"from": 200, "to": 100})
    words = "From batch 200 to 100: 33.3% more steps (95% 16.7% to 50%), 33.3% fewer examples."
    assert words in rest(back, STEPS)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_live_charts_follow_the_optimizer(
    tab: Callable[..., Opened], width: int, *, dark: bool
) -> None:
    """Points in its colour, its α and its B_crit above; no word is cut off."""
    opened = tab(width, dark=dark, of="adam", of_steps="constant")
    for kind, words in ((RATE, "α = "), (STEPS, "B_crit = 100 (40 to 200)")):
        opened.live(kind)
        figure = part(opened, kind).locator(f'figure[data-kind="{kind}"]')
        texts = figure.locator(".live text:visible")
        assert any(text.startswith(words) for text in texts.all_text_contents())
        for text in texts.all():
            box = text.bounding_box()
            assert box is None or 0 <= box["x"] <= box["x"] + box["width"] <= width
        assert figure.locator('.live [fill="var(--c3)"]').count()
        part(opened, kind).locator("select").first.select_option("sgd")
        opened.page.wait_for_timeout(150)
        assert figure.locator('.live [fill="var(--c1)"], .live [stroke="var(--c1)"]').count()
        assert not figure.locator('.live [fill="var(--c3)"]').count()
        part(opened, kind).locator("select").first.select_option("adam")


def test_rates_alone_have_a_calculator_without_a_validation_split(
    tab: Callable[..., Opened], tmp_path: Path
) -> None:
    """There is no target, so no batch pays; the optimizer's best cell is not known."""
    plain = MadeUp(synthetic.study(validation=0.0))
    opened = tab(390, page=plain.alone(tmp_path))
    assert part(opened, STEPS).count() == 0
    assert answer(opened, RATE).startswith("lr 0.001 at batch 16 → ")
