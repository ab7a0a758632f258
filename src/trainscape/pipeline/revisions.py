"""Versions of a study's results: a git revision, or a folder; a remote is needed for neither."""

from __future__ import annotations

import hashlib
import os
import posixpath
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.errors import UserError, near, printable
from trainscape.files import kind
from trainscape.pipeline.kept import LOCK, outs
from trainscape.pipeline.origin import origin
from trainscape.study.yaml_file import parsed_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

TRIALS = "trials.csv"
OUTPUT = "results"  # where a study's results go if its file does not say


@dataclass(frozen=True)
class Version:
    """Results as they are at one commit, or in one folder.

    Args:
        title: names it for people.
        params: the study's values, as its file states them; empty where it has none.
        folder: the output folder, for messages; empty where the title says it.
        text: the content of a file of the output folder, None where there is none.
        doubt: why its table of trials may not be what belongs to the rest; None where nothing says.
    """

    title: str
    params: dict[str, Any]
    folder: str
    text: Callable[[str], str | None]
    doubt: Callable[[], str | None] = lambda: None

    def trials(self) -> str:
        """The content of ``trials.csv``.

        Raises:
            UserError: there is none.
        """
        text = self.text(TRIALS)
        if text is None:
            hint = "name another revision, or the folder by --results"
            raise UserError(f"{self.title}: has no {self.folder}/{TRIALS}; {hint}")
        return text


def version(word: str | None, study: str, results: str | None) -> Version:
    """The version that a word names.

    Args:
        word: a file or folder, else a git revision; None for the current folder.
        study: the parameter file, relative to the project's folder.
        results: the output folder, relative to it; None for the one that the study names.

    Raises:
        UserError: there is no such version; offers the nearest name of a branch or tag.
    """
    if word is None:
        return _of_project(Path(), "workspace", study, results)
    path = Path(word)
    if kind(path) == "file":
        return _of_table(path, study)
    if kind(path) == "folder":
        if results is None and (path / TRIALS).exists():
            return _of_output(path, word, study)
        return _of_project(path, word, study, results)
    return _of_revision(word, study, results)


def _of_project(root: Path, title: str, study: str, results: str | None) -> Version:
    params = _params(_read(root / study), str(root / study))
    folder = Path(results or _output(params))
    doubt = partial(_changed_since, root / folder / TRIALS, title)
    return Version(title, params, str(folder), lambda name: _read(root / folder / name), doubt)


def _of_output(folder: Path, title: str, study: str) -> Version:
    """An output folder; its study stands above it, if anywhere, and names it."""
    beside = folder.resolve().parent / study
    params = _params(_read(beside), str(beside))
    if (beside.parent / _output(params)).resolve() != folder.resolve():
        params = {}
    doubt = partial(_changed_since, folder / TRIALS, title)
    return Version(title, params, str(folder), lambda name: _read(folder / name), doubt)


def _of_table(file: Path, study: str) -> Version:
    """A table of trials; what else belongs to it lies beside it, if it has its usual name."""
    beside = _of_output(file.parent, str(file), study)
    others = beside.text if file.name == TRIALS else lambda _: None
    return Version(
        str(file), beside.params, "", lambda name: _read(file) if name == TRIALS else others(name)
    )


def _of_revision(word: str, study: str, results: str | None) -> Version:
    """The current folder as it is at a commit."""
    top = _git("rev-parse", "--show-toplevel")
    if top is None:
        raise UserError(f"{word}: is no file or folder, and this folder is in no git repository")
    sha = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}")
    if sha is None:
        raise _no_revision(word)
    prefix = (_git("rev-parse", "--show-prefix") or "").strip()
    title = (_git("log", "-1", "--format=%h, %s", sha.strip()) or "").strip()
    title = title if title.startswith(word[:7]) else f"{word} ({title})"

    def at(path: str) -> str | None:
        inside = posixpath.normpath(posixpath.join(prefix, Path(path).as_posix()))
        return _git("show", f"{sha.strip()}:{inside}")

    params = _params(at(study), f"{word}:{study}")
    folder = results or _output(params)
    if Path(folder).is_absolute():
        folder = os.path.relpath(folder)
    table = f"{folder}/{TRIALS}"
    title = printable(title)
    doubt = lambda: _not_locked(title, table, at(table), at(LOCK))
    return Version(title, params, folder, lambda name: at(f"{folder}/{name}"), doubt)


def _changed_since(table: Path, title: str) -> str | None:
    """Whether a table that lies here was changed after it was made, by its stamp."""
    if not table.exists() or origin(table).whole is not False:
        return None
    return f"{title}: {table} was changed after it was made; run snakemake to make it again"


def _not_locked(title: str, table: str, text: str | None, lock: str | None) -> str | None:
    """Whether a table at a commit is another than the commit's lock file states."""
    stated = {str(out.get("md5")) for out in outs(lock or "") if out.get("path") == table}
    own = hashlib.md5((text or "").encode(), usedforsecurity=False).hexdigest()
    if not stated or own in stated:
        return None
    return f"{title}: {table} is not the one in {LOCK}; was it committed without 'dvc commit'?"


def _no_revision(word: str) -> UserError:
    """The error for a word that git does not know: offers the nearest branch or tag."""
    names = (_git("for-each-ref", "--format=%(refname:short)") or "").split()
    if _git("rev-parse", "--verify", "--quiet", "HEAD") is None:
        return UserError(f"{word}: is no file or folder, and this repository has no commit yet")
    meant = near(word, ["HEAD", *names])
    last = (_git("log", "-3", "--format=%h") or "").split()
    hint = f"did you mean {meant!r}?" if meant else f"the last commits are {', '.join(last)}"
    return UserError(f"{word}: is no file, folder or git revision; {hint}")


def _output(params: dict[str, Any]) -> str:
    return str(params.get("output") or OUTPUT)


def _params(text: str | None, source: str) -> dict[str, Any]:
    """A study's values as they stand: an older version may have keys that are unknown now."""
    found = parsed_yaml(text or "", source)
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def _git(*words: str) -> str | None:
    """What git prints, or None where it fails.

    Raises:
        UserError: git is not installed.
    """
    try:
        done = subprocess.run(["git", *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise UserError("git: is not installed, and it alone knows revisions") from None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
