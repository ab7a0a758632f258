"""The rival's own program: models trained side by side by JAX, as one writes it today.

``jax.jit`` of ``jax.vmap`` of a ``lax.scan`` over steps, or of ``lax.map`` where that is faster. It
runs in a process of its own, which is told a line of JSON at a time what to do
(:mod:`benchmarks.jax_peer`), and needs jax and numpy alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if "--core" in sys.argv and hasattr(os, "sched_setaffinity"):  # before jax makes its threads
    os.sched_setaffinity(0, {int(sys.argv[sys.argv.index("--core") + 1])})

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Params = Sequence[Any]
    Drop = Callable[..., Any]  # inputs, share, whether whole channels: what is left of the inputs

PRODUCTS = {"fp32": "float32", "tf32": "tensorfloat32", "bf16": "bfloat16"}


# --- the models: weights as (inputs, outputs), kernels and images with their channels last


def mlp(p: Params, x: Any, drop: Drop) -> Any:
    """One hidden layer."""
    return jax.nn.relu(flat(x) @ p[0] + p[1]) @ p[2] + p[3]


def digits_cnn(p: Params, x: Any, drop: Drop) -> Any:
    """Two blocks of convolution and pooling, then a linear layer."""
    x = pooled(jax.nn.relu(convolved(x[..., None], p[0], "SAME") + p[1]))
    x = pooled(jax.nn.relu(convolved(x, p[2], "SAME") + p[3]))
    return flat(x) @ p[4] + p[5]


def mnist_cnn(p: Params, x: Any, drop: Drop) -> Any:
    """Two convolutions, pooling, two linear layers and dropout before each of these."""
    x = jax.nn.relu(convolved(x[..., None], p[0], "VALID") + p[1])
    x = pooled(jax.nn.relu(convolved(x, p[2], "VALID") + p[3]))
    x = flat(drop(x, 0.25, channels=True))
    x = drop(jax.nn.relu(x @ p[4] + p[5]), 0.5)
    return x @ p[6] + p[7]


def flat(x: Any) -> Any:
    """Examples as rows."""
    return x.reshape(len(x), -1)


def convolved(x: Any, kernel: Any, padding: str) -> Any:
    """Images (B, H, W, C) under a kernel (h, w, C, channels).

    On a CPU as one product of patches: what XLA makes of a convolution's gradient there takes many
    times as long.
    """
    if jax.default_backend() == "cpu":
        rows, columns, *_ = kernel.shape
        if padding == "SAME":
            x = jnp.pad(x, ((0, 0), (rows // 2,) * 2, (columns // 2,) * 2, (0, 0)))
        high, wide = x.shape[1] - rows + 1, x.shape[2] - columns + 1
        parts = [x[:, i : i + high, j : j + wide] for i in range(rows) for j in range(columns)]
        return jnp.concatenate(parts, 3) @ kernel.reshape(-1, kernel.shape[3])
    return lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def pooled(x: Any) -> Any:
    """The largest of every 2×2 places: faster than ``reduce_window``, whose gradient is slow."""
    count, height, width, channels = x.shape
    return x.reshape(count, height // 2, 2, width // 2, 2, channels).max((2, 4))


MODELS = {"digits-mlp": mlp, "mnist-mlp": mlp, "digits-cnn": digits_cnn, "mnist-cnn": mnist_cnn}


# --- the rules, at the defaults of torch.optim: a parameter, its gradient, its states, rate, step


def sgd(p: Any, g: Any, s: Sequence[Any], lr: Any, t: Any) -> tuple[Any, list[Any]]:
    """Against the gradient."""
    return p - lr * g, []


def momentum(p: Any, g: Any, s: Sequence[Any], lr: Any, t: Any) -> tuple[Any, list[Any]]:
    """Along a decaying sum of gradients."""
    m = 0.9 * s[0] + g
    return p - lr * m, [m]


def nesterov(p: Any, g: Any, s: Sequence[Any], lr: Any, t: Any) -> tuple[Any, list[Any]]:
    """The same, one turn ahead."""
    m = 0.9 * s[0] + g
    return p - lr * (g + 0.9 * m), [m]


def rmsprop(p: Any, g: Any, s: Sequence[Any], lr: Any, t: Any) -> tuple[Any, list[Any]]:
    """The gradient over the root of its mean square."""
    v = 0.99 * s[0] + 0.01 * g * g
    return p - lr * g / (jnp.sqrt(v) + 1e-8), [v]


def adam(p: Any, g: Any, s: Sequence[Any], lr: Any, t: Any) -> tuple[Any, list[Any]]:
    """The mean gradient over the root of the mean square, both corrected."""
    m, v = 0.9 * s[0] + 0.1 * g, 0.999 * s[1] + 0.001 * g * g
    corrected, square = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return p - lr * corrected / (jnp.sqrt(square) + 1e-8), [m, v]


def adamw(p: Any, g: Any, s: Sequence[Any], lr: Any, t: Any) -> tuple[Any, list[Any]]:
    """Adam on weights that shrink by themselves."""
    return adam(p * (1 - lr * 0.01), g, s, lr, t)


# each rule, and how many states it has
RULES = {
    "sgd": (sgd, 0),
    "momentum": (momentum, 1),
    "nesterov": (nesterov, 1),
    "rmsprop": (rmsprop, 1),
    "adam": (adam, 2),
    "adamw": (adamw, 2),
}


# --- training


@dataclass(frozen=True)
class Recipe:
    """What is trained: one model, by one rule.

    Args:
        model: of :data:`MODELS`.
        optimizer: of :data:`RULES`.
        precision: of products: ``fp32``, ``tf32``, or ``bf16`` as autocast has it.
    """

    model: str
    optimizer: str
    precision: str = "fp32"

    def logits(self, p: Params, x: Any, drop: Drop) -> Any:
        """What the model answers."""
        if self.precision == "bf16":
            p, x = [part.astype(jnp.bfloat16) for part in p], x.astype(jnp.bfloat16)
        return MODELS[self.model](p, x, drop).astype(jnp.float32)

    def start(self, p: Params) -> tuple[Any, ...]:
        """A model before its first step: parameters, states of each, steps done."""
        states = [[jnp.zeros_like(part)] * RULES[self.optimizer][1] for part in p]
        return list(p), states, jnp.float32(0)

    def step(self, at: tuple[Any, ...], x: Any, y: Any, lr: Any, key: Any, dropout: Any) -> Any:
        """Train on a batch; the model after it, and its loss before."""
        p, states, t = at
        drop = partial(dropped, key, dropout, [])

        def loss(p: Params) -> Any:
            return cross_entropy(self.logits(p, x, drop), y)

        value, grads = jax.value_and_grad(loss)(p)
        rule = RULES[self.optimizer][0]
        made = [rule(*of, lr, t + 1) for of in zip(p, grads, states, strict=True)]
        return ([p for p, _ in made], [s for _, s in made], t + 1), value

    def score(self, p: Params, x: Any, y: Any) -> tuple[Any, Any]:
        """The mean loss and the share that is right, of a whole split."""
        logits = self.logits(p, x, kept)
        return cross_entropy(logits, y), (logits.argmax(1) == y).mean()


def cross_entropy(logits: Any, y: Any) -> Any:
    """The mean over a batch."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()


def dropped(
    key: Any, on: Any, layers: list[None], x: Any, share: float, channels: bool = False
) -> Any:
    """Inputs without a random share of them; every layer draws by itself.

    Args:
        key: of the step.
        on: 1, or 0 to drop nothing.
        layers: an entry for each layer that has drawn.
        x: inputs (B, …, C).
        share: that is dropped.
        channels: whether whole channels are dropped.
    """
    layers.append(None)
    shape = (len(x), *(1,) * (x.ndim - 2), x.shape[-1]) if channels else x.shape
    keep = 1 - share * on
    mask = random.bernoulli(random.fold_in(key, len(layers)), keep, shape)
    return x * (mask / keep).astype(x.dtype)


def kept(x: Any, share: float, channels: bool = False) -> Any:
    """Inputs as they are, when models are scored."""
    return x


def steps(recipe: Recipe, each: Mapping[str, Any], shared: Mapping[str, Any]) -> Any:
    """One model's steps, on batches of its seed's order; its parameters and its losses.

    Args:
        recipe: what is trained.
        each: of this model: start, lr and seed.
        shared: x, y, the orders (seeds, steps, B), and 1 for dropout or 0 for none.
    """
    key = random.key(each["seed"])

    def step(at: Any, batch: Any) -> Any:
        own = random.fold_in(key, at[2].astype(jnp.int32))
        x, y = shared["x"][batch], shared["y"][batch]
        return recipe.step(at, x, y, each["lr"], own, shared["dropout"])

    order = shared["orders"][each["seed"]]
    (p, *_), losses = lax.scan(step, recipe.start(each["start"]), order)
    return p, losses


def trial(recipe: Recipe, size: int, each: Mapping[str, Any], shared: Mapping[str, Any]) -> Any:
    """One trial to its end, scored after every epoch; its losses and metrics.

    Args:
        recipe: what is trained.
        size: examples a step; the last batch of an epoch holds what is left.
        each: of this trial: the rates (epochs, steps an epoch) and the seed.
        shared: every split, each seed's start and its orders (seeds, epochs, N).
    """
    key = random.key(each["seed"])
    x, y = shared["train_x"], shared["train_y"]

    def step(at: Any, given: Any) -> Any:
        batch, lr = given
        own = random.fold_in(key, at[2].astype(jnp.int32))
        return recipe.step(at, x[batch], y[batch], lr, own, 1)

    def epoch(at: Any, given: Any) -> Any:
        order, rates = given
        full = len(order) // size
        at, losses = lax.scan(step, at, (order[: full * size].reshape(full, size), rates[:full]))
        total = losses.sum()
        if full < len(rates):
            at, loss = step(at, (order[full * size :], rates[full]))
            total += loss
        scores = [recipe.score(at[0], *split(shared, name)) for name in ("val", "test")]
        return at, (total / len(rates), *scores)

    at = recipe.start([part[each["seed"]] for part in shared["start"]])
    at, found = lax.scan(epoch, at, (shared["orders"][each["seed"]], each["rates"]))
    return *found, recipe.score(at[0], *split(shared, "fit"))


def split(shared: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    """A split's inputs and labels."""
    return shared[f"{name}_x"], shared[f"{name}_y"]


def side_by_side(
    one: Callable[[Any, Any], Any], at_once: int, each: Mapping[str, Any], shared: Any
) -> Any:
    """The same for many models: all at once, or some at a time, or one by one.

    Args:
        one: trains one.
        at_once: how many models ``vmap`` holds; 1 for ``lax.map`` alone.
        each: what is the model's own, with the models on the leading axis.
        shared: what is the same for all.
    """
    of = partial(_swapped, one, shared)
    if at_once == 1:
        return lax.map(of, each)
    if at_once >= len(each["seed"]):
        return jax.vmap(of)(each)
    return lax.map(of, each, batch_size=at_once)


def _swapped(one: Callable[[Any, Any], Any], shared: Any, each: Any) -> Any:
    return one(each, shared)


# --- what the process does when it is told to


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
