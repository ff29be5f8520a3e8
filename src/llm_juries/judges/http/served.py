"""Whether the model that a server says it answered with is the one that was asked for."""

from __future__ import annotations

import re

# What providers add to a model's name without it being another model: dates and revisions.
VERSION = re.compile(r"([-_@:](\d{2,}|v\d+|latest|preview|exp|beta|stable|free)|[@:]\d+)*")


def same_model(asked: str, served: str) -> bool:
    """Return whether two names stand for one model, as far as names can tell.

    The publisher before the name, capitals and what looks like a version or date after it do not
    count: "openai/gpt-4o" and "gpt-4o-2024-08-06" are the same, "gpt-4o-mini" is another.
    """
    one, other = sorted((_name(asked), _name(served)), key=len)
    return other.startswith(one) and VERSION.fullmatch(other[len(one) :]) is not None


def _name(model: str) -> str:
    name = model.lower().rstrip("/").rpartition("/")[2]
    return re.sub(r"[-_@:](latest|preview|exp|beta|stable|free)$", "", name)
