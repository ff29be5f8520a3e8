"""Figures of rankings: ranks against a reference, and from voter to voter. Rank 1 is the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...errors import JuriesError
from .labels import backing, name_models
from .style import (
    COLOURS,
    MARKERS,
    PALETTE,
    blank,
    footnote,
    hide_unused,
    hollow_note,
    named,
    shortened,
    some_of,
    upright,
    voter_colours,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


STROKES = ("-", "--", ":")
MOST_OVERLAID_RANKS = 3


def rank_against_reference(ranking: pd.DataFrame, reference: pd.DataFrame, note: str) -> Figure:
    """Draw each model's rank by each voter against its true rank, as in Figure 2 of the PoLL paper.

    On the diagonal a voter agrees with the reference. Up to three voters share one panel; more
    have a panel each. True ranks are recomputed among the models drawn, ties at their mean.

    Parameters
    ----------
    ranking : DataFrame
        dataset, voter, kind, model, score, rank, rank_low, rank_high; of one dataset. Rows of kind
        `reference` are not drawn.
    reference : DataFrame
        model, rank.
    note : str
        A line under the figure: the sources of both.

    Raises
    ------
    JuriesError
        If no model has both ranks.
    """
    rows, unranked = _ranked(ranking[ranking["kind"] != "reference"])
    true = reference.dropna(subset="rank").set_index("model")["rank"]
    unlisted = sorted(set(rows["model"]) - set(true.index))
    rows = rows[rows["model"].isin(true.index)]
    if rows.empty:
        raise JuriesError(
            f"reference, model: none of {some_of(unlisted) or 'no models'} is ranked both "
            "there and by a voter; name the models as the reference does, such as "
            f"{some_of(sorted(true.index)[:1])}"
        )
    true = true[true.index.isin(rows["model"])].rank()
    rows = rows.assign(true=rows["model"].map(true))
    voters = list(dict.fromkeys(rows["voter"]))
    overlaid = len(voters) <= MOST_OVERLAID_RANKS
    place = rows["voter"].map(voters.index) - (len(voters) - 1) / 2
    rows["at"] = rows["true"] + (0.22 * place if overlaid else 0)  # intervals lie side by side
    last = float(np.nanmax(rows[["rank", "rank_high", "true"]].to_numpy(float)))

    columns = 1 if overlaid else min(4, len(voters))
    lines = 1 if overlaid else -(-len(voters) // columns)
    size = (3.6 if overlaid else 2.5) + min(last, 30) * (0.16 if overlaid else 0.09)
    figure = blank(0.8 + size * columns, 1.2 + (size + 0.3) * lines)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    hide_unused(axes, 1 if overlaid else len(voters))
    colours = voter_colours(rows)
    shown = [voters] if overlaid else [[voter] for voter in voters]
    for axis, group in zip(axes.flat, shown, strict=False):
        _diagonal(axis, last, 20 if overlaid else 10)
        for voter in group:
            own = rows[rows["voter"] == voter]
            colour = colours[voter] if overlaid else COLOURS[own["kind"].iloc[0]]
            upright(
                axis,
                own["at"],
                own["rank"],
                own["rank_low"],
                own["rank_high"],
                colour=colour,
                marker=MARKERS[own["kind"].iloc[0]],
                label=voter,
            )
            if not overlaid:
                axis.set_title(wrapped(voter, size * 13), fontsize=8, color=colour)
    if overlaid:
        axes[0, 0].legend(
            loc="lower left", bbox_to_anchor=(0, 1.01), fontsize=8, frameon=False, borderpad=0
        )
    figure.suptitle(f"{rows['dataset'].iloc[0]}: ranks of {len(true)} models", fontsize=10)
    figure.supylabel("rank by the voter (1 is best; line: its interval)", fontsize=8)
    footnote(
        figure,
        "rank in the reference, among these models (1 is best)",
        note,
        named("not in the reference, so not drawn, though the voters' ranks count them", unlisted),
        unranked,
        hollow_note(rows, "rank_low", "rank_high"),
    )
    figure.draw_without_rendering()  # settles the panels' places, so that names can be measured
    for axis, group in zip(axes.flat, shown, strict=False):
        name_models(axis, rows[rows["voter"].isin(group)])
    return figure


def bump_chart(ranking: pd.DataFrame, note: str) -> Figure:
    """Draw the models' ranks from voter to voter: a column a voter, a line a model.

    The reference comes first, then the humans, then the others as given. A line breaks where a
    voter has no rank for its model.

    Parameters
    ----------
    ranking : DataFrame
        dataset, voter, kind, model, score, rank; of one dataset, ties at their mean rank.
    note : str
        A line under the figure.

    Raises
    ------
    JuriesError
        If no model has a rank.
    """
    rows, unranked = _ranked(ranking)
    if rows.empty:
        raise JuriesError("ranking, rank: no model has one; nothing to draw")
    kinds = rows.groupby("voter", sort=False)["kind"].first()
    first = {"reference": 0, "human": 1}
    voters = sorted(kinds.index, key=lambda voter: first.get(str(kinds[voter]), 2))
    ranks = rows.pivot_table(index="model", columns="voter", values="rank")[voters]
    ranks = ranks.sort_values(list(voters), kind="stable")
    longest = min(40, max(map(len, ranks.index)))

    figure = blank(
        max(4.5, 0.8 + 0.95 * len(voters) + 0.075 * longest * min(2, len(voters))),
        1.7 + 0.24 * len(ranks) + 0.05 * min(24, max(map(len, voters))),
    )
    axis = figure.subplots()
    colours = {model: PALETTE[at % len(PALETTE)] for at, model in enumerate(ranks.index)}
    for at, (model, line) in enumerate(ranks.iterrows()):
        axis.plot(
            range(len(voters)),
            line,
            "o",
            linestyle=STROKES[at // len(PALETTE) % len(STROKES)],
            color=colours[model],
            markersize=4,
            label=model,
        )
    _end_labels(axis, ranks[voters[-1]], len(voters) - 1, 1, colours)
    if len(voters) > 1:
        _end_labels(axis, ranks[voters[0]], 0, -1, colours)
    for model, line in ranks[ranks[[voters[0], voters[-1]]].isna().all(axis=1)].iterrows():
        column = int(np.flatnonzero(line.notna())[-1])
        axis.annotate(
            shortened(str(model)),
            (column, line.iloc[column]),
            (5, 3),
            textcoords="offset points",
            fontsize=7,
            color=colours[model],
            bbox=backing(),
        )
    axis.set_xticks(range(len(voters)), [wrapped(voter, 24) for voter in voters], fontsize=7.5)
    axis.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    if len(voters) > 1:
        for tick, voter in zip(axis.get_xticklabels(), voters, strict=True):
            tick.set(rotation=40, ha="left", rotation_mode="anchor")
            tick.set_color(COLOURS[str(kinds[voter])])
    axis.set_yticks([])
    axis.set_ylim(ranks.max().max() + 0.6, ranks.min().min() - 0.6)
    axis.set_xlim(
        -0.5 if len(voters) == 1 else -0.1, len(voters) - (0.5 if len(voters) == 1 else 0.9)
    )
    axis.spines[:].set_visible(False)
    figure.suptitle(f"{rows['dataset'].iloc[0]}: models by rank, the best at the top", fontsize=10)
    footnote(figure, note, unranked)
    return figure


def _ranked(ranking: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows with a rank and a score, and a note that lists the others."""
    bare = ranking["rank"].isna() | ranking["score"].isna()
    names = ranking.loc[bare, "model"] + " (" + ranking.loc[bare, "voter"] + ")"
    return ranking[~bare], named("no score, so not drawn", list(names))


def _diagonal(axis: Axes, last: float, ticks: int) -> None:
    axis.plot([1, last], [1, last], color="0.75", linewidth=0.9, zorder=0)
    room = 0.4 + 0.06 * last  # for the names of the first and the last
    axis.set(xlim=(1 - room, last + room), ylim=(1 - room, last + room))
    axis.set_box_aspect(1)
    at = np.arange(1, last + 1, -(-last // ticks))
    axis.set(xticks=at, yticks=at)
    axis.tick_params(labelsize=7.5)
    axis.grid(color="0.94")


def _end_labels(
    axis: Axes, ranks: pd.Series[float], column: int, side: int, colours: dict[Any, str]
) -> None:
    """Name the lines at one end, right (1) or left (-1) of it.

    Ties share a mean rank but each has a line of its own: k models at one mean rank leave k places.
    """
    ranks = ranks.dropna().sort_values(kind="stable")
    best = ranks.rank(method="min")
    ties = ranks.map(ranks.value_counts())
    places = ranks - (ties - 1) / 2 + ranks.rank(method="first") - best
    for model, rank, place, shown, tied in zip(
        ranks.index, ranks, places, best, ties > 1, strict=True
    ):
        text = f"{shown:.0f}{'=' if tied else ''}"
        name = shortened(str(model))
        axis.annotate(
            f"{text}  {name}" if side > 0 else f"{name}  {text}",
            (column, rank),
            (column + 0.12 * side, place),
            fontsize=7.5,
            va="center",
            ha="left" if side > 0 else "right",
            color=colours[model],
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": "0.8",
                "lw": 0.5,
                "relpos": ((1 - side) / 2, 0.5),
                "shrinkB": 3,
            }
            if tied
            else None,
        )
