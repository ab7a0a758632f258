"""Update rules, one file each; an entry is a class whose fields are its hyperparameters."""

from trainscape.optimizers._base import Optimizer
from trainscape.registry import Registry

registry: Registry[type[Optimizer]] = Registry("optimizer", __name__)
register = registry.register

__all__ = ["Optimizer", "register", "registry"]
