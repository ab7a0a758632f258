"""A dataset that a function makes: each of ours, and a user's own."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.datasets._base import Arrays, Dataset, Raw, derived, registry
from trainscape.datasets._fit import NAMES, fitted
from trainscape.datasets._store import digest
from trainscape.datasets._values import Values, values_of
from trainscape.errors import UserError
from trainscape.user_lines import short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Make = Callable[..., Arrays]


def dataset(
    name: str,
    *,
    train: int | None = None,
    test: int | None = None,
    sha256: str = "",
    made_from: Mapping[str, object] | None = None,
    x: Values | None = None,
    y: Values | None = None,
) -> Callable[[Make], Make]:
    """Register the decorated function as the maker of the dataset ``name``.

    It takes nothing, or a :class:`Raw`, and returns :class:`Arrays`. Without ``sha256`` it is
    called at once, and whenever a grid is listed, to know the data by its content.

    Args:
        name: what workloads call it.
        train: examples in the training split, to list a grid before the data is made.
        test: examples in the test split.
        sha256: the hash of the content: ``trainscape data --hash`` prints it.
        made_from: in its place, all that decides the content: the hashes of the raw files, which
            the maker checks, and the version of the recipe.
        x: what both splits' inputs hold, as far as it is known before they are made.
        y: what both splits' targets hold.

    Raises:
        UserError: the hash stands without sizes, the function takes more, or what it makes cannot
            be trained on.
    """

    def decorate(make: Make) -> Make:
        plugin = make.__code__.co_filename
        origin = f"{make.__name__}() in {short(plugin)}"

        def refuse(reason: str) -> UserError:
            return UserError(f"dataset {name!r}: {origin}: {reason}")

        call = _caller(make, refuse)

        def made(raw: Raw) -> Arrays:
            return fitted(call(raw), refuse)

        if sha256 or made_from is not None:
            if train is None or test is None:
                raise refuse("a pinned dataset states its sizes; add train=… and test=…")
            identity = sha256 if made_from is None else derived(made_from)
            given = {"x": x, "y": y}
            values = {array: held for array in NAMES if (held := given[array[0]]) is not None}
            entry = Dataset(name, train, test, identity, made, made_from is None, origin, values)
        else:
            arrays = made(Raw(Path("data/raw")))
            sizes = train or len(arrays.y_train), test or len(arrays.y_test)
            again = _the_same(made, digest(arrays), refuse)
            entry = Dataset(name, *sizes, digest(arrays), again, True, origin, values_of(arrays))
        registry.add(name, entry, plugin)
        return make

    return decorate


def _caller(make: Make, refuse: Callable[[str], UserError]) -> Callable[[Raw], Any]:
    """The function, called as it can be: without an argument, or with where raw files lie."""
    signature = inspect.signature(make)
    for count in (0, 1):
        try:
            signature.bind(*[None] * count)
        except TypeError:
            continue
        return lambda raw: make(*[raw][:count])
    raise refuse(f"takes {signature}; let it take nothing, or one trainscape.datasets.Raw")


def _the_same(
    made: Callable[[Raw], Arrays], known: str, refuse: Callable[[str], UserError]
) -> Callable[[Raw], Arrays]:
    """The maker, refused where its content is not what it was at its first call."""

    def again(raw: Raw) -> Arrays:
        arrays = made(raw)
        if digest(arrays) != known:
            raise refuse("gives other values when it is called again; seed what it draws")
        return arrays

    return again
