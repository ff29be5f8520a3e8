"""llm-juries atlas: measure on every recorded source where juries help."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig

from . import command_line


@dataclass(frozen=True)
class Options:
    """The atlas's own keys.

    Parameters
    ----------
    fetch : bool
        Whether the sources of `fetched` are taken, too.
    seated : dict of str to tuple of str
        By dataset, the judges to seat.
    margin : float
    """

    fetch: bool = False
    seated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    margin: float = 0.02


def atlas(cfg: DictConfig) -> None:
    """Write the atlas's tables, figures and pages. Asks no model."""
    from ..analysis.atlas.source import Source
    from ..analysis.atlas.summary import atlas
    from ..analysis.settings import Settings
    from ..api import read_verdicts
    from ..config.build import build, pick, read
    from ..config.settings import settings
    from ..errors import JuriesError, nearest
    from ..markdown import markdown
    from ..metrics.bootstrap import Bootstrap
    from ..reporting.atlas import write
    from ..reporting.atlas.page import headline_table
    from ..reporting.atlas.sentences import answer
    from ..reporting.figures import FigureOptions

    options, bootstrap = pick(cfg, Options), read(Bootstrap, cfg.bootstrap, "bootstrap")
    figures = read(FigureOptions, cfg.figures, "figures")
    margin, folder = Settings(margin=options.margin).margin, Path(settings(cfg).places.results)
    lists = {"datasets": cfg.datasets, "fetched": cfg.fetched if options.fetch else ()}
    nodes = {f"{key}.{at}": node for key, own in lists.items() for at, node in enumerate(own)}
    names = [str(node.get("name")) for node in nodes.values()]
    everyone = [*names, *(str(node.get("name")) for node in cfg.fetched)]
    for name in options.seated:
        if name not in everyone:
            raise JuriesError(f"seated.{name}: there is no such dataset{nearest(name, everyone)}")
    if not nodes:
        raise JuriesError("datasets: is empty; name a dataset with recorded verdicts")
    sources = []
    for place, node in nodes.items():
        panel = read_verdicts(build(node, place), inconsistent="mean")
        sources.append(Source(panel, judges=options.seated.get(panel.dataset.name, ())))
        print(f"{panel.dataset.name}: {len(sources[-1].seated)} judges", flush=True)
    found = atlas(sources, bootstrap, margin)
    write(found, folder, options=figures)
    print(markdown(headline_table(found)))
    print("\n" + "\n\n".join(answer(found)))
    print(f"\npage:    {folder / 'index.html'}\nreadme:  {folder / 'README.md'}")
    print(f"tables:  {folder / 'tables'}\nfigures: {folder / 'figures'}")


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("atlas", atlas)
