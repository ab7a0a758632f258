"""Update rules, one file each; an entry is a class whose fields are its hyperparameters."""

from typing import TYPE_CHECKING

from trainscape.optimizers._base import Optimizer, root, zeros
from trainscape.registry import Registry

if TYPE_CHECKING:
    from trainscape.optimizers._base import Now as Now

registry: Registry[type[Optimizer]] = Registry("optimizer", __name__)
register = registry.register

__all__ = ["Optimizer", "register", "registry", "root", "zeros"]
