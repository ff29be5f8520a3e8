"""llm-juries reproduce: run the paper's protocol, and put its tables and figures beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from omegaconf import DictConfig

from ..errors import JuriesError, nearest
from . import command_line


def reproduce(cfg: DictConfig) -> None:
    """Plan, or run one stage or all of them; print what was done and what a person must do."""
    from ..collect.policy import Policy
    from ..config.build import build, pick, read
    from ..config.composing import written
    from ..config.settings import Places
    from ..markdown import markdown
    from ..reporting import paper
    from ..reporting.figures import Drawers, FigureOptions, drawers
    from ..reporting.tracking import Finished
    from ..reproduction import planning, power
    from ..reproduction.judging import Seated
    from ..reproduction.merging import merged
    from ..reproduction.protocol import protocol_of
    from ..reproduction.stages import STAGES, Run
    from ..store.store import Store
    from .hydra_app import experiment, given_overrides

    if cfg.stage not in (None, "plan", *STAGES):
        known = ("plan", *STAGES)
        raise JuriesError(
            f"stage: there is none called {cfg.stage!r}{nearest(str(cfg.stage), known)}"
        )
    tracking = build(cfg.wandb, "wandb")
    figures = read(FigureOptions, cfg.figures, "figures")
    policy, places = pick(cfg, Policy), pick(cfg, Places)
    folder = Path(places.results)
    protocol = protocol_of(cfg, folder)
    settings = paper.read_settings(cfg, experiment() or "")

    def page(
        parts: Sequence[Seated], absent: dict[str, str], state: Sequence[str]
    ) -> Iterator[str]:
        result = merged(protocol, parts, absent, store, settings)
        drawn = paper.write(result, folder, state, figures, others)
        logged = tracking.log(
            Finished(Path(cfg.output_dir), "reproduce", written(cfg), result.tables, drawn.wait())
        )
        yield markdown(result.tables["table1_kappa"].drop(columns="differs"))
        if drawn.left_out:
            yield f"not drawn: {', '.join(drawn.left_out)}; to draw them, add figures.draw=all"
        yield f"page: {folder / 'README.md'}" + (f"; W&B run: {logged}" if logged else "")

    with Store(places.store) as store:
        if cfg.stage == "plan" or policy.dry_run:
            steps = planning.plan(protocol, store, policy)
            print(planning.printed(steps))
            if not steps.empty:
                print(f"\n{power.printed(protocol, settings.paper)}")
            print(f"\n{planning.next_steps(protocol, steps, policy, given_overrides())}")
            return
        draws = cfg.stage in (None, "page")
        with drawers(figures) if draws else nullcontext(Drawers()) as others:
            run = Run(protocol, store, policy, page)
            for line in run.stages(cfg.stage):
                print(line, flush=True)


def main() -> None:
    """Run the command with the arguments of the command line."""
    command_line.run("reproduce", reproduce)
