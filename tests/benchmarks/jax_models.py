"""The rival's models and update rules, in plain ``jax.numpy``.

A model takes its parameters, inputs and what drops some of them; weights are (inputs, outputs),
kernels and images have their channels last. A rule has the defaults of ``torch.optim``; it takes a
parameter, its gradient, its states, the rate and the step, from 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Params = Sequence[Any]
    Drop = Callable[..., Any]  # inputs, share, whether whole channels: what is left of the inputs


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
