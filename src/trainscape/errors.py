"""Errors for users: one line that names the key, the value and the nearest valid choice."""

from __future__ import annotations

import datetime
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What other libraries call the same, in lower case, where the spelling is too far off to be near.
ALIASES = {
    **dict.fromkeys(("gpu", "cuda:0", "nvidia"), "cuda"),
    **dict.fromkeys(("fp16", "float16", "half", "bfloat16", "mixed", "amp", "16"), "bf16"),
    **dict.fromkeys(("float", "float32", "single", "full", "32"), "fp32"),
    **dict.fromkeys(("learning_rate", "learning_rates", "rate", "rates", "lrs"), "lr"),
    **dict.fromkeys(("batch", "batches", "bs", "batchsize"), "batch_size"),
    **dict.fromkeys(("scheduler", "schedulers", "lr_scheduler", "lr_schedule"), "schedule"),
    **dict.fromkeys(("opt", "opts", "optim"), "optimizer"),
    **dict.fromkeys(("model", "models", "dataset", "datasets", "tasks"), "workloads"),
    **dict.fromkeys(("repeats", "n_seeds", "random_state"), "seeds"),
    **dict.fromkeys(("val", "val_split", "validation_split", "holdout"), "validation"),
    **dict.fromkeys(("wd", "l2"), "weight_decay"),
    **dict.fromkeys(("warmup_steps", "warm_up"), "warmup"),
    **dict.fromkeys(("maximize", "maximise", "maximum", "higher", "up"), "max"),
    **dict.fromkeys(("minimize", "minimise", "minimum", "lower", "down"), "min"),
    "steplr": "step",
    "exponentiallr": "exponential",
    "linearlr": "linear",
    "polynomiallr": "polynomial",
    "cosineannealinglr": "cosine",
    "cosineannealingwarmrestarts": "warm_restarts",
    "cycliclr": "cyclical",
    "onecyclelr": "one_cycle",
    "reducelronplateau": "plateau",
}
LISTED = 25  # choices that a message lists
SHOWN = 80  # characters of a value that a message repeats
TOLD = 300  # and of other words that are not ours


class UserError(Exception):
    """A mistake that the user can correct. Its text is one line, printed before exit code 2.

    Names of a stranger's are repeated in it: what a terminal would obey is told, not done.
    """

    def __str__(self) -> str:
        return "\n".join(map(printable, super().__str__().split("\n")))

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle, which would make an error from its text alone; kinds take more."""
        return _again, (type(self), self.args, vars(self))


def _again(kind: type[UserError], args: tuple[Any, ...], about: dict[str, Any]) -> UserError:
    """An error of another process."""
    error = kind.__new__(kind, *args)
    vars(error).update(about)
    return error


class DamagedFileError(UserError):
    """A file of the study's is not what was made.

    Args:
        path: the file.
        why: what is wrong with it, such as ``was edited``.
    """

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path}: {why}; run snakemake to make it again")
        self.path, self.why = str(path), why


class MissingFileError(UserError):
    """A file of the study's is not there.

    Args:
        path: the file.
    """

    def __init__(self, path: object) -> None:
        super().__init__(f"{path}: no such file; run snakemake to make it")
        self.path = str(path)


class Failures:
    """Collects the errors of many tasks, so that the others are done before any is raised."""

    def __init__(self) -> None:
        self.lines: dict[str, None] = {}  # each once, in their order

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep a user's error that the block raises, and go on."""
        try:
            yield
        except UserError as error:
            self.lines.update(dict.fromkeys(str(error).splitlines()))

    def tell(self) -> None:
        """Raise the errors that were kept, if there are any.

        Raises:
            UserError: holds one line for each different error.
        """
        if self.lines:
            raise UserError("\n".join(self.lines))


def unknown(key: str, value: object, choices: Iterable[str]) -> UserError:
    """The error for a name that is not among ``choices``: offers the nearest one, or lists all."""
    known = sorted(choices)
    meant = near(value, known)
    listed = ", ".join([*known[:LISTED], *["…"] * (len(known) > LISTED)])
    hint = f"did you mean {meant!r}?" if meant else f"choose from: {listed or '(none)'}"
    return UserError(f"{cut(key)}: unknown {shown(value)}; {hint}")  # a key may hold a user's name


def near(value: object, choices: Iterable[str]) -> str | None:
    """The choice that ``value`` is another name for, or is spelt nearly as."""
    spelt = {choice.casefold(): choice for choice in choices}
    if isinstance(value, str) and len(value) > SHOWN:
        return None
    alias = ALIASES.get(str(value).casefold(), "")
    if alias in spelt:
        return spelt[alias]
    found = get_close_matches(str(value).casefold(), spelt, n=1, cutoff=0.62)
    return spelt[found[0]] if found else None


def cut(text: str, most: int = TOLD) -> str:
    """Words that are not ours, such as another error's, no longer than a message can hold."""
    return text if len(text) <= most else text[: most - 1] + "…"


def shown(value: object) -> str:
    """A value as a message repeats it: on one line, and cut where it is long."""
    try:
        text = str(value) if isinstance(value, datetime.date) else repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of lists within each other
        return f"a {type(value).__name__} too long to show"
    return cut(text, SHOWN)


def printable(text: str) -> str:
    """A text in which what a terminal obeys, or what no file can hold, is spelled out.

    >>> printable("a" + chr(27) + "[31mb") == "a" + repr(chr(27))[1:-1] + "[31mb"
    True
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
