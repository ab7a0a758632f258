"""Vega as the page holds it: the library that draws the live charts, packed."""

from __future__ import annotations

import base64
import gzip
from functools import cache

import vl_convert

# Vega alone: charts are compiled from Vega-Lite beforehand, which leaves a third of the size away.
# The address is that of the copy inside vl-convert: nothing is fetched.
EXPORT = 'import {{parse, View}} from "/npm/vega@{version}/+esm"; window.vega = {{parse, View}};'


@cache
def runtime() -> str:
    """Vega as one script, by gzip and base64. The page needs no network and no other file."""
    export = EXPORT.format(version=vl_convert.get_vega_version())
    return packed(vl_convert.javascript_bundle(export))


def packed(text: str) -> str:
    """A text by gzip and base64: the same text gives the same characters."""
    data = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    return base64.b64encode(data).decode()
