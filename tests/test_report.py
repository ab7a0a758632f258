"""The page: it says the answer, escapes what users wrote, and is the same bytes each time."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.reports import STUDY, MadeUp, build, held
from trainscape import report
from trainscape.errors import UserError
from trainscape.figures.names import Counts, Labels, Wanted, listed, of_answers
from trainscape.report._first import fastest

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.analysis import Entry

SMALL = {"optimizers": ("sgd", "adam"), "batch_sizes": (16, 256), "lrs": (0.003, 0.1, 1.0)}


def small(**changes: Any) -> list[Entry]:
    """A small study."""
    return synthetic.study(**{**SMALL, **changes})


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the small study."""
    return build(small(), tmp_path_factory.mktemp("page"))


def answer(html: str) -> list[str]:
    """The answers, without their markup."""
    found = re.findall(r'<p class="(?:answer|basis)">(.*?)</p>', html, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", text) for text in found]


def test_the_answer_comes_first_with_its_uncertainty(html: str) -> None:
    """Setting, ties, both intervals, what it rests on, losses, budget and backend are all said."""
    found = MadeUp(small()).found["digits-mlp"]
    chosen, test = found["chosen"]["cell"], found["chosen"]["test"]
    said = " ".join(answer(html))
    lost = found["failures"]["diverged"]
    assert len(found["tied"]) > 1 and lost
    for words in (
        f"any of {len(found['tied'])} settings may be the best",
        "within 0.5 points of it in the mean; take",
        f"{chosen['optimizer']}, batch size {chosen['batch_size']}, lr {chosen['lr']:g}, cosine",
        f"Its test accuracy is {100 * test['mean']:.1f}%",
        f"{100 * test['low']:.1f} to {100 * test['high']:.1f}% over new seeds",
        "over new data, too, as the test set has 360 examples",
        "24 cells trained on 3 seeds. The best of 24 owes something to luck",
        f"{lost} diverged to NaN",
        "equal epochs mean fewer updates at larger batches: 800 at batch size 16, 50 at 256",
        "Trained on the backend cpu-avx2.",
    ):
        assert words in said


def test_the_order_of_a_list_changes_no_claim(tmp_path: Path) -> None:
    """Optimizers in another order give the same sentences, numbers and suggestions."""
    there, back = (
        build(small(optimizers=order), tmp_path / order[0], drawn=False)
        for order in (("sgd", "momentum", "adam"), ("adam", "momentum", "sgd"))
    )
    assert answer(there) == answer(back)
    said = [
        re.findall(
            r'<h1>.*?</h1>|<div class="card.*?</div>|<div class="next">.*?</div>', page, re.DOTALL
        )
        + re.findall(r'<details class="numbers">.*?</details>', page, re.DOTALL)[:1]
        for page in (there, back)
    ]
    assert said[0] == said[1]
    assert len(said[0]) > 4


def test_an_epoch_that_is_not_every_example_shuffled_is_stated(html: str, tmp_path: Path) -> None:
    """The page says it beside the budget, and names both settings among the study's."""
    said = "An epoch leaves out the examples that fill no whole batch. Every epoch takes the"
    study = {**STUDY, "last_batch": "drop", "order": "fixed"}
    page = build(small(), tmp_path, study=study, drawn=False)
    assert said in " ".join(answer(page))
    assert "<dt>last_batch</dt><dd>drop</dd>" in page
    assert "An epoch leaves out" not in html


def test_a_mix_of_backends_is_stated(tmp_path: Path) -> None:
    """Two kinds of arithmetic in one study: the page says which and how many."""
    mixed = [*small(optimizers=("sgd",)), *small(optimizers=("adam",), backend="cuda-sm90")]
    said = " ".join(answer(build(mixed, tmp_path, drawn=False)))
    assert "backends are mixed (36 trials on cpu-avx2, 36 trials on cuda-sm90)" in said


def test_a_best_lr_on_the_edge_is_flagged(tmp_path: Path) -> None:
    """The reader is told that a better rate may lie beyond."""
    html = build(small(optimizers=("sgd",), lrs=(0.01, 0.03, 0.1)), tmp_path, drawn=False)
    said = " ".join(answer(html))
    assert "Its lr is the highest tried with sgd: a better one may lie beyond." in said
    assert "The best lr is at an end of those tried: sgd (highest)." in html
    assert "lr: [0.01, 0.03, 0.1, 0.333]" in html


def test_one_seed_is_said_to_be_one(tmp_path: Path) -> None:
    """No deviation is made up."""
    said = " ".join(answer(build(small(seeds=(7,)), tmp_path)))
    assert "one seed, so its spread is unknown" in said
    assert "over new seeds" not in said


def test_without_validation_all_is_shown_and_nothing_ranked(tmp_path: Path) -> None:
    """Every cell is in figures and table, none is marked as best, and it says why."""
    html = build(small(validation=0.0), tmp_path, measured=None)
    said = " ".join(answer(html))
    assert "no validation split, so nothing is selected or ranked" in said
    kinds = [kind["title"] for kind in held(html, "pictures")]
    assert kinds[-4:] == ["Training loss", "Test accuracy", "Learning curves", "Diverged seeds"]
    body = re.sub(r"<(script|style)>.*?</\1>", "", html, flags=re.DOTALL)
    for word in ("★", "Best by", "best by", "the best cell"):
        assert word not in body
    assert (
        body.partition('<section id="cells"')[2].partition("</noscript>")[0].count("<tr><td") == 24
    )
    assert "steps to target" not in body.lower()


def test_times_not_measured_here_say_so(tmp_path: Path) -> None:
    """On other hardware the time columns are words, and the page explains."""
    html = build(small(), tmp_path, measured=False)
    assert html.count(">not measured here<") == 2 * 24
    assert "the throughput rule has not run yet" in html


def test_a_busy_machine_is_named(html: str, tmp_path: Path) -> None:
    """Times measured under load are flagged wherever they are: cost, map, table, figures."""
    words = "The machine was not quiet"
    busy, quiet = build(small(), tmp_path, busy=True), html
    for place in ('<p class="lead">', '<p class="lead" id="hint">'):
        texts = re.findall(rf"{place}(.*?)</p>", busy, re.DOTALL)
        assert any(words in text for text in texts), place
    measures = held(busy, "data")["workloads"][0]["map"]["measures"]
    assert [one["kind"] for one in measures if words in one["about"]] == ["time"]
    assert sum(words in part["lead"] for part in held(busy, "pictures")) == 2
    assert words not in quiet
    assert all(words not in json.dumps(held(quiet, name)) for name in ("data", "pictures"))


def soonest(*times: float | None, **changes: Any) -> str:
    """The card of a setting that takes so long: median, low and high end; all its words."""
    seconds = dict(zip(("median", "low", "high"), times, strict=True))
    cell = {"optimizer": "adam", "batch_size": 16, "lr": 0.1, "schedule": "constant"}
    found = {"cell": cell, "seconds": seconds, "parts": False, "others": 0, "count": 0, **changes}
    card = fastest(found, {"level": 0.9375})
    assert card
    return f"{card.value} | {card.interval} | {card.setting} | {card.detail}"


def test_the_fastest_card_says_why_nothing_can_be_told() -> None:
    """One setting alone, settings that overlap, too few seeds: each has its own words."""
    cell = "adam, batch size 16, lr 0.1, constant"
    told = soonest(2.0, 1.0, 3.0, parts=True, others=4)
    assert told.startswith(f"2 s | 1 s to 3 s | {cell} | ")
    assert told.endswith(
        "no other setting's interval reaches it. So few seeds give a 93.75% interval."
    )
    alone = soonest(2.0, 1.0, 3.0)
    assert alone.startswith(f"2 s | 1 s to 3 s | {cell} | ")
    assert "no other setting reaches the target." in alone
    few = soonest(2.0, None, None)
    assert (
        few.startswith(f"2 s |  | {cell} | ") and "no other setting reaches the target. An" in few
    )
    fewest = soonest(2.0, None, None, others=3)
    assert "no other setting needs as few steps. An interval needs more seeds than" in fewest
    overlap = soonest(2.0, 1.0, None, others=3, count=3)
    assert overlap.startswith(
        "not told apart |  | 4 settings, the first about 2 s | Their intervals"
    )
    assert "overlap" not in soonest(2.0, None, None, others=3, count=3)


def test_every_figure_has_its_image_with_words(html: str) -> None:
    """As many pictures behind the toggle as figures, each with alternative text."""
    pictures = [shown for kind in held(html, "pictures") for shown in kind["figures"]]
    labels = Labels(["digits-mlp"], ["sgd", "adam"], ["constant", "cosine"])
    kinds = of_answers(Counts(2, 2, 3, 2), validation=True, whole=True)
    assert len(pictures) == len(listed(labels, Wanted(throughput=True, answers=kinds)))
    assert all(len(shown["alt"]) > 40 and "<svg" in shown["svg"] for shown in pictures)
    assert "<img" not in html


def test_the_page_asks_for_nothing_outside_itself(html: str) -> None:
    """No link, script, font or picture comes from elsewhere."""
    page = re.sub(r'<script type="text/plain".*?</script>', "", html, flags=re.DOTALL)
    page = re.sub(r'xmlns(:xlink)?="[^"]*"', "", page)
    assert not re.findall(r"https?:|[\"'(]//|@import|url\((?!#)|<link rel=\"(?!icon)", page)
    assert "default-src 'none'" in html


def test_what_users_wrote_is_escaped(tmp_path: Path) -> None:
    """A label or a hardware name with markup is shown, not run."""
    evil = "<script>x"
    entry = synthetic.entry(
        synthetic.cell(label=evil.replace("/", "")), [synthetic.trial(0, [0.5, 0.9])], (1, 2)
    )
    html = build([entry], tmp_path, study={**STUDY, "name": "<b>&"})
    assert evil not in html
    assert "&lt;script&gt;x" in html
    assert '<span class="study">&lt;b&gt;&amp;</span>' in html
    assert "Example CPU &lt;2 GHz&gt;" in html


def test_provenance_is_shown_in_full(html: str) -> None:
    """Digests, versions, study parameters and the hardware of the timings are on the page."""
    for name, value in {
        "study digest": "ab" * 32,
        "torch": "2.11.0",
        "grid.lr": "0.1, 0.01",
        "budget.epochs": "10",
        "cores": "2",
    }.items():
        assert f"<dt>{name}</dt><dd>{value}</dd>" in html


def test_two_runs_write_the_same_bytes(html: str, tmp_path: Path) -> None:
    """Neither the folder nor the time is in the page."""
    assert build(small(), tmp_path) == html


def test_a_missing_figure_is_named(tmp_path: Path) -> None:
    """A page with a hole is not written."""
    made = MadeUp(small())
    made.draw(tmp_path / "figures")
    gone = tmp_path / "figures/digits-mlp/curves/adam.svg"
    gone.unlink()
    with pytest.raises(UserError, match=r"curves/adam\.svg: no such figure; run snakemake"):
        report.write(made.page(tmp_path / "figures"), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_two_workloads_have_an_answer_each(tmp_path: Path) -> None:
    """A regression beside a classification: each by its own metric."""
    name = synthetic.regression()
    html = build([*small(), *small(workload=name)], tmp_path)
    first, second = (text for text in answer(html) if "Its test" in text)
    assert first.startswith("digits-mlp: ")
    assert second.startswith(f"{name}: ")
    assert "Its test MSE is" in second
    assert html.count("<h1>") == 2
    shown = [kind["title"] for kind in held(html, "pictures") if kind["workload"] == name]
    assert "Test MSE" in shown and "Test accuracy" not in shown
