"""Where an API is and how to get in: address, path, headers, query and the key's place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from ...errors import JuriesError
from ...redaction import NAMED, SHAPED, VARIABLE, url_problem

BatchForm = Literal["openai", "azure", "together", "mistral"]
MODEL = "{model}"
"""What stands for the model in a path."""
_OURS = ("content-type", "content-length", "transfer-encoding")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of RFC 9110: what a header's name may hold


@dataclass(frozen=True)
class Server:
    """Where an API is and how to get in. None of it is part of a verdict's key.

    Parameters
    ----------
    base_url : str, optional
        The wire's own provider by default.
    key_env : str, optional
        The environment variable that holds the key; the wire's usual one by default, "" for none.
    timeout_s : float
        For one reply.
    path : str, optional
        Where requests are sent, below `base_url`: the wire's own by default. `{model}` stands for
        the model's name: "/deployments/{model}/chat/completions".
    headers, query : mapping of str to str
        Of every request. They are logged, so they hold no secret.
    headers_env : mapping of str to str
        Further headers, each with the environment variable that holds its value.
    auth : str
        How the key is sent: "bearer", "header NAME", or "none".
    key_command : sequence of str
        A program and its arguments, run without a shell, that prints the key. It is run again when
        the server answers 401 and when the key is older than `key_lifetime_s`.
    key_lifetime_s : float, optional
        How long a key of `key_command` is used.
    batch : {"openai", "azure", "together", "mistral"}, optional
        The form of the server's batch API; the wire's own by default.

    Raises
    ------
    JuriesError
        For an address, header or query that holds a secret, an unknown `auth`, a timeout that is
        none, and options that contradict each other.
    """

    base_url: str | None = None
    key_env: str | None = None
    timeout_s: float = 60.0
    path: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_env: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    auth: str = "bearer"
    key_command: Sequence[str] = ()
    key_lifetime_s: float | None = None
    batch: BatchForm | None = None

    def __post_init__(self) -> None:
        if problem := url_problem(self.base_url):
            raise JuriesError(f"base_url: {problem}")
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise JuriesError(
                f"base_url: {self.base_url!r} is not an address; write http:// or https:// and the "
                "host, or null for the wire's own provider"
            )
        if not 0 < self.timeout_s < math.inf:  # aiohttp takes 0 and less for no timeout at all
            raise JuriesError(f"timeout_s: is {self.timeout_s}; must be more than 0, in seconds")
        if self.path is not None and not _is_path(self.path):
            raise JuriesError(
                f"path: {self.path!r} is not a path; write /PATH, with {MODEL} for the model's "
                "name, and a query into query"
            )
        self._check_headers()
        for name in self.query:
            if _secret(name) or SHAPED.search(self.query[name]):
                raise JuriesError(
                    f"query.{name}: a key would stand in the address; name its variable in "
                    "key_env, and how it is sent in auth"
                )
        _ = self.key_header  # raises for an unknown `auth`
        self._check_key()

    @property
    def key_header(self) -> str:
        """The header that holds the key, "" for none. Raises JuriesError for an unknown `auth`."""
        match self.auth.split():
            case ["bearer"]:
                return "Authorization"
            case ["none"]:
                return ""
            case ["header", name] if _TOKEN.fullmatch(name):
                return name
        raise JuriesError(
            f"auth: there is no {self.auth!r}; there are: bearer, none, header NAME (such as "
            "'header api-key')"
        )

    def key_headers(self, key: str | None) -> dict[str, str]:
        """Return the header that sends a key, none without one."""
        if not key or not self.key_header:
            return {}
        return {self.key_header: f"Bearer {key}" if self.auth.split() == ["bearer"] else key}

    def path_of(self, usual: str, model: str) -> str:
        """Return the path of a request to a model; `usual` is the wire's own."""
        return (self.path or usual).replace(MODEL, quote(model, safe=""))

    def _check_headers(self) -> None:
        for name, value in self.headers.items():
            if _secret(name) or SHAPED.search(value):
                raise JuriesError(
                    f"headers.{name}: holds a secret, and a run's files would hold it; keep it in "
                    f"an environment variable, and name that: headers_env: {{{name}: VARIABLE}}, "
                    "or key_env with auth"
                )
            if not (value.isascii() and value.isprintable()):
                raise JuriesError(
                    f"headers.{name}: {value!r} can't be sent; leave out line breaks and signs "
                    "that are not ASCII"
                )
        for name, variable in self.headers_env.items():
            if not variable.isidentifier():
                raise JuriesError(
                    f"headers_env.{name}: takes the name of an environment variable, such as "
                    "GATEWAY_KEY, not its value"
                )
        names = [*self.headers, *self.headers_env]
        for name in names:
            if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
                raise JuriesError(f"headers: {name!r} can't be set; leave it out")
        lower = [name.lower() for name in (*names, self.key_header) if name]
        for name in lower:
            if lower.count(name) > 1:
                raise JuriesError(f"headers: {name} is set twice, by headers, headers_env or auth")

    def _check_key(self) -> None:
        if self.auth == "none" and (self.key_env or self.key_command):
            raise JuriesError(
                "auth: is none, so the key of key_env or key_command would not be sent; leave "
                "them out, or set auth to bearer or 'header NAME'"
            )
        if self.key_env and self.key_command:
            raise JuriesError("key_command: key_env names a key too; leave one of them out")
        if self.key_lifetime_s is not None and not self.key_command:
            raise JuriesError("key_lifetime_s: is for the key of a key_command; set that too")
        if self.key_lifetime_s is not None and not self.key_lifetime_s > 0:  # NaN too
            raise JuriesError(f"key_lifetime_s: is {self.key_lifetime_s:g}; must be more than 0")


def _is_path(path: str) -> bool:
    rest = path.replace(MODEL, "")
    return path.startswith("/") and not set(rest) & set("?#{} ") and rest.isprintable()


def _secret(name: str) -> bool:
    """Return whether a header or a field of a query is called as those with secrets are."""
    named = NAMED.search(name) or VARIABLE.search(name)
    return bool(named) or name.lower() in ("cookie", "proxy-authorization", "sig", "signature")
