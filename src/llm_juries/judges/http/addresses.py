"""Addresses of servers: which are private, which go through a proxy, what they are called."""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import urlsplit

from ...redaction import SHAPED


def address_of(base_url: str) -> str:
    """Return a server's host and path, without scheme and login, for reports: two of them differ.

    A path that looks like a key is left out.
    """
    parts = urlsplit(base_url)
    host = parts.netloc.rpartition("@")[2].lower()
    path = "" if SHAPED.search(parts.path) else parts.path.rstrip("/")
    return host + path


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for a URL; None for this machine's own."""
    scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
    if not host or _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(scheme) or proxies.get("all")


def is_private(url: str) -> bool:
    """Return whether a server is on this machine or a private network, by its address or name."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost", ".lan"))
    return address.is_private or address.is_loopback or address.is_link_local


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
