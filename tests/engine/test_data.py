"""From a dataset's arrays to scaled splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kit import examples
from kit.examples import CPU
from trainscape import workloads
from trainscape.datasets import Arrays
from trainscape.engine.data import prepare
from trainscape.errors import UserError

PLAIN = replace(examples.named(examples.odd), mean=0.0, std=1.0)


def numbered(count: int = 30) -> Arrays:
    """Images whose every pixel is the example's number, labelled by it."""
    x = np.arange(count, dtype=np.uint8)
    y = np.arange(count, dtype=np.int64)
    wide = np.broadcast_to(x[:, None, None], (count, 2, 2)).copy()
    return Arrays(wide, y, wide, y)


def test_bytes_are_scaled_as_the_workload_says() -> None:
    """A byte becomes (byte/255 − mean) / std, a float32."""
    arrays = numbered()
    workload = replace(PLAIN, mean=0.1307, std=0.3081)
    test = prepare(arrays, workload, 0, CPU).test
    expected = (arrays.x_test.astype(np.float64) / 255 - 0.1307) / 0.3081
    assert test.x.dtype == torch.float32
    np.testing.assert_allclose(test.x.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert test.y.dtype == torch.int64


def test_digits_come_out_between_0_and_1() -> None:
    """The digits' 16 ink levels fill [0, 1]: the largest, 16, becomes 1."""
    arrays = Arrays(*(np.full((2, 8, 8), 16, np.uint8), np.zeros(2, np.int64)) * 2)
    for name in ("digits-mlp", "digits-cnn"):
        splits = prepare(arrays, workloads.registry.get(name), 0, CPU)
        torch.testing.assert_close(splits.train.x, torch.ones(2, 8, 8))


def test_validation_is_taken_out_of_training() -> None:
    """Every training example is in one of the two splits, with its own label; test stays."""
    splits = prepare(numbered(), PLAIN, 0.2, CPU)
    assert (len(splits.train.y), len(splits.val.y), len(splits.test.y)) == (24, 6, 30)
    assert sorted([*splits.train.y.tolist(), *splits.val.y.tolist()]) == list(range(30))
    for split in (splits.train, splits.val, splits.test):
        torch.testing.assert_close(split.x[:, 1, 1] * 255, split.y.float())


def test_the_validation_split_never_changes() -> None:
    """It is the one that all results so far were judged by."""
    assert prepare(numbered(), PLAIN, 0.2, CPU).val.y.tolist() == [0, 10, 15, 17, 22, 29]


def test_no_validation_leaves_everything_to_training() -> None:
    """With a share of 0 the validation split is empty and training has the file's order."""
    splits = prepare(numbered(), PLAIN, 0, CPU)
    assert len(splits.val.x) == len(splits.val.y) == 0
    assert splits.train.y.tolist() == list(range(30))


def test_floats_are_shifted_and_scaled_only() -> None:
    """A user's float inputs become (x − mean) / std in float32, float targets float32."""
    arrays = examples.line()
    splits = prepare(arrays, replace(examples.regression(), mean=2.0, std=4.0), 0, CPU)
    expected = (arrays.x_train.astype(np.float64) - 2) / 4
    np.testing.assert_allclose(splits.train.x.numpy(), expected, rtol=1e-5)
    assert (splits.train.x.dtype, splits.train.y.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_tokens_stay_whole_numbers(kind: type[np.generic]) -> None:
    """Integers other than bytes are neither scaled nor made floats: an embedding looks them up."""
    tokens = np.arange(12).reshape(4, 3).astype(kind)
    labels = np.arange(4)
    splits = prepare(Arrays(tokens, labels, tokens, labels), PLAIN, 0, CPU)
    assert splits.train.x.tolist() == tokens.tolist()
    assert not splits.train.x.is_floating_point()


def test_integers_are_not_scaled_in_silence() -> None:
    """A mean or std for inputs that stay as they are is refused, with the cure."""
    arrays = numbered()
    whole = replace(arrays, x_train=arrays.x_train.astype(np.int64))
    with pytest.raises(UserError) as error:
        prepare(whole, replace(PLAIN, std=0.5), 0, CPU)
    assert str(error.value) == (
        "workload 'example': mean and std are for floats and uint8; x_train of dataset 'digits' "
        "holds int64: convert it by .astype('float32')"
    )
