"""A failed job in words: its rule, its log and how the log ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_logger_plugin_trainscape import words

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

TAIL = 20  # lines of the log
NAMED = 10  # jobs that are named of those that fail alike


class Failures:
    """The failed jobs of a run in words: what many have in common is said once."""

    def __init__(self) -> None:
        self._last: list[str] = []  # what the last failure has in common with others like it
        self._alike = 0  # jobs since then whose logs end so, too
        self._unnamed = 0  # those of them that were not named

    @property
    def any(self) -> bool:
        """Whether a job has failed."""
        return bool(self._last)

    def told(self, text: str) -> str:
        """A failure as it is shown: whole, or a line where it is like the last one.

        Args:
            text: the failure in words (:func:`failure`).

        Returns:
            Text, which is empty for one of many that fail alike.
        """
        head, *body = text.splitlines()
        # how the log ends, or that there is none; the rule and how its command ended
        shown = [line for line in body if line.startswith("  | ")] or [_ending(x) for x in body]
        like = [_ending(head), *shown]
        if like != self._last:
            others = self.unnamed()
            self._last, self._alike = like, 0
            return f"{others}\n{text}" if others else text
        self._alike += 1  # jobs that shared a process that failed
        if self._alike <= NAMED:
            return f"{head}: as above"
        self._unnamed += 1
        return ""

    def unnamed(self) -> str:
        """How many jobs were not named since this was last asked; empty if all were."""
        count, self._unnamed = self._unnamed, 0
        return f"Failed: {count:,} more: as above" if count else ""


def _ending(line: str) -> str:
    """What a line says in brackets at its end, or all of it."""
    return line.rpartition("(")[2]


def failure(record: logging.LogRecord, outcome: str = "", tail: int | None = TAIL) -> str:
    """A failed job in words.

    Args:
        record: Snakemake's record of the job's error.
        outcome: how its command ended, if known (``exit status 1``).
        tail: lines to show from the end of each log; None for all.
    """
    found = vars(record)
    rule: str = found.get("rule_name") or "unknown"
    task = words.task(rule, found.get("output") or ())
    if "SIGINT" in outcome or outcome == "exit status 130":  # the user's Ctrl-C
        return f"Stopped: {task}"
    lines = [f"Failed: {task} (rule {rule}{outcome and ', ' + outcome})"]
    if found.get("rule_msg"):
        lines.append(f"  message: {found['rule_msg']}")
    lines += [f"  {key}: {value}" for key, value in (found.get("aux") or {}).items()]
    logs: list[str] = [str(log) for log in found.get("log") or ()]
    for log in logs:
        lines += _log_lines(Path(log), tail)
    if not logs:
        lines += ["  it keeps no log; its command:", f"    {found.get('shellcmd') or '(none)'}"]
    return "\n".join(lines)


def _log_lines(path: Path, tail: int | None) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        yield f"  log: {path} (was not written)"
        return
    if not text:
        yield f"  log: {path} (empty)"
        return
    shown = text if tail is None else text[-tail:]
    hidden = len(text) - len(shown)
    yield f"  log: {path}" + (f" (its last {len(shown)} of {len(text)} lines)" if hidden else "")
    yield from (f"  | {line}" for line in shown)
