"""The tables of operations."""

from __future__ import annotations

import torch

from trainscape.compiled.operations._pointwise import POINTWISE
from trainscape.compiled.operations._table import DECOMPOSITIONS, LOWERINGS


def test_names_in_the_tables_are_those_of_kernels() -> None:
    """Or nothing would find them."""
    known = {name.split("::")[1].split(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    for name in (*LOWERINGS, *POINTWISE):
        assert {name, f"{name}_", f"_{name}_"} & known, name
    assert all(str(kernel).startswith("aten.") for kernel in DECOMPOSITIONS)
