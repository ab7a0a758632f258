"""The registries of optimizers, schedules, datasets and workloads: every entry is one file.

The entry ``digits-mlp`` lives in ``digits_mlp.py`` of its kind's package and registers itself
under its name; nothing else lists it. Files are imported when their entry is asked for, so a
cell's digest can cover its own entry and no other. A plugin registers by the same decorator.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from trainscape.checks import checked
from trainscape.errors import UserError, shown, unknown
from trainscape.user_lines import telling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
Made = TypeVar("Made")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # names become parts of file names
NAME_HOLDS = "letters, digits, '.', '_' and '-', at most 64, a letter or digit first"


class Registry(Generic[T]):
    """The entries of one kind, by name.

    Args:
        kind: the word for an entry in messages, also its key in a study (``optimizer``).
        package: the package whose public modules hold one entry each.
        separator: what stands in names where file names have an underscore.
    """

    def __init__(self, kind: str, package: str, separator: str = "_") -> None:
        self.kind = kind
        self.package = package
        self.separator = separator
        self._entries: dict[str, T] = {}
        self._sources: dict[str, Path] = {}

    def add(self, name: str, entry: T, source: str) -> None:
        """Register ``entry`` under ``name``, defined in the file ``source``.

        Raises:
            UserError: another file has registered the name.
        """
        path = Path(source).resolve()
        if not NAME.fullmatch(name):
            raise UserError(f"{self.kind} {shown(name)} in {source}: names hold {NAME_HOLDS}")
        holder = self._sources.get(name) or self._files().get(name)
        if holder not in (None, path):
            raise UserError(f"{self.kind} {name!r} in {source} is already taken by {holder}")
        self._entries[name] = entry
        self._sources[name] = path

    def register(self, name: str) -> Callable[[type], type]:
        """A class decorator that registers the class under ``name``."""

        def decorate(entry: type) -> type:
            module = sys.modules[entry.__module__]
            entry.name = name  # type: ignore[attr-defined]
            self.add(name, entry, str(module.__file__))  # type: ignore[arg-type]
            return entry

        return decorate

    def names(self) -> list[str]:
        """Every known name, sorted: the package's files and what plugins have registered."""
        return sorted({*self._files(), *self._entries})

    def get(self, name: str, key: str = "") -> T:
        """The entry called ``name``; ``key`` is how the study names the place it was asked at.

        Raises:
            UserError: there is none; names the nearest.
        """
        if name not in self._entries:
            if name not in self._files():
                raise unknown(key or self.kind, name, self.names())
            importlib.import_module(f"{self.package}.{self._files()[name].stem}")
        if name not in self._entries:
            raise UserError(f"{self._files()[name]} registers no {self.kind} {name!r}")
        return self._entries[name]

    def make(self: Registry[type[Made]], spec: Mapping[str, Any]) -> Made:
        """The optimizer or schedule that a cell states.

        Args:
            spec: its name and hyperparameters, those that are not given having their defaults.

        Raises:
            UserError: there is no such name, or a hyperparameter is not valid: then it begins with
                the name.
        """
        name = spec["name"]
        kind = self.get(name)
        given = {key: value for key, value in spec.items() if key != "name"}
        with telling(name):
            try:
                made = kind(**checked(kind, given))
            except ValueError as error:  # from a check of a plugin's own
                raise UserError(f"{name}: {shown(given)} {error}") from error
        try:
            hash(made)
        except TypeError as error:  # a plugin's class may set more than it is given
            raise UserError(
                f"{name}: holds what cannot be compared ({error}); use tuples"
            ) from None
        return made

    def ships(self, name: str) -> bool:
        """Whether the entry ``name`` is the package's own; a plugin cannot take such a name."""
        return name in self._files()

    def source(self, name: str) -> Path:
        """The file that defines the entry ``name``."""
        self.get(name)
        return self._sources[name]

    def _files(self) -> dict[str, Path]:
        folder = Path(str(sys.modules[self.package].__file__)).resolve().parent
        return {p.stem.replace("_", self.separator): p for p in folder.glob("[!_]*.py")}
