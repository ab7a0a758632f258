"""A study survives what the drill does to it, and the drill sees what it does not survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chaos.__main__ import table, told
from chaos.faults import AMID, AT_REST, MOUNTED
from chaos.rounds import FOLLOWS, TRACEBACK, Drill, Result, has_traceback

if TYPE_CHECKING:
    from pathlib import Path

SEED = 3


@pytest.mark.dag
def test_three_rounds(tmp_path: Path) -> None:
    """Damage, a signal and a death at random: the end has the bytes of an undisturbed run.

    In the last round the drill takes one cell for another, and must say so of this one alone.
    """
    drill = Drill(tmp_path, SEED, small=True)
    rounds = (
        ("checkpoint renamed", "cell altered", "kill -9 of Snakemake"),
        ("table cut", "dataset altered", "Ctrl-C"),
        ("stamp altered", "kill -9 of a process that trains", "files dated in the future"),
    )
    for number, faults in enumerate(rounds[:-1]):
        result = drill.round(number, faults)
        assert result.good, told(result)
    cell = next(name for name in drill.end if "/cells/" in name)
    drill.end[cell] += b" "
    result = drill.round(2, rounds[-1])
    assert result.wrong == [cell]
    result.wrong.clear()
    assert result.good, told(result)


def test_the_table_counts() -> None:
    """A row for each fault that was injected, and one for all; a bad round names what it lost."""
    good = Result(0, ["Ctrl-C", "cell cut"], trained=2, unlocked=True)
    bad = Result(1, ["Ctrl-C"], lost=["a"], wrong=["b", "c"], hangs=1, tracebacks=["t"], failed="f")
    assert table([good, bad])[2:] == [
        "| Ctrl-C | 2 | 1 | 2 | 1 | 1 | 1 |",
        "| cell cut | 1 | 0 | 0 | 0 | 0 | 0 |",
        "| all rounds | 2 | 1 | 2 | 1 | 1 | 1 |",
    ]
    assert told(good) == (
        "round 0, 0 s: Ctrl-C; cell cut: survived, 2 cells to train, after --unlock"
    )
    assert told(bad).splitlines()[1:4] == ["  lost: a", "  wrong: b", "  wrong: c"]
    assert not {*AT_REST} & {*AMID} and not {*MOUNTED} & {*AT_REST, *AMID}


def test_a_traceback_is_excused_that_nothing_of_ours_could_prevent() -> None:
    """That of a Ctrl-C while Python starts, an error before it too; no other, and none of ours."""
    theirs = f'{TRACEBACK}:\n  File "lib/abc.py", line 1\n'
    ours = f'{TRACEBACK}:\n  File "src/trainscape/cli.py", line 1\n'
    stopped = "KeyboardInterrupt\n"
    assert not has_traceback("Stopped.\n")
    assert not has_traceback(theirs + stopped)
    assert not has_traceback(
        f"{theirs}KeyError: 'a'{FOLLOWS}{theirs}{stopped}more\n{theirs}{stopped}"
    )
    assert has_traceback(theirs + "KeyError: 'a'\n")
    assert has_traceback(f"{theirs}KeyError: 'a'\n{theirs}{stopped}")
    assert has_traceback(ours + stopped)
    assert has_traceback(f"{theirs}KeyError: 'a'{FOLLOWS}{ours}{stopped}")
    assert has_traceback(f"{theirs}{stopped}{FOLLOWS}{theirs}KeyError: 'a'\n")
