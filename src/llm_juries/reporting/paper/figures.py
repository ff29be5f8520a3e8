"""Draw the paper's figures from our verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import figures
from ..drawing import by_dataset, comparable, drawable, headline, references
from .reproduction import Reproduction

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(found: Reproduction, folder: Path) -> list[Path]:
    """Draw the paper's figures from our verdicts; return the PNGs' paths."""
    drawn: dict[str, Figure] = {}
    sources, level = found.sources, found.settings.analysis.bootstrap.level
    agreement = found.agreement
    measured = agreement if agreement.empty else agreement[agreement["n"] > 0]
    if not measured.empty:
        printed = found.settings.paper.read("table1")
        drawn["figure1_kappa"] = figures.printed_beside_ours(
            printed, measured, dict(sources), level
        )
    for dataset, rows in by_dataset(found.ranking):
        best = headline(rows)
        if not drawable(best):
            continue
        note = sources[dataset]
        if "figure1" in found.feeds[dataset]:
            drawn[f"figure1_ranks_{dataset}"] = figures.bump_chart(best, note)
        if "table2" not in found.feeds[dataset]:
            continue
        others = best[best["kind"].isin(("judge", "jury"))]
        for name, reference in references(best, found.rankings[dataset]).items():
            if comparable(others, reference):
                against = "ranks" if name == "humans" else "leaderboard"
                drawn[f"figure2_{against}_{dataset}"] = figures.rank_against_reference(
                    others, reference, f"{note}; true rank: {Path(name).stem}"
                )
    for dataset, rows in by_dataset(found.deltas):
        judged = rows[rows["n"] > 0]
        if not judged.empty:
            drawn[f"figures3_4_deltas_{dataset}"] = figures.delta_per_candidate(
                judged, sources[dataset], level
            )
    return [figures.save(figure, folder, name) for name, figure in drawn.items()]
