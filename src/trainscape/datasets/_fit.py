"""What a user's arrays must be to be trained on."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from trainscape.datasets._base import Arrays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

NAMES = tuple(field.name for field in fields(Arrays))


def fit(arrays: Mapping[str, NDArray[Any]], refuse: Callable[[str], Exception]) -> Arrays:
    """The four arrays, in the machine's byte order, as torch reads no other.

    Args:
        arrays: by name.
        refuse: makes the error for a reason.

    Raises:
        Exception: what ``refuse`` makes; an array is empty, not of finite numbers, or does not fit
            the others.
    """
    import numpy as np

    for name in NAMES:
        if reason := _fault(arrays[name]):
            raise refuse(f"{name} {reason}{_number_them(name, arrays[name])}")
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
    native = ((arrays[name], arrays[name].dtype.newbyteorder("=")) for name in NAMES)
    return Arrays(*(np.ascontiguousarray(array, kind) for array, kind in native))


def fitted(made: object, refuse: Callable[[str], Exception]) -> Arrays:
    """What a user's function returned, as :func:`fit` makes it.

    Raises:
        Exception: what ``refuse`` makes; it is no :class:`Arrays`, or one of them is unfit.
    """
    import numpy as np

    if not isinstance(made, Arrays):
        raise refuse(f"gives {type(made).__name__}; return trainscape.datasets.Arrays")
    return fit({name: np.asarray(getattr(made, name)) for name in NAMES}, refuse)


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


def _number_them(name: str, array: NDArray[Any]) -> str:
    """How to come from classes that are named to labels."""
    named = name.startswith("y") and array.dtype.kind in "USO"
    return ", such as numpy.unique(y, return_inverse=True)[1] of all labels" if named else ""


def _kind(array: NDArray[np.generic]) -> str:
    """Type and shape of one example, such as ``float32 (8, 8)``."""
    return f"{array.dtype} {array.shape[1:]}"
