"""The console program `llm-juries`, also run as `python -m llm_juries`."""

from __future__ import annotations

import sys
from importlib import import_module

from . import __version__
from .commands import COMMANDS
from .commands.endings import guarded
from .errors import nearest


def main() -> None:
    """Run the command that the first argument names, with the other arguments."""
    guarded(_run)


def _run() -> None:
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
    elif name == "--version":
        print(f"llm-juries {__version__}")
    elif name not in COMMANDS:
        message = f"error: {name}: no such command{nearest(name, COMMANDS)}"
        print(message, file=sys.stderr)
        sys.exit(2)
    else:
        sys.argv = [f"llm-juries {name}", *arguments]
        import_module(f"{__package__}.commands.{name}").main()


def usage() -> str:
    """Return the help of the program: a line for each command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {does}" for name, does in COMMANDS.items()]
    return "\n".join(
        [
            "usage: llm-juries COMMAND [KEY=VALUE ...]",
            "",
            "Evaluate model answers with panels of LLM judges.",
            "",
            *lines,
            "",
            "llm-juries COMMAND --help lists a command's keys and where their choices are.",
        ]
    )


if __name__ == "__main__":
    main()
