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

FENCE = re.compile(r"^ {0,3}(```+|~~~+)[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.M | re.S)
HEADER = re.compile(r"^ {0,3}#{1,6}[ \t]+\S", re.M)
BOLD = re.compile(r"\*\*(?=\S)[^\n]+?(?<=\S)\*\*|(?<!\w)__(?=\S)[^\n]+?(?<=\S)__(?!\w)")
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
    prose = FENCE.sub("", text)
    counts = (len(pattern.findall(prose)) for pattern in (HEADER, BOLD, LIST_ITEM))
    return Style(len(text), *counts)


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
