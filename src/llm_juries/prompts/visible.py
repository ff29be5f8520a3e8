"""The part of a reply that is meant to be read: without reasoning, channels and special tokens."""

from __future__ import annotations

import json
import re

_THOUGHT = r"(?:think|thinks|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad)"
# <think>, <seed:think>, [THINK], ◁think▷, <|begin_of_thought|>, <|START_THINKING|>, <|channel>
_OPENS = (
    rf"<\s*(?:\w+:)?{_THOUGHT}(?:\s[^<>]*)?>|\[THINK\]|◁{_THOUGHT}▷"
    rf"|<\|(?:begin_of_|start_)?{_THOUGHT}\|>|<\|channel>"
)
_CLOSES = (
    rf"<\s*/\s*(?:\w+:)?{_THOUGHT}\s*>|\[/THINK\]|◁/{_THOUGHT}▷"
    rf"|<\|(?:end_of_|end_|/){_THOUGHT}\|>|<channel\|>"
)
_TAGS = re.compile(rf"(?P<opens>{_OPENS})|(?:{_CLOSES})", re.IGNORECASE)
# Tokens of chat templates, which some servers leave in the text.
_SPECIAL = re.compile(
    r"<\|[^<>|\s]{1,40}\|>|<｜[^<>｜\s]{1,40}｜>|\[/?INST\]"
    r"|<(?:start_of_turn|end_of_turn|eos|bos|pad|unk)>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"\A```\w*\s*")
_ROLE = re.compile(r"\A\s*(?:assistant|model)\s*(?:\n|\Z)", re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>")


def visible(text: str) -> str:
    """Return what a reply says: without reasoning, special tokens and turns that follow it."""
    return text if _is_json(text) else _first_turn(without_thinking(text))


def without_thinking(text: str) -> str:
    """Return a reply's text without its reasoning.

    That is what stands in think tags of any usual spelling, closed or cut off, and in the channels
    of the harmony format that are not the final one.
    """
    return _outside(_final(text)).strip()


def _is_json(text: str) -> bool:
    """Return whether a reply is one JSON object: tags and tokens in its texts are quoted ones."""
    bare = _FENCE.sub("", text.strip()).removesuffix("```").rstrip()
    if not (bare.startswith("{") and bare.endswith("}")):
        return False
    try:
        return isinstance(json.loads(bare), dict)
    except (ValueError, RecursionError):
        return False


def _final(text: str) -> str:
    """Return the final channel of a reply in the harmony format; "" if it has none."""
    if channels := list(_CHANNEL.finditer(text)):
        finals = [found for found in channels if found[1].casefold() == "final"]
        return text[finals[-1].end() :] if finals else ""
    # Where a server drops the special tokens, their neighbours run together.
    if re.match(r"analysis[A-Z]", text):
        return text.rpartition("assistantfinal")[2] if "assistantfinal" in text else ""
    return text


def _outside(text: str) -> str:
    """Return what is in no think tag. Some servers drop the opening tag, some replies the end."""
    if not any(sign in text for sign in "<[◁"):
        return text
    kept, at, inside = [], 0, False
    for tag in _TAGS.finditer(text):
        if tag["opens"]:
            if not inside:
                kept.append(text[at : tag.start()])
            inside = True
        else:
            if not inside:
                kept = []
            inside, at = False, tag.end()
    return "\n".join(kept) if inside else "\n".join([*kept, text[at:]])


def _first_turn(text: str) -> str:
    """Return the first turn with a text: what follows an end-of-turn token is another one."""
    text = re.sub(r"\A\s*<s>", "", text)
    if "<s>" not in text:  # else it is HTML
        text = text.partition("</s>")[0]
    turns = _SPECIAL.split(text) if "<" in text or "[" in text else [text]
    for turn in turns:
        if said := _ROLE.sub("", turn).strip():
            return said
    return ""
