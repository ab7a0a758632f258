"""What is known of torch's operations: a file for each subject, and two tables that they fill."""

from trainscape.compiled.operations import (
    activations,
    attention,
    elements,
    images,
    losses,
    normalisation,
    places,
    products,
    shapes,
    sums,
)
from trainscape.compiled.operations._maps import copied
from trainscape.compiled.operations._table import decomposition, lowered

__all__ = [
    "activations",
    "attention",
    "copied",
    "decomposition",
    "elements",
    "images",
    "losses",
    "lowered",
    "normalisation",
    "places",
    "products",
    "shapes",
    "sums",
]
