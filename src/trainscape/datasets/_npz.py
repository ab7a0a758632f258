"""A user's own dataset: an ``.npz`` file, registered from a plugin in one call."""

from __future__ import annotations

import sys
from pathlib import Path

from trainscape.datasets._base import Arrays, Dataset, registry
from trainscape.datasets._fit import NAMES, fit
from trainscape.datasets._store import digest
from trainscape.datasets._values import values_of
from trainscape.errors import UserError, printable
from trainscape.user_lines import short


def npz_dataset(name: str, path: str | Path) -> Dataset:
    """Register the ``.npz`` file at ``path`` as the dataset ``name``.

    It holds ``x_train``, ``y_train``, ``x_test`` and ``y_test``: numbers of any type and shape, the
    first axis being the example. The content hash is computed from the file, so that a changed file
    retrains the cells that use it.

    Args:
        name: what workloads call it.
        path: the file, relative to the plugin that makes the call.

    Raises:
        UserError: there is no such file, an array is missing, empty, not of finite numbers, or does
            not fit the others.
    """
    plugin = sys._getframe(1).f_code.co_filename
    file = Path(plugin).resolve().parent / path

    def make(_: object) -> Arrays:
        return _read(name, file)

    arrays = make(None)
    sizes = len(arrays.x_train), len(arrays.x_test)
    values = values_of(arrays)
    entry = Dataset(name, *sizes, digest(arrays), make, origin=short(str(file)), values=values)
    registry.add(name, entry, plugin)
    return entry


def _read(name: str, path: Path) -> Arrays:
    """The four arrays of a user's file, checked; errors name dataset, file and array."""
    import numpy as np

    def refuse(reason: str) -> UserError:
        return UserError(f"dataset {name!r}: {printable(str(path))}: {reason}")

    if not path.is_file():
        raise refuse("no such file; its path is relative to the plugin")
    try:
        file = np.load(path, allow_pickle=False)
        held = list(file.files)
    except MemoryError:
        raise
    except Exception as error:  # whatever it is, it is no .npz; numpy's readers raise many things
        raise refuse("not a whole .npz file; write it with numpy.savez") from error
    with file:
        if missing := [array for array in NAMES if array not in held]:
            raise refuse(f"lacks {', '.join(missing)}; it holds {', '.join(held) or 'nothing'}")
        arrays = {}
        for array in NAMES:
            try:
                arrays[array] = file[array]
            except MemoryError:
                raise
            except Exception as error:  # Python objects, or bytes that are no array
                raise refuse(f"{array} cannot be read ({error}); save plain numbers") from error
    return fit(arrays, refuse)
