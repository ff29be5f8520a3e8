"""Conversations of several turns as texts for prompts.

A turn begins with a marker such as "[Turn 2, user]". Turns are untrusted text: an opening bracket
before the word turn or system becomes a parenthesis in them, so that a turn can't forge a marker.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import JuriesError, nearest
from ..types import Message

ROLES = ("system", "user", "assistant")
_WORDS = "|".join(r"[\W_]*".join(word) for word in ("turn", "system"))  # T u r n, too
_FORGED = re.compile(rf"[\[［【〔⟦](?=[\W_]*(?:{_WORDS}))", re.IGNORECASE)


def is_conversation(value: object) -> bool:
    """Return whether a cell holds messages rather than a text: a list, or one written as JSON."""
    return _listed(value) is not None if isinstance(value, str) else isinstance(value, list | dict)


def messages_of(value: object, place: str) -> tuple[Message, ...]:
    """Return the messages of a cell.

    Parameters
    ----------
    value : list of {"role": ..., "content": ...}, or such a list as JSON
        The roles are user and assistant in turn, the user first; a system message may come before.
    place : str
        For errors: file, line and field.

    Raises
    ------
    JuriesError
        In one line: the cell is no list of messages, one has a wrong role, no text, or stands where
        it can't.
    """
    given = _listed(value) if isinstance(value, str) else value
    if not isinstance(given, Sequence) or not given:
        raise JuriesError(
            f"{place}: {str(value)[:60]!r} is not a conversation; write a list of messages: "
            '[{"role": "user", "content": "..."}]'
        )
    found: list[Message] = []
    for number, one in enumerate(given, 1):
        found.append(_message(one, f"{place}, message {number}", found))
    return tuple(found)


def _listed(text: str) -> list[Any] | None:
    """Return a text that is a JSON list of objects with roles, None for any other text."""
    if not text.lstrip().startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if found and all(isinstance(o, Mapping) and "role" in o for o in found) else None


def _message(given: object, place: str, before: Sequence[Message]) -> Message:
    if not isinstance(given, Mapping):
        raise JuriesError(f"{place}: is {given!r}; write an object with role and content")
    for field in ("role", "content"):
        if field not in given:
            raise JuriesError(f"{place}: has no field {field!r}{nearest(field, given)}")
    role, content = given["role"], given["content"]
    if role not in ROLES:
        raise JuriesError(f"{place}: has the role {role!r}; roles are {', '.join(ROLES)}")
    if not isinstance(content, str) or not content.strip():
        raise JuriesError(f"{place}: its content is {content!r}; set a text")
    last = before[-1].role if before else ""
    if role == "system" and before:
        raise JuriesError(f"{place}: is a system message; put it first")
    if role == "assistant" and last in ("", "system"):
        raise JuriesError(f"{place}: is the assistant's; a conversation begins with the user")
    if role == last:
        raise JuriesError(f"{place}: is the {role}'s, and so is the one before; join the two")
    return Message(role, content)


def as_text(messages: Sequence[Message]) -> str:
    """Return a conversation as one text; a single user's message as it is."""
    if len(messages) == 1:
        return messages[0].content
    parts, turn = [], 0
    for role, content in messages:
        turn += role == "user"
        marker = "[System]" if role == "system" else f"[Turn {turn}, {role}]"
        parts.append(f"{marker}\n{without_markers(content)}")
    return "\n\n".join(parts)


def spoken(messages: Sequence[Mapping[str, str]], role: str) -> str:
    """Return the messages of one role: a single turn as it is, several with their numbers."""
    said = [message["content"] or "" for message in messages if message["role"] == role]
    if len(said) == 1:
        return said[0]
    numbered = enumerate(map(without_markers, said), 1)
    return "\n\n".join(f"[Turn {number}]\n{text}" for number, text in numbered)


def without_markers(text: str) -> str:
    """Return a text that holds no marker of a turn: its opening bracket becomes a parenthesis."""
    return _FORGED.sub("(", text)
