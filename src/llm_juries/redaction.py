"""Keep secrets out of what is written: find them in configs, take them out of texts.

A key comes from an environment variable that a config names (`key_env`). So a config that holds a
secret itself is refused before anything is written, and a server's echo of a key is taken out of
its response, however it is spelled.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from .disguises import LEAST, core_of, without_disguised, without_masked

SHORTEST = 8  # characters; a shorter key also occurs in a text by chance
REDACTED = "(redacted)"
NAMED = re.compile(
    r"(?:^|[_.-])(?:(?:api|access|private)[_-]?key|secret|(?:auth_?|access_?)?token|passw(?:or)?d"
    r"|authorization|credentials?)$",
    re.I,
)
"""Names of config keys whose values are secrets."""
VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSW(?:OR)?D|CREDENTIALS?)_?\d*$", re.I)
"""Names of environment variables whose values are secrets."""
SHAPED = re.compile(
    r"\b(?:sk|pk|gsk|xai|hf|ghp|glpat|xox[abp]|pplx|r8|fw)[-_][A-Za-z0-9_-]{16,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}|\bBearer\s+\S{8,}"
)
"""What the keys of well-known providers look like."""
LOGIN = re.compile(r"(?<=://)[^/@\s'\"]+@")
QUERY = re.compile(
    r"(?<=[?&])((?:[\w-]*[_-])?(?:key|apikey|token|secret|password|sig|signature|auth))=[^&#\s'\"]+",
    re.I,
)
"""What URLs hold of secrets: a login, and parameters of a query."""


@lru_cache(maxsize=256)
def spellings(key: str) -> tuple[str, ...]:
    """Return the forms in which a text may hold a key, the longest first; none of a short one."""
    if len(key) < SHORTEST:
        return ()
    raw = key.encode()
    found = {key, key.lower(), key.upper(), raw.hex(), html.escape(key)}
    found |= {quote(key), quote(key, safe=""), quote_plus(key), quote(key, safe="").lower()}
    found |= {json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]}
    for before in range(3):  # of base64, whatever stands before the key
        coded = base64.b64encode(bytes(before) + raw).decode()
        first = -(-before * 8 // 6)  # the signs that also depend on what stands before it
        whole = (before + len(raw)) * 8 // 6
        found |= {coded[first:whole], coded[first:whole].replace("+", "-").replace("/", "_")}
    return tuple(sorted((form for form in found if len(form) >= SHORTEST), key=len, reverse=True))


def redacted(text: str, keys: Iterable[str], instead: str = REDACTED) -> str:
    """Return a text without keys, in whatever spelling."""
    for key in keys:
        for form in spellings(key):
            if form in text:
                text = text.replace(form, instead)
        if "\\" in text and (escaped := _escaped(key)):
            text = escaped.sub(instead, text)
        text = without_disguised(text, key, instead)
        if len(key) >= SHORTEST:
            text = without_masked(text, key, instead)
    return text


@lru_cache(maxsize=256)
def _escaped(key: str) -> re.Pattern[str] | None:
    """Return what matches a key in JSON, whichever of its signs are escaped; its core may do."""
    if len(key) < SHORTEST or len(core_of(key)) >= LEAST:
        return None
    signs = (rf"(?:{re.escape(sign)}|\\u(?i:{ord(sign):04x})|\\{re.escape(sign)})" for sign in key)
    return re.compile("".join(signs))


def without_logins(text: str) -> str:
    """Return a text in whose URLs there is no login and no key."""
    if "://" not in text and "?" not in text:
        return text
    return QUERY.sub(rf"\1={REDACTED}", LOGIN.sub(f"{REDACTED}@", text))


def of_environment() -> list[str]:
    """Return the values of environment variables that are called as secrets are."""
    known = {value for name, value in os.environ.items() if VARIABLE.search(name)}
    secret = (value for value in known if len(value) >= SHORTEST)
    return sorted(value for value in secret if not os.path.exists(os.path.expanduser(value)))


def cleaned(text: str) -> str:
    """Return a text, such as an error's message, without the environment's secrets and logins.

    What looks like a key is taken out too.
    """
    return SHAPED.sub(REDACTED, without_logins(redacted(text, of_environment())))


def without_secrets(value: Any) -> Any:
    """Return a config with its secrets redacted.

    Redacted are the values of keys such as api_key, token and password; the values of environment
    variables with such names, anywhere in a text; and credentials in URLs.
    """
    match value:
        case Mapping():
            return {
                key: REDACTED if inner and NAMED.search(str(key)) else without_secrets(inner)
                for key, inner in value.items()
            }
        case list() | tuple():
            return [without_secrets(inner) for inner in value]
        case str():
            return cleaned(value)
    return value


def url_problem(url: str | None) -> str:
    """Return what is wrong with the address of a server, "" if nothing: it is logged."""
    if url is None:
        return ""
    if "@" in url:
        return "holds a login; put it into an environment variable, and name that in key_env"
    if "?" in url or "#" in url:
        return "has a query; paths are added to its end, and a key belongs into key_env"
    return ""


def found_in(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield the places in a config where a secret stands, and what is wrong with each.

    Parameters
    ----------
    value : JSON-like
        Interpolations are not resolved: `${oc.env:NAME}` names a secret and is none.
    place : str
        That of the value, for the places below it.
    """
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from found_in(inner, f"{place}.{key}" if place else str(key))
        case list() | tuple():
            for number, inner in enumerate(value):
                yield from found_in(inner, f"{place}[{number}]")
        case str() if value:
            above, _, name = place.rpartition(".")
            if said := _secret(value, name, above.rpartition(".")[2]):
                yield place, said


def _secret(value: str, name: str, section: str) -> str:
    """Return what secret a value of a config is, "" if it is none.

    `section` is the key under which the value's own key stands.
    """
    names_variable = name == "key_env" or section == "headers_env"
    sent = section in ("headers", "query") and VARIABLE.search(name)
    if LOGIN.search(value):
        return "a URL with a login"
    if QUERY.search(value):
        return "a URL with a key"
    if SHAPED.search(value) or (names_variable and not value.isidentifier()):
        return "what looks like a key"
    if (NAMED.search(name) or sent) and "${" not in value and not names_variable:
        return "a secret"
    known = of_environment()
    return "the value of an environment variable" if redacted(value, known) != value else ""
