"""Check what a caller in Python passed against the type hints: a wrong type is one clear line.

Configs are checked by msgspec when they are built; this is for functions and dataclasses that a
notebook calls. Only outer types are looked at, and the numbers in dicts and lists of numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import cache, wraps
from numbers import Integral, Real
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import JuriesError

P = ParamSpec("P")
T = TypeVar("T")


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that raises JuriesError for an argument of a wrong type."""
    signature = inspect.signature(function)

    @wraps(function)
    def check_first(*given: P.args, **named: P.kwargs) -> T:
        for name, value in signature.bind(*given, **named).arguments.items():
            _check(f"{function.__name__}: {name}", value, _hints(function).get(name, Any))
        return function(*given, **named)

    return check_first


def check_fields(instance: Any, place: str) -> None:
    """Raise JuriesError if a field of a new dataclass has a value of a wrong type."""
    for name, hint in _hints(instance.__class__).items():
        _check(f"{place}: {name}", getattr(instance, name, None), hint)


@cache
def _hints(of: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the types of the parameters or fields; without those that only type checkers know."""
    if isinstance(of, type):
        return get_type_hints(of)
    found: dict[str, Any] = {}
    for name, hint in of.__annotations__.items():
        with suppress(NameError, TypeError):
            alone = SimpleNamespace(__annotations__={name: hint})
            found |= get_type_hints(alone, of.__globals__)
    return found


def _check(place: str, value: object, hint: Any) -> None:
    if not _is(value, hint):
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        wanted = _either([_called(kind) for kind in kinds if kind is not NoneType])
        if "a list" in wanted and isinstance(value, str):
            wanted = f"a list: {place.rpartition(': ')[2]}=[{value!r}]"
        what = f"{type(value).__name__} {value!r}".splitlines()[0][:60]
        raise JuriesError(f"{place}: got {what}; give {wanted}")
    for key, number, kind in _numbers(value, hint):
        _check(f"{place}.{key}", number, kind)


def _numbers(value: object, hint: Any) -> Iterator[tuple[object, object, Any]]:
    """Yield what stands in a dict or list of numbers, with its key or its place from 1."""
    for kind in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
        origin, inner = get_origin(kind), get_args(kind)
        if not isinstance(origin, type):
            continue
        if issubclass(origin, Mapping) and isinstance(value, Mapping) and inner[1] in (float, int):
            yield from ((key, number, inner[1]) for key, number in value.items())
        elif isinstance(value, list | tuple) and inner and inner[0] in (float, int):
            yield from ((at, number, inner[0]) for at, number in enumerate(value, 1))


def _is(value: object, hint: Any) -> bool:
    """Return whether a value is of a type; what is no plain type is left to the function."""
    origin = get_origin(hint) or hint
    if origin in (Union, UnionType):
        return any(_is(value, kind) for kind in get_args(hint))
    if origin is Any or not isinstance(origin, type) or getattr(origin, "_is_protocol", False):
        return origin is not Literal or isinstance(value, type(get_args(hint)[0]))
    if origin in (float, int):  # NumPy's numbers too
        kind = Real if origin is float else Integral
        return isinstance(value, kind) and not isinstance(value, bool)
    if issubclass(origin, Collection) and origin is not str and not issubclass(origin, Mapping):
        return isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))
    return isinstance(value, origin)


def _called(kind: Any) -> str:
    origin = get_origin(kind) or kind
    usual = {str: "a text", float: "a number", int: "a whole number", bool: "True or False"}
    if origin in usual:
        return usual[origin]
    if origin is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "a dict"
    if isinstance(origin, type) and issubclass(origin, Collection):
        return "a list"
    return f"a {getattr(origin, '__name__', origin)}"


def _either(kinds: list[str]) -> str:
    kinds = list(dict.fromkeys(kinds))
    return kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} or {kinds[-1]}"
