"""Draw the paper's figures from our verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from .. import descriptions, figures
from ..drawing import by_dataset, comparable, drawable, headline, references
from ..figures import Drawers, Drawn, FigureOptions, Order, Planned
from .reproduction import Reproduction


def draw(
    found: Reproduction,
    folder: Path,
    options: FigureOptions | None = None,
    drawers: Drawers | None = None,
) -> Drawn:
    """Draw the paper's figures from our verdicts; return the PNGs' paths.

    With `drawers` that draw in another process, this begins to.
    """
    options = options or FigureOptions()
    wanted = {"all": None, "main": "figure1_kappa", "none": ""}[options.draw]
    every = list(_planned(found, options))
    planned = [one for one in every if wanted in (None, one.name)]
    left_out = [one.name for one in every if wanted not in (None, one.name)]
    voters = set() if found.agreement.empty else set(found.agreement["voter"])
    names = "".join(sorted({*voters, *(options.names or {}).values()}))
    return (drawers or Drawers()).begin(Order(planned, folder, options, names, left_out))


def _planned(found: Reproduction, options: FigureOptions) -> Iterator[Planned]:
    sources, level = found.sources, found.settings.analysis.bootstrap.level
    if not found.agreement.empty and (found.agreement["n"] > 0).any():
        rows = beside(found.tables["table1_kappa"], found.agreement)
        yield Planned(
            "figure1_kappa",
            partial(
                figures.printed_beside_ours,
                rows,
                note="Other models, other answers, other human labels: see Table 1. "
                + _where(found.tables["table1_kappa"]),
                level=level,
                options=options,
            ),
            descriptions.printed_beside_ours(rows),
        )
    for dataset, rows in by_dataset(found.ranking):
        best = _in_order(headline(rows), dataset, found, options)
        if not drawable(best):
            continue
        note = sources[dataset]
        if "figure1" in found.feeds[dataset]:
            yield Planned(
                f"figure1_ranks_{dataset}",
                partial(figures.bump_chart, best, note=note, options=options),
                descriptions.bump_chart(best, options),
            )
        if "table2" not in found.feeds[dataset]:
            continue
        others = best[best["kind"].isin(("judge", "jury"))]
        for name, reference in references(best, found.rankings[dataset]).items():
            if comparable(others, reference):
                against = "ranks" if name == "humans" else "leaderboard"
                yield Planned(
                    f"figure2_{against}_{dataset}",
                    partial(
                        figures.rank_against_reference,
                        others,
                        reference,
                        note=f"{note}; true rank: {Path(name).stem}",
                        options=options,
                    ),
                    descriptions.rank_against_reference(others, reference, options),
                )
    for dataset, rows in by_dataset(found.deltas):
        judged = rows[rows["n"] > 0]
        if not judged.empty:
            ordered = _in_order(judged, dataset, found, options)
            yield Planned(
                f"figures3_4_deltas_{dataset}",
                partial(
                    figures.delta_per_candidate,
                    ordered,
                    note=sources[dataset],
                    level=level,
                    options=options,
                ),
                descriptions.delta_per_candidate(ordered, options, graded=False),
            )


def _where(table1: pd.DataFrame) -> str:
    """Return on which datasets of ours the points beside the paper's are."""
    both = table1.dropna(subset=["dataset", "our_dataset"])
    pairs = dict.fromkeys(zip(both["dataset"], both["our_dataset"], strict=True))
    return " ".join(f"Ours beside {paper}: {mine}." for paper, mine in pairs if paper != mine)


def _in_order(
    rows: pd.DataFrame, dataset: str, found: Reproduction, options: FigureOptions
) -> pd.DataFrame:
    """Return rows with the voters of one dataset in order."""
    if found.agreement.empty:
        return rows
    place = options.placed(found.agreement[found.agreement["dataset"] == dataset])
    at = rows["voter"].map(place).sort_values(kind="stable", na_position="first")
    return rows.loc[at.index]


def beside(table1: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `figures.printed_beside_ours` from Table 1 with ours.

    A judge of ours without a counterpart in the paper has a row of its own; one on a dataset that
    the paper has not, a panel.
    """
    kinds = dict(zip(agreement["voter"], agreement["kind"], strict=True))
    printed = table1.dropna(subset="paper_kappa").drop_duplicates(["judge", "dataset"])
    ours = table1.dropna(subset="our_judge")
    known = dict(zip(ours["our_dataset"], ours["dataset"], strict=True))
    for mine, theirs in zip(ours["our_dataset"], ours["dataset"], strict=True):
        known[mine] = theirs if isinstance(theirs, str) else known[mine]
    mine = pd.DataFrame(
        {
            "panel": [
                panel if isinstance(panel := known[dataset], str) else dataset
                for dataset in ours["our_dataset"]
            ],
            "judge": ours["judge"].fillna(ours["our_judge"]),
            "voter": ours["our_judge"],
            "kind": ours["our_judge"].map(kinds),
            **{column: ours[column] for column in ("kappa", "ci_low", "ci_high")},
        }
    )
    theirs = printed[["dataset", "judge"]].rename(columns={"dataset": "panel"})
    theirs = theirs.assign(voter="", kind="printed", kappa=printed["paper_kappa"])
    return pd.concat([theirs, mine], ignore_index=True)
