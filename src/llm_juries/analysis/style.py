"""The style of an answer in numbers: how long it is and how much markdown it holds.

Judges, and people, are swayed by length and layout. What they are worth can be measured beside
what a model is worth: see `metrics.ranking.style_controlled`. The four features and the way of
comparing them are Chatbot Arena's (lmsys.org/blog/2024-08-28-style-control), but for the length,
which is in characters here and so needs no tokeniser.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Each reads a line once: texts of models that fell into a loop can be long and of marks only.
FENCE = re.compile(r"[ \t]*(?:(`{3,})[^`]*|(~{3,}).*)$")
HEADER = re.compile(r"^ {0,3}#{1,6}[ \t]+\S", re.M)
BOLD = re.compile(
    r"\*\*(?=[^\s*])(?:[^*\n]|\*(?!\*))*(?<=\S)\*\*"
    r"|(?<!\w)__(?=[^\s_])(?:[^_\n]|_(?!_))*(?<=\S)__(?!\w)"
)
LIST_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S", re.M)


class Style(NamedTuple):
    """What `features` counts in a text."""

    length: int
    headers: int
    bold: int
    list_items: int


def features(text: str) -> Style:
    """Return the length of a text in characters, and its headers, bold spans and list items.

    Markdown within fenced blocks of code is code, so it is not counted; its length is.
    """
    prose = _prose(text)
    counts = (len(pattern.findall(prose)) for pattern in (HEADER, BOLD, LIST_ITEM))
    return Style(len(text), *counts)


def _prose(text: str) -> str:
    """Return a text without its fenced blocks of code; one never closed goes to the end."""
    kept, fence = [], ""
    for line in text.splitlines():
        mark = FENCE.match(line)
        if fence:
            bare = line.strip()
            if bare.startswith(fence) and not bare.strip(fence[0]):
                fence = ""
        elif mark:
            fence = mark[1] or mark[2]
        else:
            kept.append(line)
    return "\n".join(kept)


def differences(first_texts: Sequence[str], second_texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return how the style of first texts differs from that of second ones.

    Returns
    -------
    array of shape (n, 4)
        (a - b) / (a + b) of each feature, in the order of `Style`: 1 where only the first has any,
        -1 where only the second has, and 0 where they have as much, or none.
    """
    sides = [
        np.array([features(text) for text in texts], dtype=float).reshape(-1, len(Style._fields))
        for texts in (first_texts, second_texts)
    ]
    first, second = sides
    both = first + second
    return np.where(both > 0, (first - second) / np.where(both > 0, both, 1.0), 0.0)
