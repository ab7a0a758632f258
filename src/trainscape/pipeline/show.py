"""Show the report: where its page is, and the page itself in a browser."""

from __future__ import annotations

import os
import shlex
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.pipeline.layout import Layout


def page(layout: Layout, study: str) -> Path:
    """The report's page.

    Args:
        layout: the study.
        study: its parameter file, or the study as JSON.

    Raises:
        UserError: the page is not made yet; names the command that makes it.
    """
    path = Path(layout.products("report")[0])
    if not path.is_file():
        raise UserError(f"{path}: is not made yet; '{maker(study)}' makes it")
    return path


def is_older(layout: Layout, study: str) -> str:
    """A line if the page is of other results or another version of the study; else nothing."""
    if Path(layout.stamp("report")).exists():
        return ""
    return (
        "the page is not that of the study as it is now; "
        f"'{maker(study)}' makes what has changed again"
    )


def open_in_browser(url: str, environment: Mapping[str, str]) -> bool:
    """Open a page in a browser that shows it on this screen; whether there is one.

    Where there is no screen, webbrowser would start a browser for text, which takes the terminal.

    Args:
        url: the page's.
        environment: the process's variables.
    """
    if not has_screen(environment):
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


def has_screen(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser that is opened here can be seen.

    >>> has_screen({"DISPLAY": ":0"}, "linux"), has_screen({"SSH_CONNECTION": "…"}, "darwin")
    (True, False)
    """
    if environment.get("BROWSER"):  # whoever sets it has one, be it at the other end of ssh
        return True
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return False
    has_display = bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))
    return platform in ("darwin", "win32") or has_display


def maker(study: str) -> str:
    """The command that makes what is missing of a study."""
    if study == "params.yaml" or study.startswith("{"):
        return "snakemake --cores all"
    return f"snakemake --cores all --configfile {shlex.quote(study)}"


def open_report(layout: Layout, study: str, *, browse: bool) -> None:
    """Print where the report is, and open it.

    Args:
        layout: the study.
        study: its parameter file, or the study as JSON.
        browse: whether to open it in a browser, where there is one.

    Raises:
        UserError: the page is not made yet.
    """
    path = page(layout, study)
    url = path.resolve().as_uri()
    print(path, url, sep="\n")
    if older := is_older(layout, study):
        print(f"trainscape: {older}", file=sys.stderr)
    if browse and not open_in_browser(url, os.environ):
        print("trainscape: no browser is seen here; open the page yourself", file=sys.stderr)
