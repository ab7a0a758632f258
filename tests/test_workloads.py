from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from trainscape import datasets
from trainscape.workloads import registry

NAMES = registry.names()
SIZES = {"digits": 8, "mnist": 28, "fashion-mnist": 28, "kmnist": 28}  # the side of an image
PARAMETERS = {
    "digits-cnn": 6_090,
    "digits-mlp": 4_810,
    "fashion-mlp": 159_010,
    "kmnist-mlp": 159_010,
    "mnist-cnn": 1_199_882,
    "mnist-mlp": 159_010,
}

every_workload = pytest.mark.parametrize("name", NAMES)
built_in = pytest.mark.parametrize(
    "name", PARAMETERS
)  # image classifiers in default initialisation


def build(name: str, seed: int = 0) -> nn.Module:
    """The workload's model with the weights of a seed."""
    torch.manual_seed(seed)
    return registry.get(name).build()


def images(name: str, count: int) -> torch.Tensor:
    """Random bytes as the engine hands them to the model: scaled float32 (B, H, W)."""
    entry = registry.get(name)
    side = SIZES[entry.dataset]
    generator = torch.Generator().manual_seed(1)
    high = 17 if entry.dataset == "digits" else 256
    raw = torch.randint(high, (count, side, side), generator=generator)
    return (raw / 255 - entry.mean) / entry.std


@every_workload
def test_names_a_dataset(name: str) -> None:
    """A workload's dataset exists, and a target that is a share can be reached and missed."""
    entry = registry.get(name)
    assert entry.name == name
    assert datasets.registry.get(entry.dataset).name == entry.dataset
    assert entry.metric.unit != "fraction" or 0 < entry.target < 1


@built_in
def test_output_shape(name: str) -> None:
    """Images without a channel axis give ten finite logits each, one image or many."""
    model = build(name).eval()
    for count in (1, 3):
        output = model(images(name, count))
        assert output.shape == (count, 10)
        assert output.isfinite().all()


@built_in
def test_parameter_count(name: str) -> None:
    """The networks are the documented ones, counted by hand."""
    assert sum(p.numel() for p in build(name).parameters()) == PARAMETERS[name]


@built_in
def test_initial_loss(name: str) -> None:
    """A fresh model guesses: its loss is that of ten equally likely classes, within a third."""
    x, entry = images(name, 200), registry.get(name)
    y = torch.arange(200) % 10
    losses = [entry.loss(build(name, seed).eval()(x), y).item() for seed in range(5)]
    assert sum(losses) / 5 == pytest.approx(math.log(10), rel=1 / 3)


@built_in
def test_draws_nothing_but_default_weights(name: str) -> None:
    """The weights are PyTorch's own default draws in module order, and nothing else is drawn."""
    model = build(name)
    drawn = torch.get_rng_state()
    weights = [p.clone() for p in model.parameters()]
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.reset_parameters()
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(map(torch.equal, weights, model.parameters()))


@built_in
def test_initial_distribution(name: str) -> None:
    """Weights and biases are uniform in ±1/√fan-in, so that published figures can be met."""
    layers = 0
    for module in build(name).modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            bound = module.weight[0].numel() ** -0.5
            assert module.bias is not None
            for values in (module.weight.detach(), module.bias.detach()):
                assert values.abs().max() <= bound
            if module.weight.numel() > 1000:
                ranks = (module.weight.detach().flatten().sort().values / bound + 1) / 2
                even = torch.linspace(0, 1, len(ranks))
                # Kolmogorov and Smirnov's distance; 1.95/√n is passed once in a thousand draws
                assert (ranks - even).abs().max() < 1.95 / len(ranks) ** 0.5
            layers += 1
    assert layers >= 2


@built_in
def test_standard_modules_only(name: str) -> None:
    """Every module is torch's own: the engine knows how each behaves when models are stacked."""
    assert all(type(m).__module__.startswith("torch.nn.") for m in build(name).modules())


@every_workload
def test_models_are_fresh(name: str) -> None:
    """Each call makes a model of its own."""
    one, two = build(name), build(name)
    assert not {p.data_ptr() for p in one.parameters()} & {p.data_ptr() for p in two.parameters()}


@built_in
def test_loss_and_metric(name: str) -> None:
    """Cross-entropy and accuracy, written out for three examples."""
    entry = registry.get(name)
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 3.5]]).double()
    labels = torch.tensor([0, 0, 1])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(1)) + math.log1p(math.exp(-0.5))) / 3
    assert entry.loss(logits, labels).item() == pytest.approx(expected, rel=1e-12)
    assert entry.metric.compute(logits, labels).item() == pytest.approx(2 / 3, rel=1e-12)
    assert (entry.metric.name, entry.metric.direction) == ("accuracy", "max")


def test_cross_entropy_is_the_articles_loss() -> None:
    """Cross-entropy of logits is the negative log-likelihood of their log-softmax."""
    logits, labels = build("mnist-cnn").eval()(images("mnist-cnn", 4)), torch.arange(4)
    article = functional.nll_loss(functional.log_softmax(logits, dim=1), labels)
    assert registry.get("mnist-cnn").loss(logits, labels).item() == pytest.approx(article.item())


def test_cnn_features() -> None:
    """Article 5's network has 9,216 features behind its convolutions: 64 maps of 12×12."""
    model = build("mnist-cnn").eval()
    assert isinstance(model, nn.Sequential)
    flatten = next(i for i, module in enumerate(model) if isinstance(module, nn.Flatten))
    maps = model[:flatten](images("mnist-cnn", 2))
    assert maps.shape == (2, 64, 12, 12)
    assert model[: flatten + 1](images("mnist-cnn", 2)).shape == (2, 9216)


def test_cnn_order() -> None:
    """Its layers are the article's, in the article's order."""
    kinds = [type(module).__name__ for module in build("mnist-cnn").children()]
    assert kinds == [
        *("Unflatten", "Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d", "Dropout2d"),
        *("Flatten", "Linear", "ReLU", "Dropout", "Linear"),
    ]
    rates = [m.p for m in build("mnist-cnn").modules() if isinstance(m, nn.Dropout | nn.Dropout2d)]
    assert rates == [0.25, 0.5]


def test_dropout2d_of_features_is_dropout() -> None:
    """On (B, features) dropout2d drops single features, so plain dropout is the same network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls such an input ambiguous
        torch.manual_seed(0)
        dropped = functional.dropout2d(torch.ones(200, 128), 0.5)
    assert set(dropped.flatten().tolist()) == {0.0, 2.0}
    assert 0.45 < dropped.eq(0).float().mean() < 0.55
    row = dropped.eq(0).float().mean(1)  # neither whole rows
    column = dropped.eq(0).float().mean(0)  # nor whole columns
    assert row.min() > 0.2 and row.max() < 0.8
    assert column.min() > 0.2 and column.max() < 0.8


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_digits_inputs_fill_the_unit_interval(name: str) -> None:
    """Pixels from 0 to 16 become inputs from 0 to 1."""
    entry = registry.get(name)
    scaled = (np.array([0, 16], dtype=np.uint8) / 255 - entry.mean) / entry.std
    assert scaled.tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize(
    ("name", "black", "white"),
    [
        ("mnist-mlp", -1, 1),
        ("mnist-cnn", -0.4242, 2.8215),
        ("fashion-mlp", -0.8102, 2.0227),
        ("kmnist-mlp", -1, 1),
    ],
)
def test_mnist_inputs(name: str, black: float, white: float) -> None:
    """Grey levels are scaled as the articles scale them, or to mean 0 and deviation 1."""
    entry = registry.get(name)
    scaled = (np.array([0, 255], dtype=np.uint8) / 255 - entry.mean) / entry.std
    assert scaled.tolist() == pytest.approx([black, white], abs=1e-4)
