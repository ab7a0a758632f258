"""Random numbers that depend on the seed alone."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import torch

from trainscape.engine import streams

WORD = (1 << 64) - 1


def splitmix64(seed: int, count: int) -> list[int]:
    """SplitMix64 in Python's integers: add 2⁶⁴/φ, then mix (Steele, Lea and Flood, 2014)."""
    outputs = []
    for _ in range(count):
        seed = (seed + 0x9E3779B97F4A7C15) & WORD
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
        outputs.append(z ^ (z >> 31))
    return outputs


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ((0, "weights"), 4194789700723333633),
        ((1, "weights"), 6645201493885463367),
        ((0, "order", 3), 5172884068272721061),
        ((0, "dropout", "6"), 6344895953529318256),
    ],
)
def test_derive_never_changes(stream: tuple[Any, ...], expected: int) -> None:
    """A stream's number is the one that all results so far were made with."""
    assert streams.derive(*stream) == expected


def test_derive_tells_streams_apart() -> None:
    """Seeds, names and numbers of a stream all count, in their order."""
    apart: list[tuple[Any, ...]] = [
        (1, "order", 2),
        (2, "order", 1),
        (1, "dropout", 2),
        (12, "order"),
        (1,),
    ]
    made = {streams.derive(*stream) for stream in apart}
    assert len(made) == 5
    assert all(0 <= number < 1 << 63 for number in made)


def test_permutations_never_change() -> None:
    """A permutation is the one that all results so far were made with."""
    assert streams.permutation(10, 0, "order", 0).tolist() == [9, 7, 3, 8, 0, 4, 1, 5, 6, 2]
    assert streams.permutation(10, 1, "order", 0).tolist() == [4, 5, 0, 6, 8, 3, 7, 9, 2, 1]
    assert streams.permutation(10, 0, "validation").tolist() == [7, 1, 6, 4, 9, 3, 5, 0, 2, 8]


def test_a_permutation_holds_everything_once() -> None:
    """Whatever torch's own generator did before, all numbers are there, in the same order."""
    torch.manual_seed(1)
    first = streams.permutation(1437, 5, "order", 0)
    torch.manual_seed(2)
    assert torch.equal(first, streams.permutation(1437, 5, "order", 0))
    assert first.sort().values.tolist() == list(range(1437))


def test_uniform_bits_never_change() -> None:
    """Dropout's bits are the ones that all results so far were made with."""
    keys = torch.tensor([streams.derive(seed, "dropout", "1") for seed in (0, 1)])
    assert streams.uniform_bits(keys, torch.tensor([0]), 4).tolist() == [
        [1871186, 10449998, 11808914, 16228726],
        [11050298, 5514799, 3237551, 11905041],
    ]
    assert streams.uniform_bits(keys, torch.tensor([7]), 4).tolist() == [
        [971700, 14776667, 15492334, 11153887],
        [12991234, 14497872, 15126313, 7542141],
    ]


def test_mixing_is_splitmix64() -> None:
    """Mixing multiples of 2⁶⁴/φ gives SplitMix64's published outputs for the seed 1234567."""
    counter = torch.tensor([1234567]) + torch.arange(1, 4) * streams.GOLDEN
    made = [z & WORD for z in streams._mix(counter).tolist()]
    assert made == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert made == splitmix64(1234567, 3)


def test_uniform_bits_are_the_top_of_splitmix64() -> None:
    """A step's bits are the upper 24 of SplitMix64's outputs, from a seed mixed of key and step."""
    key, step = streams.derive(3, "dropout", "fc"), 11
    start = splitmix64((key + (step - 1) * 0x9E3779B97F4A7C15) & WORD, 1)[0]
    expected = [z >> 40 for z in splitmix64(start, 50)]
    assert (
        streams.uniform_bits(torch.tensor([key]), torch.tensor([step]), 50)[0].tolist() == expected
    )


def test_uniform_bits_are_uniform() -> None:
    """Of 2¹⁶ draws the mean, the counts in 256 bins and every single bit are as chance has them."""
    drawn = streams.uniform_bits(
        torch.tensor([streams.derive(0, "dropout", "1")]), torch.tensor([0]), 1 << 16
    )[0]
    assert 0 <= drawn.min().item() <= drawn.max().item() < 1 << 24
    share = drawn.double() / (1 << 24)
    # five standard errors: 1/√12 spread over √2¹⁶ = 256 draws' root
    assert abs(share.mean().item() - 0.5) < 5 * 12**-0.5 / 256
    counts = torch.bincount(drawn >> 16, minlength=256).double()
    chi_square = ((counts - 256) ** 2 / 256).sum().item()
    assert abs(chi_square - 255) < 5 * (2 * 255) ** 0.5
    ones = torch.stack([(drawn >> bit & 1).double().mean() for bit in range(24)])
    assert (ones - 0.5).abs().max() < 5 * 0.5 / 256


def test_neighbouring_streams_are_unrelated() -> None:
    """Next steps, seeds and layers, and a shift by one, correlate no more than chance does."""
    count = 1 << 16
    keys = [
        streams.derive(seed, "dropout", layer) for seed, layer in ((0, "1"), (1, "1"), (0, "2"))
    ]
    at_0, at_1 = (
        streams.uniform_bits(torch.tensor(keys), torch.tensor([step]), count) for step in (0, 1)
    )
    series = [*at_0, *at_1, at_0[0].roll(1)]
    for a, b in combinations([s.double() for s in series], 2):
        both = torch.corrcoef(torch.stack([a, b]))[0, 1]
        assert abs(both.item()) < 5 / count**0.5


def test_a_stream_is_the_same_among_others() -> None:
    """A key's bits depend on neither its neighbours nor how many are drawn."""
    keys = torch.tensor([streams.derive(seed, "dropout", "1") for seed in range(7)])
    among = streams.uniform_bits(keys, torch.tensor([5]), 33)
    for i in range(7):
        assert torch.equal(
            streams.uniform_bits(keys[i : i + 1], torch.tensor([5]), 20)[0], among[i, :20]
        )
