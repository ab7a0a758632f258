"""Newton–Schulz iteration: the orthogonal matrix nearest to a matrix, by products alone.

Source: K. Jordan and others, Muon: an optimizer for hidden layers in neural networks, 2024,
https://kellerjordan.github.io/posts/muon/, whose quintic takes singular values to about 1, not to
1 itself: with its coefficients to 0.7 to 1.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.optimizers._norms import norms

if TYPE_CHECKING:
    from torch import Tensor


def orthogonal(
    matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """X ← aX + (bXXᵀ + c(XXᵀ)²)X, ``steps`` times from X = M / (‖M‖ + ε): near UVᵀ of M = USVᵀ.

    A product of one pair of matrices takes another path through the matrix library than products
    of two pairs or more and rounds otherwise, so a single matrix is multiplied beside itself.

    Args:
        matrices: M of every trial, (T, m, n).
        coefficients: a, b and c.
        steps: how many iterations.
        eps: ε, the floor of the divisor, above 0.

    Returns:
        (T, m, n).
    """
    a, b, c = coefficients
    x = matrices / norms(matrices).add_(eps)
    wide = x.shape[1] <= x.shape[2]
    if not wide:  # XXᵀ is the smaller product
        x = x.mT.contiguous()
    if len(x) == 1:
        x = x.repeat(2, 1, 1)
    for _ in range(steps):
        gram = x @ x.mT
        x = x.baddbmm(gram.baddbmm(gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT)[: len(matrices)]
