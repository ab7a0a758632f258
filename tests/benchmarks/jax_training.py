"""The rival's training: models side by side, as one writes it today.

``jax.vmap`` of a ``lax.scan`` over steps, or of ``lax.map`` where that is faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax, random

from benchmarks.jax_models import MODELS, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.jax_models import Drop, Params


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
