"""From a composed Hydra config to objects, with every name and type checked first.

`hydra.utils.instantiate` finds a wrong key or type only when the object trips over it, often after
money was spent. `build` reads the signature of the target instead and says which key is wrong,
where it stands and what it could have been.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from typing import Any

import msgspec
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from .prompts import nearest
from .types import JuriesError


def build(node: DictConfig, path: str) -> Any:
    """Call the node's `_target_` with the node's keys, after checking their names and types.

    Parameters
    ----------
    node : DictConfig
        A config with `_target_` and the keyword arguments of that target.
    path : str
        Where the node stands in the whole config, for errors: "dataset", "judges.qwen".

    Raises
    ------
    JuriesError
        In one line: an unknown key (with the nearest known), a missing one, or a wrong type.
    """
    name = node.get("_target_")
    if not name:
        raise JuriesError(f"{path}: has no _target_, so nothing says what to build")
    for key in node:
        if OmegaConf.is_missing(node, key):
            raise JuriesError(f"{path}.{key!s}: is needed; set it with {path}.{key!s}=VALUE")
    values = OmegaConf.to_container(node, resolve=True)
    assert isinstance(values, dict)  # noqa: S101 - a DictConfig always becomes a dict
    del values["_target_"]
    try:
        target = get_object(name)
    except Exception as error:
        raise JuriesError(f"{path}._target_: {name!r} can't be imported ({error})") from None
    arguments = _checked(target, {str(key): value for key, value in values.items()}, path)
    try:
        return target(**arguments)
    except JuriesError as error:
        raise JuriesError(f"{path}: {error}") from None


def _checked(target: Any, values: Mapping[str, Any], path: str) -> dict[str, Any]:
    parameters = inspect.signature(target).parameters
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    for key in values:
        if key not in parameters:
            raise JuriesError(f"{path}.{key}: no such key{nearest(key, parameters)}")
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in values:
            raise JuriesError(f"{path}.{key}: is needed; set it with {path}.{key}=VALUE")
    checked = {}
    for key, value in values.items():
        try:
            checked[key] = msgspec.convert(value, hints.get(key, Any))
        except msgspec.ValidationError as error:
            where, _, at = str(error).partition(" - at `$")
            place = f"{path}.{key}" + at.rstrip("`")
            raise JuriesError(f"{place}: {where} (its value: {value!r})") from None
    return checked
