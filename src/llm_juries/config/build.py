"""Build objects from a composed Hydra config, checking every key and type first.

`hydra.utils.instantiate` passes a wrong key or type on, and it fails only where it is used, often
after money was spent. `build` reads the signature of the target instead; its errors name the key,
its place and the nearest valid ones.
"""

from __future__ import annotations

import collections.abc
import contextlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Any, TypeVar

import msgspec
from omegaconf import DictConfig, OmegaConf

from ..errors import JuriesError, nearest
from .resources import Resources

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "{KEY: VALUE}",
    "date": "a day, as 2026-11-26",
}
"""msgspec's names of types, in words."""
SHOWN = ("name", "family", "vendor", "note")
"""Keys of texts for tables and reports."""
RESOURCES = "resources"
"""A key of a judge's node that is not its target's: what its job needs of a cluster."""


def build(node: DictConfig, path: str) -> Any:
    """Call the node's `_target_` with the node's keys, after checking their names and types.

    Parameters
    ----------
    node : DictConfig
        A config with `_target_` and the keyword arguments of that target.
    path : str
        The place of the node in the whole config, for errors: "dataset", "judges.qwen".

    Raises
    ------
    JuriesError
        In one line: an unknown key (with the nearest valid ones), a missing one, a wrong type.
    """
    _check_mapping(node, path)
    name = node.get("_target_")
    if not name:
        for key, inner in node.items():
            if isinstance(inner, DictConfig) and "_target_" in inner:
                raise JuriesError(
                    f"{path}.{key!s}: a key can't hold a dot; leave out the yaml's line "
                    "'# @package', or write an underscore there (the name may hold a dot)"
                )
        raise JuriesError(f"{path}: has no _target_; name the class or function to build")
    for key in sorted(OmegaConf.missing_keys(node)):  # named from the root of the whole config
        place = key if key.startswith(f"{path}.") else f"{path}.{key}"
        raise JuriesError(f"{place}: is required; set {place}=VALUE")
    with _unnamed(node):
        return _built(node, path, str(name))


def _built(node: DictConfig, path: str, name: str) -> Any:
    for key in SHOWN:
        if "oc.env" in str(OmegaConf.to_container(node).get(key)):  # type: ignore[union-attr]
            raise JuriesError(
                f"{path}.{key}: is shown in reports, so it can't come from the environment; write "
                "it here"
            )
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)  # noqa: S101 - a DictConfig always becomes a dict
    del values["_target_"]
    if (resources := values.pop(RESOURCES, None)) is not None:
        _checked(Resources, resources, f"{path}.{RESOURCES}")
    try:
        target = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise JuriesError(f"{path}._target_: {name!r} cannot be imported ({error})") from None
    if not callable(target):
        raise JuriesError(f"{path}._target_: {name!r} cannot be called; name a class or a function")
    arguments = _checked(target, {str(key): value for key, value in values.items()}, path)
    try:
        return target(**arguments)
    except JuriesError as error:
        raise JuriesError(f"{path}: {error}") from None


@contextlib.contextmanager
def _unnamed(node: DictConfig) -> Iterator[None]:
    """Let no error hold what the environment's variables hold: it may be a secret."""
    try:
        yield
    except JuriesError as error:
        text = str(error)
        for raw, resolved in _of_environment(OmegaConf.to_container(node), node):
            text = text.replace(resolved, raw)
        raise JuriesError(text) from None


def _of_environment(raw: Any, node: Any) -> Iterator[tuple[str, str]]:
    """Yield the interpolations of environment variables below a node, and what they stand for."""
    if isinstance(raw, str):
        return
    for key, inner in raw.items() if isinstance(raw, dict) else enumerate(raw or ()):
        if isinstance(inner, str) and "oc.env" in inner:
            if value := str(node[key]):
                yield inner, value
        elif isinstance(inner, dict | list):
            yield from _of_environment(inner, node[key])


T = TypeVar("T")


def read(kind: type[T], node: DictConfig, path: str) -> T:
    """Build a dataclass from a node whose keys are its fields.

    Raises
    ------
    JuriesError
        In one line: an unknown key, a missing one, or a value that is wrong.
    """
    _check_mapping(node, path)
    with _unnamed(node):
        values = OmegaConf.to_container(node, resolve=True)
        assert isinstance(values, dict)  # noqa: S101 - a DictConfig always becomes a dict
        arguments = _checked(kind, {str(key): value for key, value in values.items()}, path)
        try:
            return kind(**arguments)
        except JuriesError as error:
            raise JuriesError(f"{path}: {error}" if path else str(error)) from None


def pick(cfg: DictConfig, kind: type[T]) -> T:
    """Build a dataclass from those keys at the top of a config that are its fields."""
    names = [name for name in inspect.signature(kind).parameters if name in cfg]
    return read(kind, OmegaConf.masked_copy(cfg, names), "")


def _check_mapping(node: Any, path: str) -> None:
    """Raise JuriesError where a value was set in place of a node."""
    if not isinstance(node, DictConfig):
        raise JuriesError(f"{path}: takes {{KEY: VALUE}}, not {node}")


def _checked(target: Any, values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the values converted to the types of the target's signature."""
    hints = _check_names(target, values, path)
    checked = {}
    for key, value in values.items():
        place = f"{path}.{key}" if path else key
        hint = hints.get(key, Any)
        _check_nested(hint, value, place)
        try:
            checked[key] = msgspec.convert(value, hint)
        except JuriesError as error:  # of a nested dataclass
            raise JuriesError(f"{place}: {error}") from None
        except msgspec.ValidationError as error:
            raise JuriesError(_wrong(place, value, hint, str(error))) from None
    return checked


def _wrong(place: str, value: Any, hint: Any, error: str) -> str:
    """Return one line on a value that does not fit its type hint, from msgspec's message."""
    message, _, inside = error.partition(" - at `$")
    inside = inside.rstrip("`")
    if found := re.match(r"Invalid enum value '(.*)'", message):
        there = ", ".join(_choices(_inner(hint, inside)))
        return f"{place}{inside}: there is no {found[1]!r}; there are: {there}"
    if message.startswith("Invalid RFC3339"):
        return f"{place}{inside}: {_found(value, inside)!r} is not a date; write one as 2026-11-26"
    found = re.match(r"Expected `(.*)`, got `.*`$", message)
    if found is None:
        return f"{place}{inside}: {message} (got {value!r})"
    kinds = [KINDS.get(kind, kind) for kind in found[1].split(" | ")]
    remedy = f"; write {place}=[{value}]" if kinds[0] == KINDS["array"] and not inside else ""
    given = f"not {value!r}" if not inside else f"got {value!r}"
    return f"{place}{inside}: takes {' or '.join(kinds)}, {given}{remedy}"


def _inner(hint: Any, inside: str) -> Any:
    """Return the type hint at a place in a value, as msgspec writes it: ".batch", "[0].name"."""
    for name in re.findall(r"\.(\w+)", inside):
        nested = [typing.get_type_hints(one) for one in _dataclasses(hint)]
        hint = next((hints[name] for hints in nested if name in hints), hint)
    return hint


def _dataclasses(hint: Any) -> Iterator[type]:
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for argument in typing.get_args(hint):
        yield from _dataclasses(argument)


def _found(value: Any, inside: str) -> Any:
    """Return what stands at a place in a value, the value itself where that can't be told."""
    for name in re.findall(r"\.(\w+)", inside):
        value = value.get(name) if isinstance(value, dict) else value
    return value


def _check_names(target: Any, values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Raise JuriesError for an unknown or a missing key; return the type hints of the others."""
    prefix = f"{path}." if path else ""
    parameters = inspect.signature(target).parameters
    for key in values:
        if key not in parameters:
            raise JuriesError(f"{prefix}{key}: no such key{nearest(key, parameters)}")
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in values:
            choices = _choices(hints.get(key, Any))
            remedy = f"one of {', '.join(choices)}" if choices else f"{prefix}{key}=VALUE"
            raise JuriesError(f"{prefix}{key}: is required; set {remedy}")
    return hints


def _check_nested(hint: Any, value: Any, path: str) -> None:
    """Check the keys of dataclasses at any depth: the conversion ignores unknown ones."""
    if is_dataclass(hint) and isinstance(value, dict):
        for key, inner in _check_names(hint, value, path).items():
            if key in value:
                _check_nested(inner, value[key], f"{path}.{key}")
        return
    mapping = typing.get_origin(hint) is collections.abc.Mapping
    for inner in typing.get_args(hint):
        if isinstance(value, list):
            for number, element in enumerate(value):
                _check_nested(inner, element, f"{path}[{number}]")
        elif isinstance(value, dict) and mapping:
            for key, element in value.items():
                _check_nested(inner, element, f"{path}.{key}")
        else:  # a union
            _check_nested(inner, value, path)


def _choices(hint: Any) -> list[str]:
    """Return the values that a type hint allows, from Literals and enumerations at any depth."""
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return [str(member.value) for member in hint]
    if typing.get_origin(hint) is typing.Literal:
        return [str(argument) for argument in typing.get_args(hint)]
    return [choice for argument in typing.get_args(hint) for choice in _choices(argument)]
