"""Errors of Snakemake itself that a user can mend, in one line in place of a traceback.

Snakemake reads its ``--configfile`` and makes its cache before it reads the Snakefile, so that
nothing but a logger is there to say what is wrong.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from contextlib import redirect_stderr
from pathlib import Path

import yaml

from snakemake_logger_plugin_trainscape import announced

CONFIG = ("snakemake/common/configfile.py", "WorkflowError:\nConfig file ")
CACHE = "snakemake/sourcecache.py"
HOW = re.compile(r"^\w*Error: (?:\[Errno \d+\] )?(.+)$", re.MULTILINE)
FRAME = re.compile(r'^  File ".+", line \d+, in .+\n?', re.MULTILINE)
# how an error begins that is meant for the user; of a rule's Python, if it says whose it is
PLAIN = re.compile(r'WorkflowError:\n|WorkflowError in file ".+", line \d+:\n(?=trainscape: )')
LOCKED = "LockException:\n"
# What the system refuses, as Python words it, with the file where it names one.
REFUSED = re.compile(
    r"(?:^\w*Error: |^Error recording metadata .*\()\[Errno (\d+)\] ([^:)\n]+)(?:: '(.*)')?",
    re.MULTILINE,
)
FULL = "free some space, then run the same command again; what is done stays"
RIGHTS = "let this user write to the project's folder, or work on a copy of the project"
CURES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), RIGHTS),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "allow more open files: 'ulimit -n 4096'"),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "look after the disk, or the server of its files"),
}
TARGET = "a target stands before '--configfile', which takes every word that follows"
LEFT = 1_000_000  # bytes on a disk that is as good as full


def in_a_line(text: str) -> str | None:
    """What is wrong and how to mend it; None for an error that Snakemake words best.

    Args:
        text: Snakemake's message, which may be a traceback.
    """
    if any(sign in text for sign in CONFIG):
        return _first_fault(_config_files())
    if CACHE in text and (found := HOW.findall(text)):
        return (
            f"Snakemake cannot make its cache ({found[-1]}); set XDG_CACHE_HOME to a folder that "
            "can be written to"
        )
    if (refused := _refused(text)) is not None:
        return refused
    if text.startswith(LOCKED):
        return announced.holder() or None
    if plain := PLAIN.match(text):
        return FRAME.sub("", text[plain.end() :]).strip()
    return None


def _refused(text: str) -> str | None:
    """What the system did not let Snakemake do, and how to mend it; None for any other error."""
    for number, why, path in reversed(REFUSED.findall(text)):
        if int(number) in CURES:
            where = os.path.relpath(path) if path else "a file"
            return f"{where} cannot be written or read: {why}; {CURES[int(number)]}"
    return None


def full_disk() -> str:
    """That the project's disk is full, and how to go on, in a line; empty if it is not."""
    disk = os.statvfs(".")
    left, no_more_files = disk.f_bavail * disk.f_frsize, disk.f_files and not disk.f_favail
    if left > LEFT and not no_more_files:
        return ""
    what = "no more files" if no_more_files else f"{left // 1000} KB are left"
    return f"The disk of this project is full ({what}): {FULL}."


def config_fault(path: Path) -> str | None:
    """Why Snakemake cannot read a file given by ``--configfile``, in a line; None if it can."""
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except FileNotFoundError:
        return f"{path}: no such parameter file"
    except IsADirectoryError:
        return f"{path}: is a folder; give a parameter file"
    except UnicodeDecodeError:
        return f"{path}: is not UTF-8 text; save it as UTF-8"
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        if text.splitlines()[line : line + 1] and "\t" in text.splitlines()[line]:
            return f"{path}: broken YAML in line {line + 1}: a tab; indent by spaces"
        return f"{path}: broken YAML in line {line + 1}: {error.problem}"
    except (yaml.YAMLError, ValueError) as error:
        return f"{path}: broken YAML: {' '.join(str(error).split())}"
    if not isinstance(content, dict):
        said = "says nothing" if content is None else "holds no keys"
        return f"{path}: {said}; write key: value"
    return None


def _first_fault(files: list[Path]) -> str | None:
    """Why Snakemake cannot read one of these files, in a line; None if it can read all."""
    for file in files:
        if fault := config_fault(file):
            return fault if file == files[0] else f"{fault}; {TARGET}"
    return None


def _config_files() -> list[Path]:
    """The files that this command was given, by its arguments or its profile."""
    from snakemake.cli import parse_args  # late: that module itself loads logger plugins

    try:
        with redirect_stderr(io.StringIO()):  # it names the profile, a second time
            _, args = parse_args(sys.argv[1:])
    except (Exception, SystemExit):
        return []
    return [Path(file) for file in args.configfile or ()]
