"""Which commit a result is of: a report names no commit, so that its bytes do not depend on one.

A file that git keeps is known by its blob. A file that DVC keeps is known by the md5 that each
commit's dvc.lock has for it, or by that of its folder, whose listing is in DVC's cache.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import UserError, printable
from trainscape.files import kind
from trainscape.pipeline.kept import LOCK, listing, outs
from trainscape.pipeline.origin import Origin, origin

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = ("HEAD",)
ELSEWHERE = ("--branches", "--tags", "--remotes")


@dataclass(frozen=True)
class Commit:
    """A commit: its full hash, its day (ISO) and the first line of its message."""

    sha: str
    day: str
    subject: str

    def __str__(self) -> str:
        return f'{self.sha[:7]} ({self.day}, "{printable(self.subject)}")'


@dataclass(frozen=True)
class Trace:
    """How one file's content is followed through history.

    Args:
        source: the git-tracked file whose changes change the content, relative to the repository.
        content: what identifies the content now.
        at: what identifies it at a commit; None if the commit has no such file.
    """

    source: str
    content: str
    at: Callable[[str], str | None]


def which(path: Path) -> str:
    """The commit that made a result what it is, in words.

    Args:
        path: the report, a figure, a table or a cell, as it lies in the working folder.

    Returns:
        One line: the commit that brought these bytes, and how many after it keep them. Where no
        commit has them, that the file is new or since which commit it is changed; a line on what it
        was made from; and one on what to do.

    Raises:
        UserError: there is no such file, it is a folder, or it is in no git repository: then what
            it was made from is told, too.
    """
    if not kind(path):
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file in it")
    repository = _Repository(_root(path))
    name = repository.name(path)
    traces = [repository.blob(name), repository.md5(name)]
    history = {trace: repository.history(trace.source, HERE) for trace in traces if trace}
    for trace, commits in history.items():
        if found := _found(repository, trace, commits):
            return f"{path} is that of commit {found}"
    for trace in history:
        for commit in repository.history(trace.source, ELSEWHERE):
            if trace.at(commit.sha) == trace.content:
                return f"{path} is that of commit {commit}, which is not in HEAD's history"
    return _not_found(path, repository, history)


def _found(repository: _Repository, trace: Trace, commits: list[Commit]) -> str | None:
    """The commit, newest first, that brought the content, with what came after."""
    replaced: Commit | None = None
    brought: Commit | None = None
    for commit in commits:
        same = trace.at(commit.sha) == trace.content
        if brought and not same:
            break
        if same:
            brought = commit
        else:
            replaced = commit
    if not brought:
        return None
    later = repository.count(brought, replaced)
    kept = f"; {later} later commit{'s keep' if later > 1 else ' keeps'} it" if later else ""
    return f"{brought}{kept}" + (f"; replaced by {replaced}" if replaced else "")


def _not_found(path: Path, repository: _Repository, history: dict[Trace, list[Commit]]) -> str:
    """Why no commit has the content, what it was made from, and what to do."""
    made = origin(path)
    return "\n".join(
        [
            _state(path, repository, history),
            f"  {made.words}",
            f"  {_advice(path, repository, made)}",
        ]
    )


def _state(path: Path, repository: _Repository, history: dict[Trace, list[Commit]]) -> str:
    """Whether a file that no commit has is new, or since which commit it is changed."""
    if any(repository.pending(trace) for trace in history):
        return f"{path} is not committed: {LOCK} has it, and is to be committed itself"
    for trace, commits in history.items():
        for commit in commits:
            if trace.at(commit.sha):
                return f"{path} is not committed as it is: it was changed since commit {commit}"
    if repository.unlisted:
        return (
            f"{path} is not committed as far as DVC's cache tells; try again after "
            "'dvc fetch --all-commits'"
        )
    return f"{path} is not committed: it is new, and no commit has such a file"


def _advice(path: Path, repository: _Repository, made: Origin) -> str:
    """What to do with a file that no commit has."""
    if made.whole is False:
        return (
            "to have it as it was made: snakemake --cores all, with the --configfile of its study"
        )
    name = repository.name(path)
    if repository.kept_by_dvc(name):
        return "to keep it: dvc commit --force && git add . && git commit"
    if repository.ignored(name):
        return (
            "git is told to ignore it, so no commit will have it; to keep versions of a study, "
            "give it an output folder that .gitignore does not name"
        )
    return f"to keep it: git add {shlex.quote(str(path))} && git commit"


def _root(path: Path) -> Path:
    """The top folder of the git repository that ``path`` lies in."""
    top = _git(path.resolve().parent, "rev-parse", "--show-toplevel")
    if top is None:
        raise UserError(
            f"{path}: is in no git repository, so no commit made it\n  {origin(path).words}"
        )
    return Path(top).resolve()


def _git(folder: Path, *words: str) -> str | None:
    """What git prints, or None where it fails.

    Raises:
        UserError: git is not installed.
    """
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        raise UserError("git: is not installed, and it alone knows commits") from None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


class _Repository:
    """A git repository in which DVC may keep files.

    Attributes:
        unlisted: whether a folder's listing was looked for and is not in DVC's cache.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.unlisted = False

    def name(self, path: Path) -> str:
        """A file relative to the repository."""
        return str(path.resolve().relative_to(self.root))

    def ignored(self, name: str) -> bool:
        """Whether git is told to ignore a file."""
        return _git(self.root, "check-ignore", "-q", name) is not None

    def kept_by_dvc(self, name: str) -> bool:
        """Whether DVC's lock file has a file, or a folder that it lies in."""
        project = self._project(name)
        if project is None:
            return False
        file = (self.root / name).relative_to(project).as_posix()
        text = (project / LOCK).read_text(encoding="utf-8", errors="replace")
        return any(
            file == out.get("path") or file.startswith(f"{out.get('path')}/") for out in outs(text)
        )

    def _project(self, name: str) -> Path | None:
        """The folder with the lock file that speaks for a file."""
        parents = [self.root / parent for parent in Path(name).parents]
        return next((folder for folder in parents if (folder / LOCK).exists()), None)

    def blob(self, name: str) -> Trace | None:
        """Follow a file that git keeps; None if git never kept it."""
        if not self.history(name, HERE + ELSEWHERE):
            return None
        content = _git(self.root, "hash-object", "--path", name, str(self.root / name)) or ""
        return Trace(name, content, lambda sha: _git(self.root, "rev-parse", "-q", f"{sha}:{name}"))

    def md5(self, name: str) -> Trace | None:
        """Follow a file that DVC keeps; None where there is no DVC."""
        project = self._project(name)
        if project is None:
            return None
        lock = str((project / LOCK).relative_to(self.root))
        file = (self.root / name).relative_to(project).as_posix()
        digest = hashlib.md5((self.root / name).read_bytes(), usedforsecurity=False).hexdigest()

        def at(sha: str) -> str | None:
            # an empty name stands for the working folder: git show reads ":file" from the index
            text = _git(self.root, "show", f"{sha}:{lock}") if sha else (project / LOCK).read_text()
            return self._locked(project, text or "", file)

        return Trace(lock, digest, at)

    def history(self, name: str, where: tuple[str, ...]) -> list[Commit]:
        """The commits that changed a file, newest first."""
        form = "--format=%H%x09%cs%x09%s"
        lines = (_git(self.root, "log", form, *where, "--", name) or "").splitlines()
        return [Commit(*line.split("\t", 2)) for line in lines]

    def count(self, brought: Commit, replaced: Commit | None) -> int:
        """How many commits came after ``brought``, up to the one that replaced the file."""
        end = replaced.sha if replaced else "HEAD"
        number = int(_git(self.root, "rev-list", "--count", f"{brought.sha}..{end}") or 0)
        return number - 1 if replaced else number

    def pending(self, trace: Trace) -> bool:
        """Whether the lock file in the working folder has the content that no commit's has."""
        return Path(trace.source).name == LOCK and trace.at("") == trace.content

    def _locked(self, project: Path, text: str, file: str) -> str | None:
        """The md5 of ``file`` (relative to its DVC project) by the text of a lock file."""
        for out in outs(text):
            if out.get("path") == file:
                return str(out.get("md5"))
            if file.startswith(f"{out.get('path')}/"):
                return self._listed(project, str(out.get("md5")), file[len(out["path"]) + 1 :])
        return None

    def _listed(self, project: Path, md5: str, file: str) -> str | None:
        """The md5 of a file in a folder that DVC keeps, by the folder's listing."""
        listed = listing(project, md5)
        self.unlisted = self.unlisted or listed is None
        return (listed or {}).get(file)
