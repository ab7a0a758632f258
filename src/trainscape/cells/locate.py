"""Find the optimizer that an import path names, or say in one line why there is none."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from trainscape.errors import UserError, near, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN = ("torch", "schedulefree", "pytorch_optimizer")  # packages that are offered for a slip


@cache
def locate(path: str, key: str = "optimizer") -> Callable[..., Any]:
    """The class that an import path names.

    Args:
        path: ``package.module.Class``.
        key: how the study names the place where it stands.

    Raises:
        UserError: there is no such package, module or class, or it is no optimizer.
    """
    package, *rest = path.split(".")
    if not package or not rest:
        raise UserError(
            f"{key}: {path!r} is no import path; write package.module.Class, "
            "such as torch.optim.NAdam"
        )
    found = _package(package, key)
    for i, name in enumerate(rest):
        at = ".".join([package, *rest[:i]])
        inner = getattr(found, name, None)
        if inner is None:
            inner = _import(f"{at}.{name}", key)
        if inner is None:
            offers = _classes(found) if i == len(rest) - 1 else []
            choices = offers or _modules(found, package)
            raise unknown(f"{key} ({at})", name, choices)
        found = inner
    if path == "torch.optim.Optimizer":
        raise UserError(
            f"{key}: {path!r} is what all are made from; choose one, such as torch.optim.NAdam"
        )
    if not _is_optimizer(found):
        offers = [f"{path}.{name}" for name in _classes(found)]
        hint = f"; did you mean {offers[0]!r}?" if len(offers) == 1 else ""
        raise UserError(f"{key}: {path!r} is no torch.optim.Optimizer{hint}")
    return found  # type: ignore[no-any-return]


def _package(name: str, key: str) -> Any:
    found = _import(name, key)
    if found is not None:
        return found
    meant = None if name in KNOWN else near(name, KNOWN)
    if meant:
        raise UserError(f"{key}: no package {name!r}; did you mean {meant!r}?")
    mend = f"pip install {name}" if name in KNOWN else "install it, or put it beside a plugin"
    raise UserError(f"{key}: no package {name!r}; {mend}")


def _import(name: str, key: str) -> ModuleType | None:
    """The module of that name; None if there is none."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return None
        reason: Exception = error
    except Exception as error:
        reason = error
    said = " ".join(f"{type(reason).__name__}: {reason}".split())
    raise UserError(f"{key}: {name!r} cannot be imported: {said}") from reason


def _is_optimizer(value: object) -> bool:
    from torch.optim import Optimizer as Base

    return isinstance(value, type) and issubclass(value, Base) and value is not Base


def _classes(module: object) -> list[str]:
    """The optimizers that a module holds."""
    return [name for name, value in _public(module) if _is_optimizer(value)]


def _modules(module: object, package: str) -> list[str]:
    """The package's own modules that a module of it holds."""
    return [
        name
        for name, value in _public(module)
        if isinstance(value, ModuleType) and value.__name__.split(".")[0] == package
    ]


def _public(module: object) -> list[tuple[str, object]]:
    if not isinstance(module, ModuleType):
        return []
    return [(name, value) for name, value in vars(module).items() if not name.startswith("_")]


def hyperparameters(kind: Callable[..., Any]) -> dict[str, Any]:
    """The keyword arguments that an optimizer takes, and their defaults (``inspect.Parameter``'s).

    Where a class hands further ones on (``**kwargs``), those of the class below it count, too.
    """
    found: dict[str, Any] = {}
    for level in inspect.getmro(kind):  # type: ignore[arg-type]
        if "__init__" not in vars(level) or level.__module__ == "torch.optim.optimizer":
            continue
        _, _, *taken = inspect.signature(
            vars(level)["__init__"]
        ).parameters.values()  # self and params
        for parameter in taken:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                found.setdefault(parameter.name, parameter.default)
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in taken):
            break
    return found
