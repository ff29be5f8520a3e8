"""llm-juries check: whether the judges of a command are ready, before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import DictConfig

from ..errors import JuriesError
from . import command_line


@dataclass(frozen=True)
class Options:
    """The keys that say what is done.

    Parameters
    ----------
    offline : bool
        Ask nothing and reach no server.
    allow_retired : bool
        Ask models that their vendors have switched off too.
    """

    offline: bool = False
    allow_retired: bool = False


def check(cfg: DictConfig) -> None:
    """Print a table of the judges and what is wrong with each; end with code 2 if anything is."""
    from ..collect.check import check_judges
    from ..config.build import pick
    from ..config.study import gpu_memory, judges_of
    from ..judges.lifetimes import today, warnings
    from ..markdown import markdown

    options = pick(cfg, Options)
    judges = list(judges_of(cfg).values())
    if not judges:
        raise JuriesError(
            "judge: none is named; set some, such as judge=[contains] or jury=embedded"
        )
    table = check_judges(
        judges,
        offline=options.offline,
        allow_retired=options.allow_retired,
        gpu_gb=gpu_memory(cfg),
    )
    shown = table.drop(columns="problem")
    empty = [name for name in shown if not shown[name].any()]
    print(markdown(shown.drop(columns=empty)))
    for warning in warnings(judges, today()):
        print(f"\nwarning: {warning}")
    lacking = table[table["problem"] != ""]
    for name, problem in zip(lacking["judge"], lacking["problem"], strict=True):
        print(f"\njudge {name}: {problem}")
    if len(lacking):
        raise JuriesError(
            f"not ready: {len(lacking)} of {len(table)} judges ({', '.join(lacking['judge'])}); "
            "see above"
        )


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("check", check)
