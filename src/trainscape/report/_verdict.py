"""Whether an article's claim holds in our results: the verdict and the numbers that decide it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.analysis import grouped
from trainscape.answers import article as decided
from trainscape.figures.values import number, score
from trainscape.numerals import counted, hundredths
from trainscape.report._claim import bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.answers.article import Case, Told

    Say = Callable[[Case, Told], str]

NAMES = {"batch_size": "batch size ", "lr": "lr "}  # of axes whose values do not speak alone
ENDS = (("from", "from_steps"), ("to", "to_steps"))  # of a row of batch sizes
ORDER = ("holds", "does not hold", "undecided")
DIGITS = 6  # of what an article prints step by step


@dataclass(frozen=True)
class Verdict:
    """What stands above an article's figures.

    Args:
        title: the article's.
        url: where it is; empty if the study doesn't say.
        claim: what it says.
        word: whether that holds.
        reason: the numbers that decide, in sentences.
    """

    title: str
    url: str
    claim: str
    word: str
    reason: str


def verdict(told: Told) -> Verdict:
    """The verdict of a workload's results."""
    article = told.article
    found = decided.cases(told)
    word, count = decided.verdict(found), sum(case.verdict == "holds" for case in found)
    shown = f"holds in {count} of {len(found)} cases" if word == "holds in part" else word
    basis, say = WORDS[article["decided_by"]]
    alike = len({case.verdict for case in found}) < 2
    return Verdict(
        article["title"],
        article.get("url", ""),
        article["claim"],
        shown.capitalize(),
        f"{basis(found, told)}{':' if alike else '.'} {_listed(found, told, say)}",
    )


def _listed(found: Sequence[Case], told: Told, say: Say) -> str:
    """Every case in words, in a sentence for each verdict."""
    if not found:
        return "no two cells differ in that alone."
    if len({case.verdict for case in found}) < 2:
        return f"{'; '.join(say(case, told) for case in found)}."
    same = grouped([{"verdict": c.verdict, "said": say(c, told)} for c in found], ("verdict",))
    listed = {own[0]["verdict"]: "; ".join(row["said"] for row in own) for own in same}
    return " ".join(f"{word.capitalize()}: {listed[word]}." for word in ORDER if word in listed)


def _exponents(found: Sequence[Case], _: Told) -> str:
    each = "each with its 95% interval" if len(found) > 1 else "with its 95% interval"
    return (
        f"Best lr ∝ batch size^α, {each}, where α = 1 is linear, ½ the square root, 0 no "
        "relation and −1 inverse"
    )


def _exponent(case: Case, _: Told) -> str:
    if case.value is None:
        return f"{case.place['of']}, α not known"
    ends = bounds(case.low, case.high, hundredths) or " (no bounds)"
    return f"{case.place['of']}, α = {hundredths(case.value)}{ends}"


def _losses(found: Sequence[Case], told: Told) -> str:
    if told.exact:
        return "The function's value, the same for every seed"
    seeds = max((case.seeds for case in found), default=0)
    if seeds < 2:
        return "Final training loss of one seed, and how far seeds differ is not known"
    together = ", which hold together" if len(found) > 1 else ""
    intervals = "95% intervals" if len(found) > 1 else "a 95% interval"
    return (
        f"Final training loss, mean over {counted(seeds, 'seed')}, paired by seed; "
        f"{intervals}{together}"
    )


def _loss(case: Case, told: Told) -> str:
    """Two losses and how far they are apart."""
    axis, first, second = case.place["axis"], case.place["of"], told.article["than"]
    if axis == "batch_size":
        first, second = f"batch size {first}", f"batch size {second}"
    varied = {name: value for name, value in case.place.items() if name not in ("axis", "of")}
    at = ", ".join(f"{NAMES.get(name, '')}{_plain(value)}" for name, value in varied.items())
    where = f" ({at})" if at else ""
    if case.value is None:
        return f"{first} beside {second}{where}, where not every trial came to its end"
    ours, theirs = (number(value) for value in case.pair if value is not None)
    said = f"{first} ends at {ours}, {second} at {theirs}{where}"
    if case.low is None or case.high is None:
        return said
    ends = sorted((abs(case.low), abs(case.high)))
    if case.verdict == "undecided":
        ends = [case.low, case.high]
        return f"{said}, lower by {_signed(case.value)} ({_signed(ends[0])} to {_signed(ends[1])})"
    word = "lower" if case.value > 0 else "higher"
    return f"{said}, {word} by {number(abs(case.value))} ({number(ends[0])} to {number(ends[1])})"


def _plain(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _doublings(found: Sequence[Case], told: Told) -> str:
    by = "validation" if told.trials[0]["val_metric"] is not None else "training loss"
    seeds = max((case.seeds for case in found), default=0)
    return (
        f"Test {told.judged.name} of each batch size at its best rate by {by}, over "
        f"{counted(seeds, 'seed')}, and its change with every doubling of the batch with a 95% "
        "interval"
    )


def _doubling(case: Case, told: Told) -> str:
    if case.value is None:
        return f"{case.place['of']}, fewer than two batch sizes came to their end"
    first, last = (score(v, told.judged, unit=True) for v in case.pair if v is not None)
    unit, size = (" points", 100) if told.judged.unit == "fraction" else (told.judged.unit, 1)

    def words(value: float) -> str:
        return _signed(size * value)

    change = f"{words(case.value)}{unit}{bounds(case.low, case.high, words)} a doubling"
    small, large = (f"{case.place[end]} ({case.place[steps]} updates)" for end, steps in ENDS)
    return f"{case.place['of']}, from {first} at batch size {small} to {last} at {large}, {change}"


def _signed(value: float, digits: int = 3) -> str:
    """A number with a real minus."""
    return f"−{number(-value, digits)}" if value < 0 else number(value, digits)


def _printed(found: Sequence[Case], _: Told) -> str:
    return f"After the last step of {found[0].place['of']}, our values beside the article's"


def _ends(case: Case, told: Told) -> str:
    name = case.place["value"]
    alone = all(row.get("w1") is None for row in told.paths)
    ours = "no number" if case.value is None else _signed(case.value, DIGITS)
    theirs = _signed(case.pair[1] or 0.0, DIGITS)
    return f"{'w' if name == 'w0' and alone else name} = {ours}, the article's {theirs}"


OF_RATES = (_exponents, _exponent)
WORDS: dict[str, tuple[Callable[[Sequence[Case], Told], str], Say]] = {
    "rate-depends-on-batch": OF_RATES,
    "rate-not-inverse": OF_RATES,
    "rate-linear": OF_RATES,
    "rate-square-root": OF_RATES,
    "lower-loss": (_losses, _loss),
    "small-batch-generalises": (_doublings, _doubling),
    "ends-at": (_printed, _ends),
}
