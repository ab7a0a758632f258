"""Whose results an output folder holds: one study's, by the name in its ``.study`` file."""

from __future__ import annotations

from pathlib import Path

from trainscape.errors import UserError
from trainscape.files import write_text

MARKER = ".study"  # in an output folder: the name of its study


def others(output: Path) -> list[Path]:
    """The output folders of the project's other studies, up to two levels below the project."""
    root = Path()
    markers = (*root.glob(f"*/{MARKER}"), *root.glob(f"*/*/{MARKER}"))
    found = sorted({marker.parent for marker in markers})
    return [folder for folder in found if folder != output]


def owner(output: Path) -> str | None:
    """The name of the study whose results a folder holds; None if it is nobody's."""
    marker = output / MARKER
    if not marker.exists():
        return None
    try:
        return marker.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise UserError(
            f"output: {str(marker)!r}, which names the study, cannot be read: {error.strerror}"
        ) from None


def claim(output: Path, study: str) -> None:
    """Make the output folder belong to ``study``, or refuse if it is another's.

    Raises:
        UserError: the folder holds another study's results, or cannot be made.
    """
    check_claim(output, study)
    marker = output / MARKER
    try:
        output.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            write_text(marker, study + "\n")
    except OSError as error:
        raise UserError(
            f"output: {str(output)!r} cannot be a folder of results: {error.strerror}"
        ) from None
    check_claim(output, study)


def check_claim(output: Path, study: str) -> None:
    """Refuse if the output folder is another study's or nobody's; writes nothing."""
    marker = output / MARKER
    strangers = not marker.exists() and _holds_files(output)
    held = owner(output)
    if held not in (None, study):
        raise UserError(
            f"output: {str(output)!r} holds the study {held!r}; give {study!r} a folder of its own"
        )
    for folder in output.parents:
        if (folder / MARKER).exists():
            raise UserError(
                f"output: {str(output)!r} lies in the results of another study, {str(folder)!r}; "
                "choose a folder beside it"
            )
    if strangers and not marker.exists():  # asked again: another job may have claimed it meanwhile
        raise UserError(
            f"output: {str(output)!r} holds files of no study; choose a new folder, or write "
            f"{study!r} into {str(marker)!r} if they are its results"
        )


def _holds_files(folder: Path) -> bool:
    """Whether there is a file below a folder; hidden ones don't count."""
    below = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return any(not any(part.startswith(".") for part in path.parts) for path in below)
