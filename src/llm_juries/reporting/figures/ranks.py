"""Figures of rankings: ranks against a reference, and from voter to voter. Rank 1 is the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...errors import JuriesError
from .labels import backing, name_models
from .options import FigureOptions
from .style import (
    MARKERS,
    PLAIN,
    Sheet,
    all_fitting,
    bars,
    colour,
    em,
    fitting,
    grid_of,
    hide_unused,
    hollow_note,
    ink,
    longest,
    named,
    palette,
    row_height,
    settle,
    small,
    some_of,
    upright,
    voter_colours,
    whole,
    width_of,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


STROKES = ("-", "--", ":")
MOST_OVERLAID_RANKS = 3
BY_VOTER = "rank by the voter (1 is best; line: its interval)"


def rank_against_reference(
    ranking: pd.DataFrame,
    reference: pd.DataFrame,
    ax: Axes | None = None,
    *,
    title: str = "",
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw each model's rank by each voter against its true rank, as in Figure 2 of the PoLL paper.

    Up to three voters share one panel: on its diagonal a voter agrees with the reference. More have
    a panel each, with a row a model in the reference's order. True ranks are recomputed among the
    models drawn, ties at their mean.

    Parameters
    ----------
    ranking : DataFrame
        dataset, voter, kind, model, score, rank, rank_low, rank_high; of one dataset. Rows of kind
        `reference` are not drawn.
    reference : DataFrame
        model, rank.
    ax : Axes, optional
        Divided if there are more than three voters. Names beside points are placed once, for its
        size now.
    title : str
        By default the dataset's name.
    note : str
        The sources of both, for the caption.
    options : FigureOptions, optional

    Raises
    ------
    JuriesError
        If no model has both ranks.
    """
    options = options or PLAIN
    models = {*ranking["model"], *reference["model"]}
    ranking = options.chosen(ranking, beside=models)
    reference = options.chosen(reference, beside=models)
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
    last = float(np.nanmax(rows[["rank", "rank_high", "true"]].to_numpy(float)))
    dataset = options.name(str(rows["dataset"].iloc[0]))
    title = title or f"{dataset}: ranks of {len(true)} models"
    remarks = (
        named("not in the reference, so not drawn, though the voters' ranks count them", unlisted),
        unranked,
        hollow_note(rows, "rank_low", "rank_high"),
    )
    if rows["voter"].nunique() <= MOST_OVERLAID_RANKS:
        return _overlaid(rows, last, ax, options, title, (note, *remarks))
    sheet = _row_a_model(rows, true, last, ax, options)
    sheet.head(title)
    sheet.foot(note, *remarks, label=f"{BY_VOTER}; grey: the reference's, in whose order they are")
    return sheet.ax


def _overlaid(
    rows: pd.DataFrame,
    last: float,
    ax: Axes | None,
    options: FigureOptions,
    title: str,
    notes: Sequence[str],
) -> Axes:
    """Draw all voters in one panel, each model's name beside one of its points."""
    voters = list(dict.fromkeys(rows["voter"]))
    place = rows["voter"].map(voters.index) - (len(voters) - 1) / 2
    rows = rows.assign(at=rows["true"] + 0.22 * place)  # intervals lie side by side
    width = width_of(ax)
    size = min(width - 0.4, 38 * em() + 0.06 * last)
    sheet = Sheet(ax, size + 0.3, options)
    _diagonal(sheet.ax, last)
    colours = voter_colours(rows)
    for voter in voters:
        own = rows[rows["voter"] == voter]
        upright(
            sheet.ax,
            own["at"],
            own["rank"],
            own["rank_low"],
            own["rank_high"],
            shade=colours[voter],
            marker=MARKERS[own["kind"].iloc[0]],
            label=voter,
        )
    sheet.head(title, sheet.ax.get_legend_handles_labels()[0])
    across = "rank in the reference, among these models (1 is best)"
    sheet.ax.set_xlabel(wrapped(across, 0.85 * width))
    sheet.ax.set_ylabel(wrapped(BY_VOTER, size))
    sheet.foot(*notes)
    if ax is None:
        settle(whole(sheet.ax))  # so that names can be measured
    else:
        whole(ax).draw_without_rendering()
    sheet.ax.apply_aspect()
    name_models(sheet.ax, rows)
    return sheet.ax


def _row_a_model(
    rows: pd.DataFrame, true: pd.Series[float], last: float, ax: Axes | None, options: FigureOptions
) -> Sheet:
    """Draw a panel a voter in which each model has a row, in the reference's order.

    So the names stand once, at the left, instead of beside the points of every panel.
    """
    true = true.sort_values(kind="stable")
    at = pd.Series(np.arange(len(true), 0, -1, dtype=float), index=true.index)
    voters = list(dict.fromkeys(rows["voter"]))
    width = width_of(ax)
    names = all_fitting(list(map(str, true.index)), 0.32 * width, small())
    room = width - longest(names, small()) - 0.2
    lines, columns = grid_of(len(voters), 11 * em(), room)
    tall = 1.3 * small() / 72 * len(true)
    sheet = Sheet(ax, (tall + 2 * em()) * lines + 2 * em(), options)
    axes = sheet.panels(lines, columns, sharex=True, sharey=True)
    hide_unused(axes, len(voters))
    for axis, voter in zip(axes.flat, voters, strict=False):
        own = rows[rows["voter"] == voter]
        kind = str(own["kind"].iloc[0])
        axis.plot(true, at, color=ink(0.3), linewidth=0.9, zorder=0)
        bars(
            axis, own["rank"], own["rank_low"], own["rank_high"],
            own["model"].map(at).to_numpy(float), colour(kind), MARKERS[kind],
        )  # fmt: skip
        shown = fitting(voter, room / columns - 0.1)
        axis.set_title(shown, color=colour(kind))
        axis.set_xticks(np.arange(1, last + 1, -(-last // 8)))
        axis.set_yticks(at, names, fontsize=small())
        axis.set_ylim(0.3, len(true) + 0.7)
        axis.tick_params(axis="y", length=0)
        axis.grid()
    return sheet


def bump_chart(
    ranking: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    options: FigureOptions | None = None,
) -> Axes:
    """Draw the models' ranks from voter to voter: a column a voter, a line a model.

    The reference comes first, then the humans, then the others as given. A line breaks where a
    voter has no rank for its model.

    Parameters
    ----------
    ranking : DataFrame
        dataset, voter, kind, model, score, rank; of one dataset, ties at their mean rank.
    ax : Axes, optional
    note : str
        The source, for the caption.
    options : FigureOptions, optional

    Raises
    ------
    JuriesError
        If no model has a rank.
    """
    options = options or PLAIN
    ranking = options.chosen(ranking)
    rows, unranked = _ranked(ranking)
    if rows.empty:
        raise JuriesError("ranking, rank: no model has one; nothing to draw")
    kinds = rows.groupby("voter", sort=False)["kind"].first()
    first = {"reference": 0, "human": 1}
    voters = sorted(kinds.index, key=lambda voter: first.get(str(kinds[voter]), 2))
    ranks = rows.pivot_table(index="model", columns="voter", values="rank")[voters]
    ranks = ranks.sort_values(list(voters), kind="stable")
    heads = all_fitting(list(voters), 12 * em(), small())
    ends = all_fitting(list(map(str, ranks.index)), 0.26 * width_of(ax))
    apart = (width_of(ax) - 2 * longest(ends, small()) - 4 * em()) / max(1, len(voters) - 1)
    turned = longest(heads, small()) > 0.9 * apart and len(voters) > 1
    above = (0.7 * longest(heads, small()) if turned else 0) + 1.6 * em()
    sheet = Sheet(ax, row_height() * (len(ranks) + 0.4) + above, options)
    axis = sheet.ax
    shades = palette()
    colours = {model: shades[at % len(shades)] for at, model in enumerate(ranks.index)}
    for at, (model, line) in enumerate(ranks.iterrows()):
        axis.plot(
            range(len(voters)),
            line,
            "o",
            linestyle=STROKES[at // len(shades) % len(STROKES)],
            color=colours[model],
            label=model,
        )
    names = dict(zip(ranks.index, ends, strict=True))
    _end_labels(axis, ranks[voters[-1]], len(voters) - 1, 1, colours, names)
    if len(voters) > 1:
        _end_labels(axis, ranks[voters[0]], 0, -1, colours, names)
    for model, line in ranks[ranks[[voters[0], voters[-1]]].isna().all(axis=1)].iterrows():
        column = int(np.flatnonzero(line.notna())[-1])
        axis.annotate(
            names[model],
            (column, line.iloc[column]),
            (5, 3),
            textcoords="offset points",
            fontsize=small(),
            color=colours[model],
            bbox=backing(),
        )
    axis.set_xticks(range(len(voters)), heads, fontsize=small())
    axis.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    if len(voters) > 1:
        for tick, voter in zip(axis.get_xticklabels(), voters, strict=True):
            if turned:
                tick.set(rotation=40, ha="left", rotation_mode="anchor")
            tick.set_color(colour(str(kinds[voter])))
    axis.set_yticks([])
    axis.set_ylim(ranks.max().max() + 0.6, ranks.min().min() - 0.6)
    axis.set_xlim(
        -0.5 if len(voters) == 1 else -0.1, len(voters) - (0.5 if len(voters) == 1 else 0.9)
    )
    axis.spines[:].set_visible(False)
    dataset = options.name(str(rows["dataset"].iloc[0]))
    sheet.head(f"{dataset}: models by rank, the best at the top")
    sheet.foot(note, unranked)
    return axis


def _ranked(ranking: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows with a rank and a score, and a note that lists the others."""
    bare = ranking["rank"].isna() | ranking["score"].isna()
    names = ranking.loc[bare, "model"] + " (" + ranking.loc[bare, "voter"] + ")"
    return ranking[~bare], named("no score, so not drawn", list(names))


def _diagonal(axis: Axes, last: float) -> None:
    axis.plot([1, last], [1, last], color=ink(0.25), linewidth=0.9, zorder=0)
    room = 0.4 + 0.06 * last  # for the names of the first and the last
    axis.set(xlim=(1 - room, last + room), ylim=(1 - room, last + room))
    axis.set_box_aspect(1)
    at = np.arange(1, last + 1, -(-last // 20))
    axis.set(xticks=at, yticks=at)
    axis.grid()


def _end_labels(
    axis: Axes,
    ranks: pd.Series[float],
    column: int,
    side: int,
    colours: dict[Any, str],
    names: dict[Any, str],
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
        name = names[model]
        axis.annotate(
            f"{text}  {name}" if side > 0 else f"{name}  {text}",
            (column, rank),
            (column + 0.12 * side, place),
            fontsize=small(),
            va="center",
            ha="left" if side > 0 else "right",
            color=colours[model],
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": ink(0.2),
                "lw": 0.5,
                "relpos": ((1 - side) / 2, 0.5),
                "shrinkB": 3,
            }
            if tied
            else None,
        )
