"""The examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import snakemake_logger_plugin_trainscape as logger
import trainscape

MODULES = [
    info.name
    for package in (trainscape, logger)
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not info.name.endswith("__main__")
]


def test_the_examples_hold() -> None:
    """Every example in a docstring of the package gives what it says, and there are some."""
    results = {name: doctest.testmod(importlib.import_module(name)) for name in MODULES}
    assert {name for name, result in results.items() if result.failed} == set()
    assert sum(result.attempted for result in results.values()) > 10


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is(name: str) -> None:
    """A reader learns from a module's first line what it is for."""
    assert (importlib.import_module(name).__doc__ or "").strip()


@pytest.mark.parametrize("name", [name for name in MODULES if name.count(".") == 1])
def test_a_rooms_face_offers_what_it_lists(name: str) -> None:
    """Every name of a package's ``__all__`` is in it, or is a module of it, and stands once."""
    face = importlib.import_module(name)
    offered = getattr(face, "__all__", [])
    assert len(set(offered)) == len(offered)
    for each in offered:
        assert hasattr(face, each) or importlib.import_module(f"{name}.{each}")
