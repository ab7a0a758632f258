"""All datasets in a table: how many examples, what they hold, and what of it models get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.cells import plugins
from trainscape.columns import aligned
from trainscape.datasets import Dataset, Values, joined, span
from trainscape.errors import UserError
from trainscape.pipeline.layout import DATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trainscape.workloads import Workload

HEAD = ("dataset", "train", "test", "an input", "a target", "models get inputs")
UNKNOWN = "known once it is made"
BYTE = 255


def listed(files: Iterable[str]) -> str:
    """The table of all datasets, as text; nothing is made or downloaded for it.

    Args:
        files: the plugins whose datasets are listed, too.

    Raises:
        UserError: a plugin fails.
    """
    plugins.load(files)
    table = [HEAD, *(row(datasets.registry.get(name)) for name in datasets.registry.names())]
    return "\n".join(aligned(table, left=None))


def row(dataset: Dataset) -> tuple[str, ...]:
    """A dataset's row, under HEAD."""
    values = dataset.values or _values_in_file(dataset)
    x, y = joined(values, "x"), joined(values, "y")
    sizes = f"{dataset.train:,}", f"{dataset.test:,}"
    return dataset.name, *sizes, str(x or UNKNOWN), str(y or UNKNOWN), _given(dataset.name, x)


def _values_in_file(dataset: Dataset) -> Mapping[str, Values]:
    """What the dataset's file holds; nothing where there is none, or none that is right."""
    try:
        return datasets.values_of(datasets.load(dataset, DATA))
    except UserError:
        return {}


def _given(dataset: str, x: Values | None) -> str:
    """What a workload's model gets as inputs: each workload's own, then what any other gets."""
    if x is None:
        return ""
    if x.whole and x.dtype != "uint8":
        return "as they are"
    users = (workloads.registry.get(name) for name in workloads.registry.names())
    ranges: dict[str, list[str]] = {}
    for user in users:
        if user.dataset == dataset:
            ranges.setdefault(_scaled(x, user), []).append(user.name)
    own = [f"{span} ({', '.join(names)})" for span, names in ranges.items()]
    plain = _scaled(x)
    return "; ".join([*own, *([] if plain in ranges else [f"{plain} without mean and std"])])


def _scaled(x: Values, workload: Workload | None = None) -> str:
    """The range of inputs as the engine scales them: bytes to [0, 1], then (x − mean) / std."""
    mean, std = (workload.mean, workload.std) if workload else (0.0, 1.0)
    unit = BYTE if x.dtype == "uint8" else 1
    return span(*((value / unit - mean) / std for value in (x.low, x.high)))
