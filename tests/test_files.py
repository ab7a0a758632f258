"""Files are there whole or not at all."""

from pathlib import Path

import pytest

from trainscape.files import replacing, write_json, write_text


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """An exception in the middle of a write leaves the old content and no temporary file."""
    path = tmp_path / "report.html"
    write_text(path, "old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_replaces_the_file_at_once(tmp_path: Path) -> None:
    """Until a write has ended, readers meet the old content; then the new, and nothing else."""
    path = tmp_path / "made" / "on the way" / "a.txt"
    write_text(path, "old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert Path(file.name).parent == path.parent
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_json_is_strict_sorted_and_indented(tmp_path: Path) -> None:
    """Metrics are written so that a change of one value is a change of one line."""
    write_json(tmp_path / "m.json", {"b": 1, "a": [None, 0.1]})
    text = (tmp_path / "m.json").read_text()
    assert text == '{\n "a": [\n  null,\n  0.1\n ],\n "b": 1\n}\n'


def test_json_that_is_not_strict_is_never_written(tmp_path: Path) -> None:
    """NaN and infinity are an error where they are written, and leave no file."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"a": float("inf")})
    assert list(tmp_path.iterdir()) == []
