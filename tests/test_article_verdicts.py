"""Whether an article's claim holds: what decides, what is said, and what no claim may change."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from trainscape import analysis, study, workloads
from trainscape.analysis.functions import is_function, outcome
from trainscape.answers import article as decided
from trainscape.answers.article import Case, Told, verdict
from trainscape.errors import UserError
from trainscape.figures.names import Figure
from trainscape.figures.words import alt, caption
from trainscape.pipeline.layout import Layout
from trainscape.report import _verdict as words
from trainscape.report._articles import Article, Drawn
from trainscape.report._sections import Image
from trainscape.report._table import table
from trainscape.report._verdict import Verdict
from trainscape.report._write import environment
from trainscape.statistics.intervals import student

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.analysis import Row

ROOT = Path(__file__).resolve().parent.parent
ARTICLE = {"title": "An article", "claim": "Less is more.", "decided_by": "rate-not-inverse"}
LOWER = {**ARTICLE, "decided_by": "lower-loss", "of": ["momentum"], "than": "sgd"}
STUDY: dict[str, Any] = {
    "workloads": ["digits-mlp"],
    "grid": {"optimizer": ["sgd", "momentum"], "batch_size": [32], "lr": [0.1]},
}


def told(rows: Sequence[Row] = (), **changes: Any) -> Told:
    """What a claim is held against, of an accuracy."""
    judged = workloads.registry.get("digits-mlp").metric
    article = {"of": [], "than": None, "ends": {}, **changes.pop("article", ARTICLE)}
    return replace(Told(article, list(rows), [], [], judged, exact=False), **changes)


def trial(optimizer: str, seed: int, loss: float | None, **changes: Any) -> Row:
    """One trial without a validation split."""
    axes = ("digits-mlp", optimizer, 32, 0.1, "constant")
    return {
        **dict(zip(analysis.AXES, axes, strict=True)),
        "seed": seed,
        "status": "ok" if loss is not None else "diverged",
        "steps": 100,
        "train_loss": loss,
        "val_metric": None,
        "test_metric": loss,
        **changes,
    }


def against(first: Sequence[float | None], second: Sequence[float | None]) -> list[Row]:
    """The trials of momentum and of plain descent, seed by seed."""
    sides = {"momentum": first, "sgd": second}
    return [trial(name, seed, loss) for name, own in sides.items() for seed, loss in enumerate(own)]


def alpha(low: float | None, high: float | None, optimizer: str = "adam") -> Row:
    """How the best rate follows the batch size."""
    names = {"workload": "digits-mlp", "optimizer": optimizer, "schedule": "constant"}
    return {**names, "exponent": 0.5, "low": low, "high": high}


EXPONENTS = [
    ("rate-not-inverse", (0.0, 1.2), "holds"),
    ("rate-not-inverse", (-1.3, -0.6), "does not hold"),
    ("rate-not-inverse", (-1.3, 0.2), "undecided"),
    ("rate-not-inverse", (None, 0.2), "undecided"),
    ("rate-linear", (0.6, None), "holds"),
    ("rate-linear", (0.4, 1.2), "undecided"),
    ("rate-linear", (0.2, 0.9), "does not hold"),
    ("rate-square-root", (0.2, 0.9), "holds"),
    ("rate-square-root", (0.6, 1.2), "does not hold"),
    ("rate-depends-on-batch", (0.1, None), "holds"),
    ("rate-depends-on-batch", (-0.9, -0.1), "holds"),
    ("rate-depends-on-batch", (-0.3, 0.2), "does not hold"),
    ("rate-depends-on-batch", (-0.49, 0.24), "does not hold"),
    ("rate-depends-on-batch", (-0.6, 0.2), "undecided"),
    ("rate-depends-on-batch", (-0.3, 0.3), "undecided"),
    ("rate-depends-on-batch", (-0.3, 0.6), "undecided"),
    ("rate-depends-on-batch", (None, 0.2), "undecided"),
]


@pytest.mark.parametrize(("kind", "ends", "expected"), EXPONENTS)
def test_an_exponent_decides(
    kind: str, ends: tuple[float | None, float | None], expected: str
) -> None:
    """By which rules of thumb its interval holds; a missing bound is none."""
    [case] = decided.cases(told(article={**ARTICLE, "decided_by": kind}, scaling=[alpha(*ends)]))
    assert case.verdict == expected


def test_an_unknown_exponent_decides_nothing() -> None:
    """Not even where the claim is a negative one."""
    none = {**alpha(None, None), "exponent": None}
    for kind in sorted({kind for kind, *_ in EXPONENTS}):
        [case] = decided.cases(told(article={**ARTICLE, "decided_by": kind}, scaling=[none]))
        assert (case.verdict, case.value) == ("undecided", None)


LOSSES = [
    ([1.0, 1.1, 0.9], [2.0, 2.1, 1.9], "holds"),
    ([2.0, 2.1, 1.9], [1.0, 1.1, 0.9], "does not hold"),
    ([1.0, 1.5, 0.5], [1.2, 0.9, 1.3], "undecided"),
    ([1.0], [2.0], "undecided"),  # one seed
    ([None, None], [2.0, 2.1], "does not hold"),
    ([1.0, 1.1], [None, None], "holds"),
    ([1.0, None], [2.0, 2.1], "undecided"),
    ([None, None], [None, None], "undecided"),
]


@pytest.mark.parametrize(("first", "second", "expected"), LOSSES)
def test_losses_decide_by_seed(
    first: list[float | None], second: list[float | None], expected: str
) -> None:
    """By the interval of their differences; one that diverged has lost, one seed says nothing."""
    [case] = decided.cases(told(against(first, second), article=LOWER))
    assert case.verdict == expected


def test_losses_are_compared_at_whatever_else_is_equal() -> None:
    """Rates that one side alone has are left out; several intervals hold together."""
    rows = against([1.0, 1.1, 0.9], [2.0, 2.2, 1.9])
    rows = [*rows[:3], *rows[:2:-1]]  # whatever the order of the seeds
    more = [{**row, "lr": 0.2} for row in rows]
    alone = [{**row, "lr": 0.3} for row in rows if row["optimizer"] == "momentum"]
    found = decided.cases(told(rows + more + alone, article=LOWER))
    assert [case.place["lr"] for case in found] == [0.1, 0.2]
    [single] = decided.cases(told(rows, article=LOWER))
    assert single.low == pytest.approx(student([1.0, 1.1, 1.0])[0])
    assert found[0].low == pytest.approx(student([1.0, 1.1, 1.0], together=2)[0])
    assert found[0].low is not None
    assert single.low is not None
    assert found[0].low < single.low


def test_of_a_function_one_seed_is_enough() -> None:
    """There is no chance in it, so the order of two values decides."""
    rows = against([1.0], [2.0])
    assert decided.cases(told(rows, article=LOWER, exact=True))[0].verdict == "holds"


def test_batch_sizes_can_be_set_against_each_other() -> None:
    """Numbers name them."""
    rows = [
        trial("sgd", seed, size / 100, batch_size=size) for size in (64, 512) for seed in (0, 1, 2)
    ]
    [case] = decided.cases(told(rows, article={**LOWER, "of": [64], "than": 512}))
    assert (case.verdict, case.place["axis"]) == ("holds", "batch_size")


def descents(
    loss: float, noise: float, workload: str = "digits-mlp", validation: bool = True
) -> list[Row]:
    """Three batch sizes, the test metric getting worse by ``loss`` with every doubling.

    Of two rates one is the best by validation, or by the training loss where there is none, and
    seems the worse one by the other two.
    """
    sign = 1 if workloads.registry.get(workload).metric.direction == "max" else -1
    return [
        trial("adam", seed, 1.0 + (lr == 0.1) * (1 if validation else -1) / 2, lr=lr)
        | {"workload": workload, "batch_size": size, "steps": 1000 // size}
        | {"val_metric": 0.5 + sign * (lr == 0.1) / 4 if validation else None}
        | {"test_metric": 0.9 - sign * (loss * at + noise * (seed - 1) * at - (lr != 0.1))}
        for at, size in enumerate((16, 32, 64))
        for lr in (0.2, 0.1)
        for seed in (0, 1, 2)
    ]


def small_batches(rows: Sequence[Row]) -> Case:
    """Whether small batches end better, of one workload."""
    judged = workloads.registry.get(rows[0]["workload"]).metric
    article = {**ARTICLE, "decided_by": "small-batch-generalises"}
    [case] = decided.cases(told(rows, article=article, judged=judged))
    return case


@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize(("workload", "sign"), [("digits-mlp", 1), ("regression", -1)])
@pytest.mark.parametrize(
    ("loss", "noise", "expected"),
    [(0.01, 0.001, "holds"), (-0.01, 0.001, "does not hold"), (0.01, 0.02, "undecided")],
)
def test_small_batches_generalise_by_a_slope(
    loss: float, noise: float, expected: str, workload: str, sign: int, validation: bool
) -> None:
    """Each batch size at its best rate by validation or else by training loss, never by test."""
    case = small_batches(descents(loss, noise, workload, validation))
    assert case.verdict == expected
    assert case.value == pytest.approx(-sign * loss)
    assert case.pair == pytest.approx((0.9, 0.9 - sign * 2 * loss))
    assert case.low is not None and case.high is not None and case.low < case.high


@pytest.mark.parametrize("name", ["val_metric", "train_loss"])
def test_the_order_of_trials_decides_nothing(name: str) -> None:
    """Of rates that are equal but for the last bits, the lowest counts; seeds stay pairs."""
    rows = descents(0.01, 0.001, validation=name == "val_metric")
    for row in rows:
        row[name] = 0.5 + 1e-15 * (row["lr"] != 0.1)
        if name == "train_loss":
            row[name] = 0.5 - 1e-15 * (row["lr"] != 0.1)
        row["test_metric"] += 0.01 * (row["seed"] - 1)
    case = small_batches(rows)
    assert case.pair == pytest.approx((0.9, 0.88))
    mixed = sorted(rows, key=lambda row: (-1 if row["batch_size"] == 64 else 1) * row["seed"])
    assert small_batches(rows[::-1]) == small_batches(mixed) == case


def test_a_descent_ends_where_the_article_prints() -> None:
    """To the digits that it prints, and no further."""
    rows = [trial("sgd", 0, 1.0)]
    path = [
        {**dict.fromkeys(analysis.AXES), "optimizer": "sgd", "seed": 0, "step": step}
        | {"w0": -0.5 - step / 10, "w1": None, "loss": 1.82233e-05}
        for step in (0, 3, 1)
    ]
    article = {**ARTICLE, "decided_by": "ends-at", "of": ["sgd"]}
    wanted = {"w0": -0.8, "loss": 1.8223e-05}
    found = decided.cases(told(rows, article={**article, "ends": wanted}, paths=path))
    assert [case.verdict for case in found] == ["holds", "holds"]
    off = decided.cases(told(rows, article={**article, "ends": {"w0": -0.81}}, paths=path))
    assert verdict(off) == "does not hold"


def test_a_claim_may_hold_in_part() -> None:
    """Where one comparison bears it out and another doesn't; none that does is no part."""
    assert verdict([Case("holds"), Case("does not hold")]) == "holds in part"
    assert verdict([Case("undecided"), Case("does not hold")]) == "undecided"


REFUSED = [
    ({"decided_by": "lower-loss", "of": ["sgd"]}, "needs the key 'than' where decided_by is"),
    ({"than": "sgd"}, "takes no 'than' where decided_by is 'rate-not-inverse'"),
    ({"url": "javascript:alert(1)"}, "is no address of a page; write https://…"),
    ({"claim": ""}, "article.claim: is empty"),
    ({"titel": "x"}, "unknown 'titel'; did you mean 'title'?"),
    ({"decided_by": "lower-los"}, "did you mean 'lower-loss'?"),
    ({**LOWER, "than": "sdg"}, "article.than: unknown 'sdg'; did you mean 'sgd'?"),
    ({**LOWER, "of": ["constant"]}, "article.of: unknown 'constant'; choose from: momentum, sgd"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_an_article_that_cannot_be_decided_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    """In one line, before anything is trained."""
    with pytest.raises(UserError) as refused:
        Layout(study.parse({**STUDY, "article": {**ARTICLE, **changes}}, "test"))
    assert message in str(refused.value)


def test_an_article_decides_nothing_but_its_page() -> None:
    """No cell, no step time, no table and no figure is made again for its words."""
    plain, told_of = (
        Layout(study.parse({**STUDY, **more}, "test")) for more in ({}, {"article": ARTICLE})
    )
    assert list(plain.cells) == list(told_of.cells)
    assert plain.throughput == told_of.throughput
    for stage in ("collect", "answer", "figures", "timings"):
        assert plain.stamp(stage) == told_of.stamp(stage)
    assert plain.stamp("report") != told_of.stamp("report")


def test_the_numbers_that_decide_are_said() -> None:
    """The verdict, both losses, how far apart they are, and what that rests on."""
    said = words.verdict(told(against([1.0, 1.1, 0.9], [2.0, 2.2, 1.9]), article=LOWER))
    assert (said.word, said.claim) == ("Holds", "Less is more.")
    assert said.reason == (
        "Final training loss, mean over 3 seeds, paired by seed; a 95% interval: momentum ends at "
        "1, sgd at 2.03, lower by 1.03 (0.89 to 1.18)."
    )


def test_a_claim_that_holds_in_part_says_where() -> None:
    """How many comparisons bear it out, and which do not."""
    rows = [alpha(0.4, 1.2, "sgd"), alpha(-0.3, 0.6, "adam")]
    article = {**ARTICLE, "decided_by": "rate-depends-on-batch"}
    said = words.verdict(told(article=article, scaling=rows))
    assert said.word == "Holds in 1 of 2 cases"
    assert said.reason.endswith(
        "−1 inverse. Holds: sgd, α = 0.50 (0.40 to 1.20). "
        "Undecided: adam, α = 0.50 (−0.30 to 0.60)."
    )


def test_a_slope_names_its_updates() -> None:
    """Equal epochs mean fewer updates at larger batches, which may be all that there is to it."""
    case = small_batches(descents(0.01, 0.001))
    assert words._doubling(case, told()) == (
        "adam, from 90.0% at batch size 16 (62 updates) to 88.0% at 64 (15 updates), "
        "−1 points (−1.25 to −0.752) a doubling"
    )


def test_the_section_is_claim_then_verdict_then_figure_then_source() -> None:
    """In that order; the address is a link, escaped, and nothing is fetched."""
    image = Image("data:image/svg+xml;base64,", "a way", "below", 10, 10)
    drawn = Drawn("path", "The way down", "Every point.", [image], None, long=False)
    says = Verdict("T & Co", "https://example.org/?a=1&b=2", "It sinks.", "Holds", "By 3.")
    template = environment().get_template("articles.html.j2")
    html = template.render(articles=[Article("valley", says, [drawn])], panels=[None], at="")
    parts = [
        "It sinks.",
        "<strong>Holds.</strong> By 3.",
        "<img ",
        "Every point.",
        "T &amp; Co</a>",
    ]
    places = [html.index(part) for part in parts]
    assert places == sorted(places)
    assert '<section id="article"' in html
    assert '<a href="https://example.org/?a=1&amp;b=2" rel="noreferrer">' in html
    assert re.findall(r"(?:src|href)=\"(?!data:)([^\"]*)", html) == [
        "https://example.org/?a=1&amp;b=2"
    ]


@pytest.mark.parametrize("name", ["valley", "quadratic"])
def test_no_value_of_a_function_is_a_test_value(name: str) -> None:
    """Captions, alternative texts and the table of cells call it what it is."""
    assert is_function(name)
    assert outcome(name) == "function's value"
    entries = synthetic.study(name, ("sgd",), (1,), (0.1, 0.2), ("constant",), validation=0.0)
    rows = analysis.records(analysis.summary(analysis.trials(entries, {name: 0.0})))
    figure = Figure(name, "test-metric", "sgd", "constant")
    for said in (caption(figure, rows), alt(figure, rows)):
        assert "function's value" in said
        assert "test" not in said
    columns = table(rows, validated=False, timed=False).columns
    assert "value" in {column.title for column in columns}
    assert not any("test" in column.title + column.about for column in columns)


def test_a_workload_with_data_has_test_values() -> None:
    """Also one that is judged by its loss."""
    assert outcome("regression") == "test MSE"
    assert not is_function("regression")


@pytest.mark.parametrize(
    "name",
    [
        *("golden-rule", "regression-adam", "mnist-momentum", "mnist-batches", "valley"),
        *("exponential-decay", "cnn-batch-size", "cnn-batch-size-smoke"),
    ],
)
def test_every_study_of_an_article_says_what_it_claims(name: str) -> None:
    """With what decides it, and a figure or table to show."""
    found = study.read(ROOT / "studies" / f"{name}.yaml")
    assert found.article
    assert found.article.claim.endswith(".")
    assert found.article.decided_by in decided.DECIDE
    assert found.article.decided_by in words.WORDS
    assert found.figures
