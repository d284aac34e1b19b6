"""Settings as nested dataclasses, from and to the plain values of a YAML file."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = ["from_plain", "set_value", "to_plain"]

T = TypeVar("T")


def from_plain(kind: type[T], values: Any, where: str = "") -> T:
    """Make a dataclass, and those within it, of mappings, lists and scalars.

    Args:
        kind: the dataclass.
        values: what a YAML file holds; what is left out keeps its default.
        where: dotted name of the place, for messages.

    Raises:
        ValueError: naming an unknown key, a missing one, or a value of the wrong kind, and what
            is allowed.
    """
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        raise ValueError(f"{where or 'the settings'}: {values!r} must hold keys and values")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    unknown = [key for key in values if key not in names]
    if unknown:
        keys = " and ".join(f"{where}{key}" for key in unknown)
        raise ValueError(f"unknown setting {keys}; allowed are {', '.join(names)}")
    made = {key: _convert(hints[key], value, f"{where}{key}") for key, value in values.items()}
    for field in fields(kind):
        if field.name not in made and field.default is field.default_factory is MISSING:
            raise ValueError(f"{where}{field.name} is missing")
    return kind(**made)


def to_plain(value: Any) -> Any:
    """The inverse of ``from_plain``."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def set_value(values: dict[str, Any], name: str, value: Any) -> None:
    """Set one value by its dotted name, such as ``network.heads``.

    Raises:
        ValueError: when a part of the name but the last is no group of settings.
    """
    *groups, last = name.split(".")
    for group in groups:
        if values.get(group) is None:
            values[group] = {}
        values = values[group]
        if not isinstance(values, dict):
            raise ValueError(f"{name}: {group} has no settings within it")
    values[last] = value


def _convert(hint: Any, value: Any, name: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (kind for kind in inner if kind is not type(None))
        return _convert(hint, value, name)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{name} is {value!r}; it must be a list")
        if inner[-1] is Ellipsis:
            inner = (inner[0],) * len(value)
        if len(value) != len(inner):
            raise ValueError(f"{name} is {value!r}; it takes {len(inner)} values")
        return tuple(
            _convert(kind, item, f"{name}[{number}]")
            for number, (kind, item) in enumerate(zip(inner, value, strict=True))
        )
    if is_dataclass(hint):
        return from_plain(hint, value, f"{name}.")
    if hint is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):  # YAML reads 1e-4 as text, 1.0e-4 as a number
        try:
            return float(value)
        except ValueError:
            pass
    if hint is str and value is False:  # YAML reads the word off as false
        return "off"
    if type(value) is hint:
        return value
    kinds = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    raise ValueError(f"{name} is {value!r}; it must be {kinds.get(hint, 'a path')}")
