"""The rival's process: it compiles and runs what it is told, and needs jax and numpy alone.

It is told a line of JSON at a time what to do (:mod:`benchmarks.jax_peer`). What it compiles is
:mod:`benchmarks.jax_training`, of the models of :mod:`benchmarks.jax_models`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

if "--core" in sys.argv and hasattr(os, "sched_setaffinity"):  # before jax makes its threads
    os.sched_setaffinity(0, {int(sys.argv[sys.argv.index("--core") + 1])})

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.jax_training import Recipe, side_by_side, steps, trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PRODUCTS = {"fp32": "float32", "tf32": "tensorfloat32", "bf16": "bfloat16"}


class Programs:
    """Compiled programs, by number, with what they are given."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []
        self.files: dict[str, dict[str, Any]] = {}

    def hello(self) -> dict[str, Any]:
        """That jax is here, and on what it runs."""
        [device, *_] = jax.devices()
        jax.block_until_ready(jnp.zeros(8) + 1)
        return {"jax": jax.__version__, "platform": device.platform, "device": device.device_kind}

    def steps(
        self,
        file: str,
        model: str,
        optimizer: str,
        at_once: int,
        width: int,
        precision: str = "fp32",
    ) -> dict[str, Any]:
        """Compile steps of the first models of a file; the program's number and the seconds."""
        held = self._file(file)
        each = {
            "start": [part[:width] for part in parts(held, "start")],
            "lr": jnp.zeros(width),
            "seed": held["seed"][:width],
        }
        shared = {name: held[name] for name in ("x", "y", "orders")}
        shared["dropout"] = jnp.float32(1)
        one = partial(steps, Recipe(model, optimizer, precision))
        return self._compiled(one, at_once, each, shared, precision)

    def trials(
        self,
        file: str,
        group: str,
        model: str,
        optimizer: str,
        size: int,
        at_once: int,
        epochs: int,
    ) -> dict[str, Any]:
        """Compile a group of trials, or the first epochs of them."""
        held, own = self._file(file), self._file(group)
        each = {"rates": own["rates"][:, :epochs], "seed": own["seed"]}
        names = (f"{name}_{of}" for name in ("train", "fit", "val", "test") for of in "xy")
        shared = {name: held[name] for name in names}
        shared |= {"start": parts(held, "start"), "orders": held["orders"][:, :epochs]}
        one = partial(trial, Recipe(model, optimizer), size)
        return self._compiled(one, at_once, each, shared)

    def call(self, program: int, lr: float = 0.0) -> dict[str, Any]:
        """The seconds that a program takes, once more from its start."""
        made, _, shared = self.made[program]
        each = jax.block_until_ready(self._given(program, lr))
        begin = time.perf_counter()
        jax.block_until_ready(made(each, shared))
        return {"seconds": time.perf_counter() - begin}

    def answer(
        self, program: int, out: str, lr: Sequence[float] | None = None, dropout: int = 1
    ) -> dict[str, Any]:
        """What a program computes, into a file: parameters and losses, or the trials' scores."""
        made, _, shared = self.made[program]
        each = self._given(program, lr)
        if lr is not None:
            shared = {**shared, "dropout": jnp.float32(dropout)}
        begin = time.perf_counter()
        found = jax.block_until_ready(made(each, shared))
        taken = time.perf_counter() - begin
        leaves: dict[str, Any] = {
            f"of_{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(found))
        }
        np.savez(out, **leaves)
        return {"seconds": taken}

    def _given(self, program: int, lr: Any) -> dict[str, Any]:
        each = self.made[program][1]
        if lr is None or "lr" not in each:
            return each
        width = len(each["seed"])
        return {**each, "lr": jnp.broadcast_to(jnp.asarray(lr, jnp.float32), width)}

    def _compiled(
        self,
        one: Callable[[Any, Any], Any],
        at_once: int,
        each: dict[str, Any],
        shared: dict[str, Any],
        precision: str = "fp32",
    ) -> dict[str, Any]:
        begin = time.perf_counter()
        with jax.default_matmul_precision(PRODUCTS[precision]):
            made = jax.jit(partial(side_by_side, one, at_once)).lower(each, shared).compile()
        taken = time.perf_counter() - begin
        self.made.append((made, each, shared))
        return {"program": len(self.made) - 1, "seconds": taken}

    def _file(self, name: str) -> dict[str, Any]:
        if name not in self.files:
            with np.load(name) as held:
                self.files[name] = {key: jnp.asarray(held[key]) for key in held.files}
        return self.files[name]


def parts(held: Mapping[str, Any], name: str) -> list[Any]:
    """The arrays ``name_0``, ``name_1``, … of a file."""
    return [held[f"{name}_{i}"] for i in range(sum(key.startswith(f"{name}_") for key in held))]


def main() -> None:
    """Do what every line says, and answer with a line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    programs = Programs()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            found = getattr(programs, asked.pop("do"))(**asked)
        except Exception as error:  # such as: does not fit the memory
            lines = str(error).strip().splitlines()
            found = {"error": f"{type(error).__name__}: {lines[0] if lines else ''}"}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
