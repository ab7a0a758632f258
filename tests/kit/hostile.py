"""Hostile input, and what is promised of it: accepted, or refused in one line, and soon.

Offers: :data:`TEXTS`, :data:`NUMBERS` and :func:`values`, which no one types by mistake alone;
:func:`mutated`, plain data with a few places spoiled; :func:`spoiled`, bytes with a few spoiled;
:func:`fuzzed`, how many examples a test takes; :func:`answered`, which calls and judges.
"""

from __future__ import annotations

import copy
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG = "TRAINSCAPE_FUZZ"  # how many times as many examples, drawn anew at each run
SECONDS = 60.0  # that no answer may take
LINE = 1500  # characters that a line may have: 25 choices of 40 letters

TEXTS = [
    *("", " ", ".", "..", "-", "-rf", "~", "/", "a/b", "../x", "/etc/passwd", "a\\b", ".git"),
    *("a\nb", "a\tb", "\0", "\x1b[31mred", "\x85", "\u2028", "\u202eabc", "\ufeff", "\ud800"),
    *("é", "ß" * 40, "名前", "🙂", "a" * 64, "a" * 65, "a" * 300, "é" * 200, "a." * 3000, "CON"),
    *("$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"', "a b", "{a}", "{1}", "%s", "{{"),
    *("</script><script>alert(1)</script>", "<!--", "javascript:alert(1)", "<img src=x>", "&amp;"),
    *("NaN", "inf", "-inf", "1e400", "1e-400", "1_000", "0x10", "064", "12:30:45", "2024-13-45"),
    *("yes", "null", "true", "10%", "1,5", "sgd", "adam", "digits-mlp", "cosine", "log", "full"),
    *("torch", "torch.optim.SGD", "torch.optim.Nope", "torch.nn.Linear", "os.path", "sys.exit"),
    *("a..b", "..", "torch..optim", "__main__.x", "grid", "tpe", "params.yaml", "<<", "=", "!x"),
]
NUMBERS = [
    *(0, 1, -1, 2, 3, 7, 64, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**12, 10**400),
    *(0.0, -0.0, 0.5, 0.999999, 1.0, 1.5, 5e-324, 1e-300, 1e300, 1.7e308, -1e308),
    *(float("nan"), float("inf"), float("-inf")),
]
SCALARS = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from([None, True, False]),
    st.text(max_size=8),
    st.integers(-3, 3),
    st.floats(width=16),
)


def values() -> st.SearchStrategy[Any]:
    """Plain data of any kind, shallow or deep."""
    inner = st.recursive(
        SCALARS,
        lambda some: st.lists(some, max_size=3) | st.dictionaries(SCALARS, some, max_size=3),
        max_leaves=6,
    )
    deep = st.integers(2, 60).map(lambda n: _nested(n, []))
    return st.one_of(SCALARS, inner, deep)


def _nested(depth: int, value: Any) -> Any:
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@st.composite
def mutated(draw: st.DrawFn, bases: list[Any], most: int = 3) -> Any:
    """One of some plain data, with up to ``most`` of its places spoiled."""
    tree = copy.deepcopy(draw(st.sampled_from(bases)))
    for _ in range(draw(st.integers(1, most))):
        holder, key = draw(st.sampled_from(_places(tree) or [(None, None)]))
        if holder is None:
            return draw(values())
        kind = draw(st.integers(0, 5))
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif kind == 1:
            holder[draw(SCALARS)] = holder.pop(key)
        elif kind == 2:
            holder[key] = draw(st.sampled_from([[holder[key]], {"a": holder[key]}, [], {}]))
        elif kind == 3 and isinstance(holder, dict):
            holder[draw(SCALARS)] = draw(values())
        else:
            holder[key] = draw(values())
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in plain data: what holds it, and its key there."""
    pairs = list(tree.items() if isinstance(tree, dict) else enumerate(tree))
    found = [(tree, key) for key, _ in pairs]
    for _, value in pairs:
        if isinstance(value, dict | list):
            found += _places(value)
    return found


@st.composite
def spoiled(draw: st.DrawFn, content: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of which some are flipped, cut off, doubled, or others than they were."""
    found = draw(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(found)))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            found = found[:at]
        elif kind == 1 and at < len(found):
            found = (
                found[:at] + bytes([found[at] ^ (1 << draw(st.integers(0, 7)))]) + found[at + 1 :]
            )
        elif kind == 2:
            found = found[:at] + draw(st.binary(max_size=4)) + found[at:]
        elif kind == 3:
            found = found[:at] + draw(st.sampled_from(PIECES)) + found[at:]
        elif kind == 4:
            end = draw(st.integers(at, len(found)))
            found = found[:end] + found[at:]
        else:
            found = draw(st.sampled_from([b"\xef\xbb\xbf" + found, found.replace(b"\n", b"\r\n")]))
    return found


PIECES = [
    *(b"\0", b"\t", b"\xff", b"\r", b"\n\n", b'"', b"'", b"{", b"}", b"[", b"]", b":", b",", b"*a"),
    *(b"&a ", b"!!python/name:os.system ", b"!!set ", b"!!int ", b"<<: *a\n", b"---\n"),
    *(b"%YAML 9\n", b"NaN", b"Infinity", b"1e400", b"null", b"\\ud800", b"9" * 400),
    *(b"1" * 5000, b"[" * 500),
]


def fuzzed(few: int) -> Callable[[Any], Any]:
    """How many examples a test takes: the same few at each run, or many new ones."""
    times = int(os.environ.get(LONG) or 0)
    return settings(
        max_examples=few * max(times, 1),
        derandomize=not times,
        database=None,
        deadline=None,  # of the test itself: a machine may be busy
        suppress_health_check=list(HealthCheck),
    )


def answered(call: Callable[[], object]) -> str | None:
    """Call, and say how it was refused, in one line; None where it was not.

    Anything but a :class:`UserError` goes through, and so does one that is no line for a person.
    """
    try:
        with _soon():
            call()
    except UserError as error:
        said = str(error)
        assert said.strip()
        assert said.isprintable(), said
        assert len(said) <= LINE, said
        return said
    return None


class TooLongError(BaseException):
    """An answer took too long. No handler of errors takes it for one of its own."""


@contextmanager
def _soon() -> Iterator[None]:
    def end(*_: object) -> None:
        raise TooLongError(f"no answer after {SECONDS:g} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
