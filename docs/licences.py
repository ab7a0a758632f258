"""The licence of each package that requirements.txt pins: a table on stdout.

Packages say it themselves, in their metadata or in the first line of their licence's file; nothing
is looked up in a network. Packages for other systems are not here to be asked. Those that say
nothing are named on stderr.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)
LONGEST = 60  # of a licence's name: some packages have its whole text in the field
UNKNOWN, ELSEWHERE = "unknown", "not installed here"


def licence(about: metadata.PackageMetadata) -> str:
    """A package's licence, in its own words: an SPDX expression, a name, or its classifiers."""
    named = [about.get("License-Expression"), about.get("License")]
    for text in named:
        if text and "\n" not in text and len(text) <= LONGEST and text.upper() != "UNKNOWN":
            return text.strip()
    kinds = [c for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    said = [kind.split(" :: ")[-1] for kind in kinds if kind != "License :: OSI Approved"]
    if said:
        return ", ".join(said)
    return UNKNOWN


def first_line(name: str, about: metadata.PackageMetadata) -> str:
    """The first line of the file that a package names as its licence."""
    wanted = {Path(file).name for file in about.get_all("License-File") or []}
    for file in metadata.files(name) or []:
        if file.name in wanted and ".dist-info" in str(file):
            lines = file.read_text(encoding="utf-8").splitlines()
            said = next((line.strip() for line in lines if line.strip()), "")
            return f"{file.name}: {said[:LONGEST]}" if said else UNKNOWN
    return UNKNOWN


def table(pins: str) -> list[tuple[str, str, str]]:
    """Name, version and licence of each pinned package."""
    found = []
    for name, version in PIN.findall(pins):
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            found.append((name, version, ELSEWHERE))
        else:
            said = licence(about)
            said = first_line(name, about) if said == UNKNOWN else said
            found.append((name, about["Version"], said))
    return found


def main() -> int:
    """Print the table, and on stderr who says nothing."""
    rows = table((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    widths = [max(len(row[i]) for row in rows) for i in (0, 1)]
    for name, version, said in rows:
        print(f"{name:{widths[0]}}  {version:{widths[1]}}  {said}")
    silent = [name for name, _, said in rows if said == UNKNOWN]
    if silent:
        print(
            f"{len(silent)} without a licence in their metadata: {', '.join(silent)}",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
