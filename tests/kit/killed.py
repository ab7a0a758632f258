"""Files that a killed process leaves half written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import trainscape

SOURCE = Path(trainscape.__file__).parent.parent
OPEN = """
import sys, time
from pathlib import Path
from trainscape.files import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half a file")
    file.flush()
    print(file.name, flush=True)
    time.sleep(60)
"""


def program(code: str, path: Path) -> subprocess.Popen[str]:
    """Start Python code that is given a path."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a program prints."""
    assert process.stdout
    return process.stdout.readline().strip()


def half_written(path: Path) -> Path:
    """What a process left that was killed while it wrote ``path``."""
    process = program(OPEN, path)
    left = Path(line(process))
    process.kill()
    process.communicate()
    assert left.exists()
    return left
