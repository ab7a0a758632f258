"""From the entries of a study to parts with every hyperparameter, checked before any job starts."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from trainscape import optimizers, schedules
from trainscape.cells import tryout
from trainscape.cells.cell import TORCH, Part
from trainscape.cells.imported import Imported
from trainscape.cells.locate import hyperparameters, locate
from trainscape.checks import undeclared
from trainscape.errors import UserError, unknown
from trainscape.hashing import canonical
from trainscape.registry import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trainscape.registry import Registry
    from trainscape.study import Study
    from trainscape.study.axes import Entry, OptimizerEntry

T = TypeVar("T")
CLIP_NORM = optimizers.Optimizer.__dataclass_fields__["clip_norm"]


def optimizer_parts(study: Study) -> list[Part]:
    """The axis of optimizers.

    Raises:
        UserError: a name, import path or hyperparameter is not valid, or two entries are the same.
    """
    key = "grid.optimizer"
    made = (_optimizer_part(f"{key}[{i}]", entry) for i, entry in enumerate(study.grid.optimizer))
    return _all_different(key, made)


def schedule_parts(study: Study) -> list[Part]:
    """The axis of schedules; raises as :func:`optimizer_parts` does."""
    key = "grid.schedule"
    made = (
        _registered_part(f"{key}[{i}]", entry, schedules.registry)
        for i, entry in enumerate(study.grid.schedule)
    )
    return _all_different(key, made)


def _all_different(key: str, made: Iterable[Part]) -> list[Part]:
    parts: list[Part] = []
    for part in made:
        for other in parts:
            if other.label == part.label:
                raise UserError(
                    f"{key}: two entries are called {part.label!r}; give each a 'label' of its own"
                )
            if other.label.casefold() == part.label.casefold():
                raise UserError(
                    f"{key}: {other.label!r} and {part.label!r} are one file name on some disks; "
                    "give one another 'label'"
                )
            if canonical(other.spec()) == canonical(part.spec()):
                raise UserError(
                    f"{key}: {other.label!r} and {part.label!r} are the same; remove one"
                )
        parts.append(part)
    return parts


def _optimizer_part(key: str, entry: str | OptimizerEntry) -> Part:
    name = entry if isinstance(entry, str) else entry.name
    if name == TORCH or (name or "").startswith(f"{TORCH}."):
        path = "package.module.Class" if name == TORCH else name
        raise UserError(f"{key}: {name!r} is no name of an optimizer; write {{torch: {path}}}")
    if isinstance(entry, str) or entry.name is not None:
        return _registered_part(key, entry, optimizers.registry)
    return _imported_part(key, str(entry.torch), entry)


def _registered_part(
    key: str, entry: str | Entry | OptimizerEntry, registry: Registry[Any]
) -> Part:
    """The part that a registry knows by its name."""
    name = entry if isinstance(entry, str) else str(entry.name)
    kind = registry.get(name, key)
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise UserError(f"{key}: {name!r} is no dataclass; add @dataclass(frozen=True) to it")
    known = {f.name for f in fields(kind) if f.init}
    if "clip_norm" in known and kind.__dataclass_fields__["clip_norm"] is not CLIP_NORM:
        raise UserError(
            f"{key}: {name!r} has a field 'clip_norm', which is every optimizer's: "
            "the engine clips; rename it, or remove it"
        )
    given = _given(entry)
    for field in given:
        if field not in known:
            raise unknown(f"{key} ({name})", field, known | {"label"})
    label = None if isinstance(entry, str) else entry.label
    made = _made(key, {"name": name, **given}, registry)
    return Part(
        name, {f.name: getattr(made, f.name) for f in fields(kind) if f.init}, label or name
    )


def _given(entry: str | Entry | OptimizerEntry) -> dict[str, Any]:
    """The hyperparameters that an entry gives."""
    if isinstance(entry, str):
        return {}
    clip_norm = getattr(entry, "clip_norm", None)
    return {**(entry.model_extra or {}), **({"clip_norm": clip_norm} if clip_norm else {})}


def _imported_part(key: str, path: str, entry: OptimizerEntry) -> Part:
    """The part that an import path stands for; its class is constructed once, to see."""
    kind = locate(path, f"{key}.torch")
    name = path.rpartition(".")[2]
    known = hyperparameters(kind)
    if "lr" not in known:
        raise UserError(f"{key}.torch: {path!r} takes no 'lr', which is an axis of the grid")
    given: dict[str, Any] = {}
    for field, value in (entry.model_extra or {}).items():
        if field == "lr":
            raise UserError(f"{key}.lr: is an axis of the grid; give the rates under grid.lr")
        if field not in known:
            raise unknown(f"{key} ({name})", field, {*known, "clip_norm", "label"} - {"lr"})
        given[field] = undeclared(f"{key}.{field}", value, known[field])
    label = entry.label or name.lower()
    if not NAME.fullmatch(label):
        raise UserError(f"{key}: {label!r} is no file name; give it a 'label'")
    tryout.construct(key, Imported(path, given))
    return Part(TORCH, {"torch": path, "clip_norm": entry.clip_norm, **given}, label)


def _made(key: str, spec: Mapping[str, Any], registry: Registry[type[T]]) -> T:
    """The part that ``spec`` states; what is wrong with it is told by its place in the study."""
    try:
        return registry.make(spec)
    except UserError as error:
        why = str(error).removeprefix(spec["name"])
        named = len(why) < len(str(error)) and why.startswith((".", ":"))
        raise UserError(f"{key}{why}" if named else f"{key}: {error}") from None
