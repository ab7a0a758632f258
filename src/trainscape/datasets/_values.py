"""What an array holds, in a line: type, shape of an example, least and greatest value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # numpy is imported where arrays are touched: listing a grid does not need it
    from collections.abc import Mapping

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

    def __str__(self) -> str:
        shape = f" {self.shape}" if self.shape else ""
        return f"{self.dtype}{shape}, {span(self.low, self.high)}"

    @property
    def whole(self) -> bool:
        """Whether the type holds whole numbers alone."""
        return self.dtype.startswith(("int", "uint", "bool"))


def span(low: float, high: float) -> str:
    """A range in words, such as ``0 to 16``, to three digits."""
    return f"{low:.3g} to {high:.3g}" if high > low else f"{low:.3g}"


def joined(values: Mapping[str, Values], part: str) -> Values | None:
    """What both splits of the inputs (``x``) or the targets (``y``) hold, if it is known.

    Args:
        values: by the name of the array.
        part: which of the two.
    """
    train, test = values.get(f"{part}_train"), values.get(f"{part}_test")
    if train is None or test is None:
        return None
    low, high = min(train.low, test.low), max(train.high, test.high)
    return Values(train.dtype, train.shape, low, high)


def values_of(arrays: Arrays) -> dict[str, Values]:
    """The values of each of the four arrays, by name."""
    return {field.name: Values.of(getattr(arrays, field.name)) for field in fields(arrays)}
