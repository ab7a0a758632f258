"""Copy example files into the pages that show them: `make docs`, or `python docs/include.py`.

A page shows a file where the comment `<!-- from PATH -->` stands above a code block. With `--check`
nothing is written, and pages whose blocks are not their files are named.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = re.compile(r"(?ms)(<!-- from (?P<path>\S+) -->\n+```\w+\n).*?(?=^```$)")


def included(page: str, root: Path = ROOT) -> str:
    """The page's text with the files' text, as it lies below ``root``, in its code blocks."""

    def block(match: re.Match[str]) -> str:
        return match[1] + (root / match["path"]).read_text(encoding="utf-8")

    return SHOWN.sub(block, page)


def main() -> int:
    """1 if pages were to be checked and some are not up to date, else 0."""
    check = "--check" in sys.argv[1:]
    stale = []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        new = included(text)
        if new != text:
            stale.append(page)
            if not check:
                page.write_text(new, encoding="utf-8")
    for page in stale:
        name = page.relative_to(ROOT)
        print(f"{name}: shows old text of an example; run: make docs" if check else f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
