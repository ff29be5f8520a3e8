"""Special tokens of chat templates in texts to judge: written out as text, never read as tokens.

An answer that holds <|im_end|> must not end the judge's turn. Where we make a prompt into tokens,
it is cut within such strings and its pieces are tokenized one by one, so that every other token is
the one it would be anyway. Servers get them with a space behind the first character.

Imports nothing of this package, as vLLM's worker process loads it by its path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

LOOKS_SPECIAL = re.compile(
    r"<\|[^<>|\s]{1,40}\|>|<｜[^<>｜\s]{1,40}｜>|<\|[a-z_]{1,40}>|<[a-z_]{1,40}\|>|<</?SYS>>|</?s>"
    r"|</?(?:think|tool_call|tool_response|tools|bos|eos|pad|unk|mask|start_of_turn|end_of_turn"
    r"|start_of_image|end_of_image|unused\d+)>|\[/?[A-Z]{3,}(?:_[A-Z]+)*\]"
)
"""What looks like a special token of a model family, for servers whose tokens are not known."""
_MARK = re.compile("\ue000(\\d+)\ue001")  # private characters, which templates leave alone


def looking_special(*texts: str) -> frozenset[str]:
    """Return the strings in some texts that look like special tokens."""
    return frozenset(
        found
        for text in texts
        if "<" in text or "[" in text  # as all of them begin
        for found in LOOKS_SPECIAL.findall(text)
    )


def cut(text: str, tokens: Iterable[str]) -> list[str]:
    """Return a text in pieces none of which holds one of some tokens; joined they are the text."""
    longest = sorted((token for token in tokens if len(token) > 1), key=len, reverse=True)
    if not longest:
        return [text]
    starts = re.compile("(?=" + "|".join(map(re.escape, longest)) + ")")
    places = [0, *(found.start() + 1 for found in starts.finditer(text)), len(text)]
    return [text[a:b] for a, b in pairwise(places)]


def apart(text: str, tokens: Iterable[str]) -> str:
    """Return a text with a space within each of some tokens."""
    return " ".join(cut(text, tokens))


def marked(contents: Sequence[str]) -> list[str]:
    """Return a mark in place of each message's content, for its chat template to be filled in.

    The white space around a content stays: some templates remove it.
    """
    return [
        re.sub(r"\S(?:.*\S)?", f"\ue000{number}\ue001", content, count=1, flags=re.DOTALL)
        for number, content in enumerate(contents)
    ]


def filled(rendered: str, contents: Sequence[str], tokens: Iterable[str]) -> list[str]:
    """Return a chat template with contents in place of their marks, in pieces to tokenize.

    Joined, they are the prompt; what the template itself wrote is not cut, the contents are, within
    each of some tokens.
    """
    tokens = list(tokens)
    pieces = [""]
    for at, part in enumerate(_MARK.split(rendered)):
        first, *more = [part] if at % 2 == 0 else cut(contents[int(part)].strip(), tokens)
        pieces[-1] += first
        pieces += more
    return pieces
