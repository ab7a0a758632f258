"""`snakemake --lint`, with one complaint allowed: that a rule has no environment or container.

The environment is pinned once for everything (requirements.txt), not rule by rule. Run by
`make lint`: silent if all is well, else it prints what Snakemake says and exits with 1.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ALLOWED = "Specify a conda environment or container for each rule.:"
BULLET = "    * "


def acceptable(said: str) -> bool:
    """Whether the linter read the workflow and names nothing but :data:`ALLOWED`.

    Args:
        said: what ``snakemake --lint`` prints: for each rule, bullets with a title and advice; no
            bullet at all where the workflow cannot be read.
    """
    titles = {line.removeprefix(BULLET) for line in said.splitlines() if line.startswith(BULLET)}
    return titles == {ALLOWED}


def main() -> int:
    """Lint the workflow beside this folder."""
    lint = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if acceptable(lint.stdout):
        return 0
    print(lint.stdout)
    return 1


if __name__ == "__main__":
    sys.exit(main())
