"""What is damaged in DVC's cache, too, leaves it; DVC would bring it back and push it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from trainscape.pipeline.kept import kept_object, remove_damaged


def keep(content: bytes, end: str = "") -> str:
    """Put content into DVC's cache, protected; its name."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + end
    path = kept_object(Path(), md5)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
    return md5


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A table and two cells as DVC keeps them; their names in its cache."""
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    cells = {name: keep(name.encode()) for name in ("a.json", "b.json")}
    entries = [{"relpath": f"net/{name}", "md5": md5} for name, md5 in cells.items()]
    outs = {
        "results/curves.csv": keep(b"curves"),
        "results/cells": keep(json.dumps(entries).encode(), ".dir"),
    }
    lock = {"stages": {"all": {"outs": [{"path": p, "md5": md5} for p, md5 in outs.items()]}}}
    Path("dvc.lock").write_text(json.dumps(lock))
    return {**outs, **{f"results/cells/net/{name}": md5 for name, md5 in cells.items()}}


def damage(path: Path) -> None:
    """Change a protected file."""
    path.chmod(0o644)
    path.write_bytes(b"X" + path.read_bytes()[1:])
    path.chmod(0o444)


def test_a_damaged_object_leaves_the_cache(names: dict[str, str]) -> None:
    """That of a file, and of a file in a folder; what is whole there stays."""
    cell, other = "results/cells/net/a.json", "results/cells/net/b.json"
    table = "results/curves.csv"
    for file in (cell, table):
        damage(kept_object(Path(), names[file]))
    assert list(remove_damaged(Path(), [other, "results/best.csv"])) == []
    lines = list(remove_damaged(Path(), [cell, other, table]))
    md5 = names[cell]
    assert lines[0] == (
        f"{cell}: DVC's cache had it damaged and has it no more; if a remote has it so, "
        f"delete files/md5/{md5[:2]}/{md5[2:]} there before 'dvc push'"
    )
    assert [line.partition(":")[0] for line in lines] == [cell, table]
    there = {file: kept_object(Path(), md5).exists() for file, md5 in names.items()}
    assert there == {cell: False, table: False, other: True, "results/cells": True}
    assert list(remove_damaged(Path(), [cell, other, table])) == []


def test_a_link_to_the_cache_becomes_a_file(names: dict[str, str]) -> None:
    """The damaged content stays in the project until it is made again."""
    table = Path("results/curves.csv")
    table.parent.mkdir()
    path = kept_object(Path(), names[str(table)])
    damage(path)
    table.symlink_to(path)
    assert len(list(remove_damaged(Path(), [str(table)]))) == 1
    assert table.read_bytes() == b"Xurves" and not table.is_symlink()


@pytest.mark.parametrize(
    "text", [None, "stages: [", "stages: {a: 3}", "stages: {a: {outs: [{path: 3}, 4]}}"]
)
def test_without_a_lock_file_nothing_is_known(names: dict[str, str], text: str | None) -> None:
    """None, a broken one, or one that names no content."""
    Path("dvc.lock").unlink()
    if text is not None:
        Path("dvc.lock").write_text(text)
    assert list(remove_damaged(Path(), names)) == []
