"""What an array holds, in a line: type, shape of an example, least and greatest value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # numpy is imported where arrays are touched: listing a grid does not need it
    from numpy.typing import NDArray

    from trainscape.datasets._base import Arrays


@dataclass(frozen=True)
class Values:
    """The values of an array, by example.

    Args:
        dtype: numpy's name of their type.
        shape: of one example.
        low: the least value.
        high: the greatest.
    """

    dtype: str
    shape: tuple[int, ...]
    low: float
    high: float

    @classmethod
    def of(cls, array: NDArray[Any]) -> Values:
        """The values of an array (N, …), which is not empty and holds numbers."""
        return cls(str(array.dtype), array.shape[1:], array.min().item(), array.max().item())

    @property
    def whole(self) -> bool:
        """Whether the type holds whole numbers alone."""
        return self.dtype.startswith(("int", "uint", "bool"))


def values_of(arrays: Arrays) -> dict[str, Values]:
    """The values of each of the four arrays, by name."""
    return {field.name: Values.of(getattr(arrays, field.name)) for field in fields(arrays)}
