"""Make datasets: arrays with a pinned hash, whose labels fit the models that train on them."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.cells import labels, plugins
from trainscape.errors import LISTED
from trainscape.files import remove_left_behind, sweep
from trainscape.hashing import SHORT
from trainscape.pipeline.layout import DATA, Layout, data_file, data_stamp
from trainscape.results.stamps import changes, write_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainscape.datasets import Arrays
    from trainscape.workloads import Workload


def make(
    layout: Layout,
    names: Sequence[str] = (),
    source: Path | None = None,
    mirror: str | None = None,
) -> None:
    """Make datasets, by default the study's; damaged ones are replaced.

    Args:
        layout: the study, whose plugins may bring datasets.
        names: the datasets.
        source: a folder that holds the raw files, if they are not to be downloaded.
        mirror: a URL to download from instead of the public ones.

    Raises:
        UserError: a dataset cannot be made, or its labels do not fit a workload of the study.
    """
    remove_left_behind(layout.data.glob(".*.tmp"))
    for name in names or layout.datasets:
        stamp = data_stamp(name)
        stated = stamp.exists() and not any(changes(stamp, [data_file(name)]))
        path = datasets.prepare(name, DATA, DATA / "raw", source, mirror, afresh=not stated)
        print(path)
        _check_labels(layout, name)
        sweep(stamp.parent, f"{name}-{SHORT * '?'}", keep=[stamp])
        write_stamp(stamp, [str(path)])


def content_hash(plugin: str, name: str) -> str:
    """The hash of what a plugin's function makes, whole, to be pinned as its ``sha256``.

    What the plugin prints goes to stderr, so that the hash stands alone.

    Args:
        plugin: the file.
        name: its dataset.

    Raises:
        UserError: it cannot be loaded, has no such dataset, or one that is known otherwise.
    """
    with redirect_stdout(sys.stderr):
        plugins.load([plugin])
        entry = datasets.registry.get(name, "--hash")
        if not entry.pinned:
            raise entry.refusal("is known by what it is made from; a file's hash is `sha256sum`'s")
        return datasets.digest(entry.made(datasets.Raw(DATA / "raw")))


def _check_labels(layout: Layout, dataset: str) -> None:
    """Refuse labels that do not fit the study's models, and say which classes have no example."""
    for name in layout.study.workloads:
        workload = workloads.registry.get(name)
        ours = workloads.registry.ships(name) and datasets.registry.ships(
            dataset
        )  # tests see to it
        if workload.dataset != dataset or not workload.classifies or ours:
            continue
        from trainscape.engine.outputs import check_labels  # imports torch

        arrays = datasets.load(dataset, DATA)
        if outputs := check_labels(workload, arrays):
            _note_missing(workload, arrays, labels.classes(workload, outputs))


def _note_missing(workload: Workload, arrays: Arrays, classes: int) -> None:
    """Say which classes the model can tell apart and never sees: right to train on, but odd."""
    seen = set(arrays.y_train.flatten().tolist())
    missing = [label for label in range(classes) if label not in seen]
    if missing:
        listed = ", ".join(map(str, missing[:LISTED])) + ", …" * (len(missing) > LISTED)
        print(
            f"note: y_train of {workload.dataset!r} has no example of class {listed}; "
            f"the model of {workload.name!r} has {classes} outputs",
            file=sys.stderr,
        )
