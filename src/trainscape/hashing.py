"""Digests: the sha256 of plain data, by one canonical text of it, and of files."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# Hex digits of a digest that stand in file names: 48 bits, no clash below millions of cells.
SHORT = 12


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and no NaN: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(value: Any) -> str:
    """The sha256 (hex) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def is_sha256(text: str) -> bool:
    """Whether a text is a whole sha256, 64 hex digits."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def file_sha256(path: Path) -> str:
    """The sha256 (hex) of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
