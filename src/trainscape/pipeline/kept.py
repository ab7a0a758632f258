"""What DVC keeps of a project's files, by its lock file and in its cache, each by its md5."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import yaml

from trainscape.files import copy
from trainscape.pipeline.versioned import dvc_cache

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

LOCK = "dvc.lock"


def outs(text: str) -> list[dict[str, Any]]:
    """What the stages of a lock file have made; nothing of a broken one."""
    try:
        stages: dict[str, Any] = (yaml.safe_load(text) or {}).get("stages", {})
        found = [out for stage in stages.values() for out in stage.get("outs", ())]
    except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError):
        return []  # such as that of a commit made in the middle of a merge
    return [out for out in found if isinstance(out, dict)]


def kept_object(project: Path, md5: str) -> Path:
    """Where DVC's cache has the content with this md5, if it has."""
    return dvc_cache(project) / "files" / "md5" / md5[:2] / md5[2:]


def listing(project: Path, md5: str) -> Mapping[str, str] | None:
    """The md5 of each file of a folder; None if DVC's cache does not have the folder's list."""
    try:
        entries = json.loads(kept_object(project, md5).read_text(encoding="utf-8"))
        return {entry["relpath"]: entry["md5"] for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_damaged(project: Path, files: Collection[str]) -> Iterator[str]:
    """Remove damaged files from DVC's cache, too: it would bring them back, and push them.

    DVC takes what is in its cache for right: it would not keep what is made again in its place.

    Args:
        project: the folder of the lock file.
        files: those that are damaged, as the project names them.

    Yields:
        A line for each that was damaged there.
    """
    if not files:  # as mostly, and to read a lock file of a thousand lines takes 0.1 s
        return
    try:
        text = (project / LOCK).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    known = _every(project, text)
    for file in files:
        path = kept_object(project, known[file]) if file in known else None
        if path is None or not path.is_file() or _md5(path) == known[file]:
            continue
        name = path.relative_to(path.parents[3])
        try:
            if (project / file).is_symlink():
                copy(project / file, project / file)
            path.unlink()
        except OSError as error:
            yield f"{file}: DVC's cache has it damaged; remove {path} ({error.strerror})"
        else:
            yield (
                f"{file}: DVC's cache had it damaged and has it no more; if a remote has it so, "
                f"delete {name} there before 'dvc push'"
            )


def _every(project: Path, text: str) -> dict[str, str]:
    """The md5 of every file that a lock file names, alone or in a folder."""
    found: dict[str, str] = {}
    for out in outs(text):
        path, md5 = str(out.get("path")), str(out.get("md5"))
        if md5.endswith(".dir"):
            files = listing(project, md5) or {}
            found.update((f"{path}/{name}", own) for name, own in files.items())
        else:
            found[path] = md5
    return found


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return content.hexdigest()
