"""A text from a server, and a transformer that predicts its next character."""

import numpy as np

from trainscape.datasets import Arrays, url_dataset
from trainscape.workloads import Metric, example_mean, workload

TRAIN, TEST, LENGTH = 8000, 1000, 32  # windows, and characters in each


@url_dataset(
    "shakespeare",
    url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    train=TRAIN,
    test=TEST,
)
def read(path):
    """Code points, int64 (N, 32); the targets are the characters that follow each of them."""
    codes = np.frombuffer(path.read_bytes(), np.uint8).astype(np.int64)
    windows = codes[: (TRAIN + TEST) * (LENGTH + 1)].reshape(-1, LENGTH + 1)
    x, y = windows[:, :-1], windows[:, 1:]
    return Arrays(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:])


@example_mean  # so that evaluations need not hold the logits of a whole split
def nats(output, target):
    """The mean cross-entropy of logits (B, L, V) and the characters that follow (B, L)."""
    from torch.nn import functional

    return functional.cross_entropy(output.flatten(0, 1), target.flatten())


@workload(
    "shakespeare-transformer",
    dataset="shakespeare",
    target=2.3,
    loss=nats,
    metric=Metric("cross-entropy", "min", "nats", nats),
)
def build():
    """A transformer: two blocks of width 32, two heads; 34,752 parameters."""
    import torch
    from torch import nn

    class Block(nn.Module):
        """Causal attention, then a perceptron; each has a layer norm before it and a shortcut."""

        def __init__(self, width, heads=2):
            super().__init__()
            self.heads = heads
            self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
            self.all, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def attend(self, x):
            size, length, width = x.shape
            split = self.all(x).view(size, length, 3, self.heads, -1)
            query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, heads, L, width / heads)
            scores = query @ key.transpose(-1, -2) / key.shape[-1] ** 0.5
            later = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
            mixed = scores.masked_fill(later, float("-inf")).softmax(-1) @ value
            return self.out(mixed.transpose(1, 2).reshape(size, length, width))

        def forward(self, x):
            x = x + self.attend(self.norms[0](x))
            return x + self.mlp(self.norms[1](x))

    class Transformer(nn.Module):
        """Logits (B, L, 128) of the next character, from characters (B, L)."""

        def __init__(self, vocabulary=128, width=32):
            super().__init__()
            self.characters = nn.Embedding(vocabulary, width)
            self.places = nn.Parameter(0.1 * torch.randn(LENGTH, width))
            self.blocks = nn.Sequential(Block(width), Block(width))
            self.head = nn.Linear(width, vocabulary)

        def forward(self, x):
            return self.head(self.blocks(self.characters(x) + self.places))

    return Transformer()
