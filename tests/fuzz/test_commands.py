"""Arguments that name no file, no study and no list: one line, and exit code 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trainscape.cli import main

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a" * 300


@pytest.mark.parametrize(
    "words",
    [
        ("which", LONG),
        ("which", "a\x1b[31m"),
        ("diff", LONG),
        ("cells", "--study", LONG),
        ("cells", "--study", "a\0b"),
        ("cells", "--study", "{"),
        ("cells", "--study", '{"a": ' + "[" * 100_000),
        ("cells", "--study", '{"seeds": ' + "1" * 5000 + "}"),
        ("train", "--jobs", LONG),
        ("train", "--jobs", "params.yaml"),
        ("train", "--jobs", "list"),
        ("data", "mnist", "--mirror", "file:///etc/passwd"),
        ("data", "--hash", LONG, "x"),
    ],
    ids=lambda words: " ".join(words)[:24].replace("\0", "0"),
)
def test_a_hostile_argument_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    """Each of these is what a shell may hand over, or a program that calls the command."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("grid: {optimizer: [sgd], lr: [0.1]}\n")
    (tmp_path / "list").write_text('{"output": []}\n')
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("trainscape: ") and said.count("\n") == 1
    assert said.rstrip("\n").isprintable()
