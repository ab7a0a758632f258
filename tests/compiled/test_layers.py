"""Linear, embedding and recurrent layers of torch, compiled with their gradients."""

from __future__ import annotations

from torch import nn

from kit.programs import agree, numbers, places, trained
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_linear_layers_and_embeddings() -> None:
    """With recurrent layers, which are made of them."""
    agree(
        trained("Linear", nn.Linear(6, 5), numbers(3, 6)),
        trained("Linear, no bias", nn.Linear(6, 5, bias=False), numbers(2, 3, 6)),
        trained("Linear of one", nn.Linear(1, 1), numbers(4, 1)),
        trained("Linear of a vector", nn.Linear(6, 5), numbers(6)),
        trained("doubles", nn.Linear(6, 5).double(), numbers(3, 6).double()),
        trained("Embedding", nn.Embedding(7, 3), places(7, 2, 4)),
        trained("Embedding, padded", nn.Embedding(7, 3, padding_idx=2), places(7, 5)),
        trained(
            "weight norm", nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), numbers(2, 3)
        ),
        trained(
            "spectral norm", nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)), numbers(2, 3)
        ),
        trained("cosine", nn.CosineSimilarity(), numbers(3, 4), numbers(3, 4)),
        trained("distance", nn.PairwiseDistance(), numbers(3, 4), numbers(3, 4)),
        trained("cells", nn.GRUCell(3, 4), numbers(2, 3)),
        trained("LSTM cell", nn.LSTMCell(3, 4), numbers(2, 3)),
        trained("GRU", nn.GRU(3, 4, batch_first=True), numbers(2, 3, 3)),
        trained("RNN", nn.RNN(3, 4), numbers(3, 2, 3)),
    )
