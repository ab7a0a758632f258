"""A failed job in words: its rule, its log and how the log ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_logger_plugin_trainscape import words

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

TAIL = 20  # lines of the log


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
