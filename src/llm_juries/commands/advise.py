"""llm-juries advise: say from a pilot whether to seat a jury, and which."""

from __future__ import annotations

from dataclasses import dataclass

from omegaconf import DictConfig

from . import command_line


@dataclass(frozen=True)
class Options:
    """The command's own keys; see `llm_juries.advise`."""

    margin: float = 0.02
    dollars: dict[str, float] | None = None


def advise(cfg: DictConfig) -> None:
    """Print advice on each dataset. Asks no model."""
    from ..analysis.panels import read_panel
    from ..analysis.settings import Settings
    from ..api import advise
    from ..collect.run import collect
    from ..config.build import pick
    from ..config.settings import settings
    from ..config.study import studies
    from ..store.store import Store

    options, counting = pick(cfg, Options), pick(cfg, Settings)
    found = studies(cfg)
    plans = [plan for study in found for plan in study.plans]
    with Store(settings(cfg).places.store) as store:
        # Rules and recordings answer on the spot; models were asked by `llm-juries judge`.
        collect([plan for plan in plans if plan.judge.free], store)
        for study in found:
            panel = read_panel(study, store, counting.inconsistent, threshold=counting.threshold)
            print(advise(panel, options.dollars, margin=options.margin))


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("advise", advise)
