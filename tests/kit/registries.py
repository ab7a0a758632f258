"""What a test registers is forgotten after it.

Offers: :func:`kept`, which a test may do within what it likes to a registry; :func:`shipped`, for
the package's own entries alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainscape.registry import Registry


@contextmanager
def kept(*registries: Registry[Any]) -> Iterator[None]:
    """Let all entries be imported first, and be the only ones again at the end.

    A module registers its entry but once, and no run needs a registry that forgets: hence this
    look inside.
    """
    for registry in registries:
        for name in registry.names():
            registry.get(name)
    before = [(dict(r._entries), dict(r._sources)) for r in registries]
    try:
        yield
    finally:
        for registry, (entries, sources) in zip(registries, before, strict=True):
            registry._entries, registry._sources = entries, sources


@contextmanager
def shipped(registry: Registry[Any]) -> Iterator[None]:
    """Hide what other tests have registered."""
    with kept(registry):
        registry._entries = {n: e for n, e in registry._entries.items() if registry.ships(n)}
        yield
