"""A user's own dataset: an ``.npz`` file, registered from a plugin in one call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.datasets._base import Arrays, Dataset, registry
from trainscape.datasets._store import NAMES, digest
from trainscape.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
    entry = Dataset(name, len(arrays.x_train), len(arrays.x_test), digest(arrays), make)
    registry.add(name, entry, plugin)
    return entry


def _read(name: str, path: Path) -> Arrays:
    """The four arrays of a user's file, checked; errors name dataset, file and array."""
    import numpy as np

    def refuse(reason: str) -> UserError:
        return UserError(f"dataset {name!r}: {path}: {reason}")

    if not path.is_file():
        raise refuse("no such file; its path is relative to the plugin")
    try:
        file = np.load(path, allow_pickle=False)
        held = list(file.files)
    except Exception as error:  # whatever it is, it is no .npz; numpy's readers raise many things
        raise refuse("not a whole .npz file; write it with numpy.savez") from error
    with file:
        if missing := [array for array in NAMES if array not in held]:
            raise refuse(f"lacks {', '.join(missing)}; it holds {', '.join(held) or 'nothing'}")
        arrays = {}
        for array in NAMES:
            try:
                arrays[array] = file[array]
            except Exception as error:  # Python objects, or bytes that are no array
                raise refuse(f"{array} cannot be read ({error}); save plain numbers") from error
    for array in NAMES:
        if reason := _fault(arrays[array]):
            raise refuse(f"{array} {reason}")
    for split in ("train", "test"):
        x, y = len(arrays[f"x_{split}"]), len(arrays[f"y_{split}"])
        if x != y:
            raise refuse(f"x_{split} has {x} examples, y_{split} has {y}; they must be equal")
    for part in ("x", "y"):
        train, test = _kind(arrays[f"{part}_train"]), _kind(arrays[f"{part}_test"])
        if train != test:
            raise refuse(
                f"an example of {part}_train is {train}, of {part}_test {test}; they must be equal"
            )
    # torch reads no foreign byte order
    return Arrays(*(np.ascontiguousarray(a, a.dtype.newbyteorder("=")) for a in arrays.values()))


def _fault(array: NDArray[Any]) -> str | None:
    """What makes an array unfit for training, or None."""
    import numpy as np

    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        return f"holds {array.dtype}; use integers or floats of at most 64 bits"
    if array.ndim == 0:
        return "is a single number; its first axis must be the example"
    if array.size == 0:
        return f"is empty (shape {array.shape})"
    if array.dtype.kind == "f" and (bad := int((~np.isfinite(array)).sum())):
        return f"holds {bad} values that are NaN or infinite"
    return None


def _kind(array: NDArray[np.generic]) -> str:
    """Type and shape of one example, such as ``float32 (8, 8)``."""
    return f"{array.dtype} {array.shape[1:]}"
