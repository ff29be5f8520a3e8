"""The keys of each command, with their defaults and comments, as conf/*.yaml declares them.

Those files are the schema: `--help` prints their comments, a key that they do not name is an error,
and the keys that belong to a submission or a look rather than to its jobs follow from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .locations import conf_dir

PACKAGES = {"judge": "judges", "jury": "juries", "candidate": "candidates"}
"""Groups whose choices stand side by side in a node, each under its own name."""
BASE = "base/"
"""Entries of `defaults:` that begin so are shared by several commands."""


@dataclass(frozen=True)
class Key:
    """One key of a command.

    Parameters
    ----------
    name : str
        Dotted: "analysis.bootstrap.seed".
    default : str
        As the yaml has it; "" for a section.
    comment : str
        The yaml's comment, in one line.
    group : str
        The folder of conf/ whose yamls are the key's choices; "" for a plain key.
    """

    name: str
    default: str
    comment: str
    group: str = ""


def commands() -> list[str]:
    """Return the names of the commands: those of the yamls at the top of conf/."""
    return sorted(path.stem for path in conf_dir().glob("*.yaml"))


def groups() -> list[str]:
    """Return the folders of conf/: what is chosen by name."""
    return sorted(path.name for path in conf_dir().iterdir() if path.is_dir())


def choices(group: str) -> list[str]:
    """Return the names of the yamls in a folder of conf/."""
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@cache
def keys(command: str) -> tuple[Key, ...]:
    """Return the keys of a command, in the order in which its yaml and the shared ones have them.

    Those of a command that builds on another (submit on judge) include the other's.
    """
    return tuple(_keys(conf_dir() / f"{command}.yaml", own=False))


@cache
def own_keys(command: str) -> tuple[Key, ...]:
    """Return the keys that a command does not take over from another command."""
    return tuple(_keys(conf_dir() / f"{command}.yaml", own=True))


def top_level(command: str) -> list[str]:
    """Return the names of a command's keys up to the first dot, each once."""
    return list(dict.fromkeys(key.name.partition(".")[0] for key in keys(command)))


def head(command: str) -> str:
    """Return the comment at the beginning of a command's yaml, without the signs."""
    lines = (conf_dir() / f"{command}.yaml").read_text(encoding="utf-8").splitlines()
    comment = [line for line in lines[: lines.index("")] if line.startswith("#")]
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in comment)


def _keys(path: Path, *, own: bool) -> Iterator[Key]:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    root: Any = yaml.compose(text, Loader=LOADER)
    shared: list[Key] = []
    groups: list[Key] = []
    plain: list[Key] = []
    for name, value in root.value:
        if name.value == "defaults":
            for entry in value.value:
                if isinstance(entry, yaml.MappingNode):
                    ((group, choice),) = entry.value
                    if not group.value.startswith("override"):
                        comment = _comment(lines, choice)
                        groups.append(Key(group.value, _text(text, choice), comment, group.value))
                elif entry.value.startswith(BASE) or (entry.value != "_self_" and not own):
                    shared += _keys(path.parent / f"{entry.value}.yaml", own=own)
        elif name.value != "hydra":
            plain += _nested(text, lines, name, value, "")
    yield from (*groups, *_merged(shared, plain))


def _merged(shared: list[Key], plain: list[Key]) -> Iterator[Key]:
    """Yield the keys, those of one section together; a command's own come over shared ones."""
    found = {key.name: key for key in (*shared, *plain)}
    sections = dict.fromkeys(name.partition(".")[0] for name in found)
    for section in sections:
        yield from (key for name, key in found.items() if name.partition(".")[0] == section)


def _nested(
    text: str, lines: list[str], name: yaml.Node, value: yaml.Node, prefix: str
) -> Iterator[Key]:
    place = f"{prefix}{name.value}"
    block = isinstance(value, yaml.MappingNode) and not value.flow_style
    comment = _comment(lines, name if block or _block_list(value) else value)
    fields = (
        [(key, inner) for key, inner in value.value if key.value != "_target_"] if block else []
    )
    commented = any(_comment(lines, key if _is_block(v) else v) for key, v in fields)
    if not commented:
        default = "" if block or _block_list(value) else _text(text, value)
        yield Key(place, default, comment)
        return
    if comment:
        yield Key(place, "", comment)
    for key, inner in fields:
        yield from _nested(text, lines, key, inner, f"{place}.")


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _block_list(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode) and not node.flow_style


def _text(text: str, node: yaml.Node) -> str:
    return " ".join(text[node.start_mark.index : node.end_mark.index].split())


def _comment(lines: list[str], node: yaml.Node) -> str:
    """Return the comment on a node's line, with the lines of comment that go on below it."""
    number, column = node.end_mark.line, node.end_mark.column
    found = re.match(r":?\s*#\s*(.*)", lines[number][column:])
    if not found:
        return ""
    said = [found[1]]
    for line in lines[number + 1 :]:
        more = re.match(r"\s{8,}#\s*(.*)", line)
        if not more:
            break
        said.append(more[1])
    return " ".join(said)
