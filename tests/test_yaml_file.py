"""A study is what its file says, to every reader of YAML."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ruamel.yaml import YAML

from kit.hostile import answered
from trainscape.errors import UserError
from trainscape.study.yaml_file import LONGEST, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

# A word, what YAML 1.1 takes it for, and what YAML 1.2 does.
DIFFERENT = [
    ("064", "52", "64"),
    ("-017", "-15", "-17"),
    ("0_17", "15", "17"),
    ("0o17", "'0o17'", "15"),
    ("1:30", "90", "'1:30'"),
    ("1:30:00", "5400", "'1:30:00'"),
    ("1:30.5", "90.5", "'1:30.5'"),
    ("yes", "true", "'yes'"),
    ("No", "false", "'No'"),
    ("on", "true", "'on'"),
    ("OFF", "false", "'OFF'"),
    ("!!int 064", "52", "64"),
    ("&a 064", "52", "64"),
]
ALIKE = [
    *(
        "1e3",
        "1e-3",
        ".5e3",
        ".5e+3",
        "1e+3",
        "+.5",
        "0128",
        "1_000",
        "0x1F",
        "0b11",
        "00",
        "1.",
        "-0",
    ),
    *("~", "null", "Null", "true", "False", "y", "n", ".inf", ".nan", "inf", "1e400", "text"),
    *("'064'", '"yes"', "2024-01-01", "10%", "0.1.2", "a:b", "!!str 064"),
]


def read(tmp_path: Path, text: str) -> Any:
    """What is read from a file with this text."""
    file = tmp_path / "params.yaml"
    file.write_text(text, encoding="utf-8")
    return read_yaml(file)


@pytest.mark.parametrize(("word", "older", "newer"), DIFFERENT)
def test_a_word_that_readers_take_differently_is_refused(
    tmp_path: Path, word: str, older: str, newer: str
) -> None:
    """One line has key, spelling, line, both values and how to write them."""
    with pytest.raises(UserError) as refused:
        read(tmp_path, f"# octal?\ngrid:\n  lr: [1, {word}]\n")
    assert str(refused.value) == (
        f"{tmp_path}/params.yaml: grid.lr[1]: {word} in line 3 is {older} in YAML 1.1 and {newer} "
        f"in YAML 1.2, which DVC reads; write {older} or {newer}"
    )


@pytest.mark.parametrize("spelled", sorted({s for _, *both in DIFFERENT for s in both}))
def test_the_spellings_that_are_offered_are_unambiguous(tmp_path: Path, spelled: str) -> None:
    """What the message says to write is taken, and both readers have the same value for it."""
    assert read(tmp_path, f"a: {spelled}")["a"] == YAML(typ="safe").load(spelled)


@pytest.mark.parametrize("word", ALIKE)
def test_a_word_that_comes_to_the_same_is_read(tmp_path: Path, word: str) -> None:
    """Numbers may be spelled in any way that gives one number; text stays text."""
    assert repr(read(tmp_path, f"a: {word}")) == repr(yaml.safe_load(f"a: {word}"))


def test_a_key_is_a_word_too(tmp_path: Path) -> None:
    """``on`` as a key is true in YAML 1.1."""
    with pytest.raises(UserError, match=r"params\.yaml: on in line 1 is true in YAML 1\.1 and 'on"):
        read(tmp_path, "on: 3")
    with pytest.raises(UserError, match=r"params\.yaml: grid: 010 in line 1 is 8 in YAML 1\.1"):
        read(tmp_path, "grid: {010: 3}")


@pytest.mark.parametrize(
    "text",
    [
        "base: &base {a: 1, b: [0.5, x]}\nmine: {<<: *base, b: 2}\nagain: *base\n",
        "a: |\n  064\n  yes\nb: >-\n  1:30\n",
        "{a: {b: [1, two, {c: null}]}}",
        "",
        "- 1\n- yes-no\n",
    ],
)
def test_all_other_yaml_is_read(tmp_path: Path, text: str) -> None:
    """Anchors, merge keys, blocks of text and flow style mean the same to both."""
    assert read(tmp_path, text) == yaml.safe_load(text)


def test_a_structure_that_readers_take_differently_is_refused(tmp_path: Path) -> None:
    """Without a space after it, a colon ends a key in YAML 1.1 and belongs to it in YAML 1.2."""
    with pytest.raises(UserError) as refused:
        read(tmp_path, "grid: {lr: [0.1], more: [{sgd:}]}")
    assert str(refused.value) == (
        f"{tmp_path}/params.yaml: grid.more[0]: is {{'sgd': None}} in YAML 1.1 and "
        "{'sgd:': None} in YAML 1.2, which DVC reads; put a space after each ':', and text in "
        "quotes"
    )


def test_what_only_one_reader_can_read_is_refused(tmp_path: Path) -> None:
    """YAML 1.1 ends a line where Unicode does; one line says that DVC cannot read it."""
    with pytest.raises(UserError, match="YAML 1") as refused:
        read(tmp_path, "name: a\u2028output: b\n")
    assert "\n" not in str(refused.value)


TWICE = "\n".join(f"{new}: &{new} [*{old}, *{old}]" for old, new in pairwise("abcdefghijklmnopqr"))
LIMITS = [
    ("a: " + "[" * 32, 1, "more than 32 lists and mappings within each other"),
    ("a: &a [x]\n" + TWICE, 17, "more than 100000 values, counted as aliases repeat them"),
    ("a: &a [*a]", 1, "an alias stands within what it is an alias of"),
    ("a: 1" + "0" * 309, 1, "a whole number with more than 308 digits"),
    ("a: 1\nb: !!timestamp foo", 2, "the value is not what its tag says"),
    ("a: 2024-13-01", 1, "month must be in 1..12"),
    ("a: !mine 3", 1, "the tag '!mine' is no part of a study; remove it"),
]


@pytest.mark.parametrize(("text", "line", "why"), LIMITS, ids=[why for *_, why in LIMITS])
def test_what_no_study_holds_is_refused(tmp_path: Path, text: str, line: int, why: str) -> None:
    """Depth, size and tags have limits, and the line where one is passed is named."""
    with pytest.raises(UserError) as refused:
        read(tmp_path, text)
    assert str(refused.value) == f"{tmp_path}/params.yaml: broken YAML in line {line}: {why}"


def test_no_more_of_a_file_is_read_than_a_study_may_hold(tmp_path: Path) -> None:
    """A file without end is refused as soon as one that is a letter too long."""
    endless = tmp_path / "endless.yaml"
    endless.symlink_to("/dev/zero")
    long = tmp_path / "long.yaml"
    long.write_text("#" * (LONGEST + 1))
    for path in (endless, long):
        assert answered(lambda: read_yaml(path)) == (  # noqa: B023
            f"{path}: has more than {LONGEST} characters, which no parameter file has; "
            "give rates by {log: [low, high, n]} and seeds by their number"
        )
    long.write_text("#" * LONGEST)
    assert read_yaml(long) is None
