"""The text of `llm-juries COMMAND --help`: every key, its default, a word on it, its choices."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..config.keys import Key, choices, head, keys
from ..config.locations import conf_dir

LAUNCHERS = "hydra/launcher"
WIDTH = 100
COLUMN = 30  # where comments begin
SWEPT = ("submit", "status")
"""Commands whose values are swept over, without Hydra's flags."""


def help_of(command: str) -> str:
    """Return the help of a command, made from the comments of its yamls."""
    parts = [
        f"usage: llm-juries {command} [FLAG ...] [KEY=VALUE ...]",
        head(command),
        "Keys, with their defaults:",
        "\n".join(line for key in keys(command) for line in _lines(key)),
        "Flags:",
        "\n".join(_flags(command)),
        f"The yamls with these keys and choices are in {conf_dir()}.",
    ]
    return "\n\n".join(parts)


def _lines(key: Key) -> Iterator[str]:
    default = f"={key.default}" if key.default else ""
    yield from _entry(f"{key.name}{default}", key.comment)
    if key.group:
        yield from _entry("", f"choices: {', '.join(choices(key.group))}")


def _entry(name: str, text: str) -> Iterator[str]:
    """Yield a name in the left column and a text, wrapped, in the right one."""
    wrapped = textwrap.wrap(text, WIDTH - COLUMN, break_on_hyphens=False, break_long_words=False)
    left = f"  {name}"
    if len(left) >= COLUMN:
        yield left
        left = ""
    for line in wrapped:
        yield f"{left:<{COLUMN}}{line}".rstrip()
        left = ""


def _flags(command: str) -> Iterator[str]:
    if command not in SWEPT:
        launchers = ", ".join(choices(LAUNCHERS))
        yield from _entry("-m, --multirun", "a job for each combination of comma-separated values")
        yield from _entry("", f"where jobs run: {LAUNCHERS}=NAME; choices: {launchers}")
        yield from _entry("--cfg job", "print the composed config and exit")
        yield from _entry("--hydra-help", "Hydra's other flags")
    yield from _entry("--config-dir FOLDER", "yamls of your own, in folders named as in conf/")
