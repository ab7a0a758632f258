"""What is not compiled, and what a user is told."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kit.programs import numbers, refusal
from kit.programs import one_thread as one_thread  # autouse, once it is here
from trainscape.compiled.nodes import UnsupportedError
from trainscape.compiled.programs import compiled


def test_what_has_no_entry_is_refused_by_name() -> None:
    """So that a user can tell what it was."""
    x = numbers(4, 5)
    assert refusal(lambda x: x.sort(1), x) == (
        "aten.sort.default has no entry in the table of operations"
    )
    assert "no entry" in refusal(lambda x: x.topk(2), x)
    assert "no entry" in refusal(torch.nonzero, x)
    assert "such indices" in refusal(lambda x: x[x > 0], x)
    assert "float16" in refusal(lambda x: x.half(), x)
    assert "complex" in refusal(lambda x: x * 1j, x)
    assert "of this form" in refusal(lambda x: functional.max_pool2d(x, 2, ceil_mode=True), x[None])
    assert "of this form" in refusal(lambda x: functional.conv3d(x, x), numbers(1, 1, 2, 2, 2))
    assert "without elements" in refusal(lambda x: x[:0].sum(), x)
    assert "of doubles" in refusal(torch.erf, x.double())
    assert "rounded" in refusal(lambda x: x.round(decimals=2), x)
    assert "single number" in refusal(lambda x: x.cumsum(0), torch.tensor(2.0))
    assert "such numbers" in refusal(lambda x: x @ x.t(), x.long())


def test_what_depends_on_luck_is_refused() -> None:
    """Its numbers would be the same at every run."""
    x = numbers(4, 5)
    for function in (
        torch.rand_like,
        torch.bernoulli,
        functional.dropout,
        lambda x: x.normal_(),
        lambda x: x + torch.randn(4, 5),
        lambda x: x[torch.randperm(4)],
        lambda x: functional.rrelu(x, training=True),
        lambda x: functional.gumbel_softmax(x),
    ):
        assert "draws random numbers" in refusal(function, x.abs().clamp(max=1))


def test_a_model_that_looks_at_numbers_is_refused() -> None:
    """It might have gone another way."""
    x = numbers(4, 5)
    why = "aten._local_scalar_dense.default looks at a number: by .item(), or by an if on a value"
    assert refusal(lambda x: x * x[0, 0].item(), x) == why
    assert refusal(lambda x: x if x.sum() > 0 else -x, x) == why
    assert refusal(lambda x: x[int(x[0, 0].abs())], x) == why
    roles = {"x": x}
    for look in (Tensor.tolist, Tensor.numpy, np.asarray):
        with pytest.raises(UnsupportedError, match="looks at numbers"):
            compiled(partial(lambda look: x.add_(float(np.sum(look(x)))), look), roles)


def test_memory_that_is_read_and_overwritten_is_refused() -> None:
    """What came out would hang on the order of a loop."""
    x = numbers(6, 6)
    assert "into memory that it reads" in refusal(lambda x: x[:, 1:5].copy_(x[:, :4]), x)
    assert "another type" in refusal(lambda x: x.view(torch.int32).add_(1), x)

    def viewed(x: Tensor) -> None:
        y = functional.conv2d(x[None, None], x[None, None, :2, :2].expand(3, 1, 2, 2))
        y.view(-1).add_(1)

    assert "lies otherwise in memory" in refusal(viewed, x)
