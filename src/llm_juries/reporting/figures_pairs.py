"""Figures of pairs and rankings: ranks under each voter, battles, position and length bias.

As in `figures`: a point has its interval or is hollow, what has no value is left out and said so
under the figure, and every source is named on the figure itself. Ranks count from 1, the best.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import JuriesError
from .figures import COLOURS, MARKERS, bars, blank, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Array = npt.NDArray[np.float64]
# The rest of Okabe and Ito's palette: black is the humans', its yellow too pale for lines.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STROKES = ("-", "--", ":")
MOST_OVERLAID_RANKS, MOST_OVERLAID_LINES = 3, 6
MOST_NAMED = 6


def rank_against_reference(ranking: pd.DataFrame, reference: pd.DataFrame, note: str) -> Figure:
    """Draw each model's rank by each voter against its true rank, as Figure 2 of the PoLL paper.

    On the diagonal a voter agrees with the reference. Up to three voters share one panel; more
    have a panel each. True ranks are counted anew among the models drawn, ties at their mean.

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
    rows, gone = _ranked(ranking[ranking["kind"] != "reference"])
    true = reference.dropna(subset="rank").set_index("model")["rank"]
    strange = sorted(set(rows["model"]) - set(true.index))
    rows = rows[rows["model"].isin(true.index)]
    if rows.empty:
        raise JuriesError(
            f"reference, model: none of {_some(strange) or 'no models'} is ranked there and by a "
            f"voter; name the models as the reference does, for one {_some(sorted(true.index)[:1])}"
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
    _hide(axes, 1 if overlaid else len(voters))
    colours = _colours(rows)
    shown = [voters] if overlaid else [[voter] for voter in voters]
    for axis, group in zip(axes.flat, shown, strict=False):
        _diagonal(axis, last, 20 if overlaid else 10)
        for voter in group:
            own = rows[rows["voter"] == voter]
            colour = colours[voter] if overlaid else COLOURS[own["kind"].iloc[0]]
            _upright(
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
                axis.set_title(_wrapped(voter, size * 13), fontsize=8, color=colour)
    if overlaid:
        axes[0, 0].legend(
            loc="lower left", bbox_to_anchor=(0, 1.01), fontsize=8, frameon=False, borderpad=0
        )
    figure.suptitle(f"{rows['dataset'].iloc[0]}: ranks of {len(true)} models", fontsize=10)
    figure.supylabel("rank by the voter (1 is best; line: its interval)", fontsize=8)
    _say(
        figure,
        "rank in the reference, among these models (1 is best)",
        note,
        _list("not in the reference, so not drawn, though the voters' ranks count them", strange),
        gone,
        _hollow(rows, "rank_low", "rank_high"),
    )
    figure.draw_without_rendering()  # settles the panels' places, so that names can be measured
    for axis, group in zip(axes.flat, shown, strict=False):
        _name_models(axis, rows[rows["voter"].isin(group)])
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
    rows, gone = _ranked(ranking)
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
            _cut(str(model)),
            (column, line.iloc[column]),
            (5, 3),
            textcoords="offset points",
            fontsize=7,
            color=colours[model],
            bbox=_backing(),
        )
    axis.set_xticks(range(len(voters)), [_wrapped(voter, 24) for voter in voters], fontsize=7.5)
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
    _say(figure, note, gone)
    return figure


def battle_heat_map(battles: pd.DataFrame, note: str) -> Figure:
    """Draw the share of its battles each model won against each other, by one voter.

    A cell says the row model's share and the battles it is of; it is empty where the two never met.
    Models stand by their mean share over their opponents, the best at the top.

    Parameters
    ----------
    battles : DataFrame
        first, second (models), n (battles), share (that `first` won, 0 to 1). A pair may come
        in both orders: the battles are added up. Rows without a share are left out.
    note : str
        A line under the figure: which voter, of what.

    Raises
    ------
    JuriesError
        If no row has a share.
    """
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap

    known = battles[(battles["n"] > 0) & battles["share"].notna()]
    if known.empty:
        raise JuriesError("battles, share: no pair of models has one; nothing to draw")
    lost = battles[(battles["n"] > 0) & battles["share"].isna()]
    names = sorted({*known["first"], *known["second"]})
    shares, counts = _both_ways(known, names)
    with np.errstate(invalid="ignore"):
        order = np.argsort(-np.nanmean(shares, axis=1), kind="stable")
    names = [names[at] for at in order]
    shares, counts = shares[np.ix_(order, order)], counts[np.ix_(order, order)]

    longest = min(40, max(map(len, names)))
    size = max(2.2, 0.46 * len(names))
    figure = blank(size + 1.6 + 0.07 * longest, size + 1.3 + 0.07 * longest)
    axis = figure.subplots()
    shades = LinearSegmentedColormap.from_list("won", [PALETTE[1], "#F7F7F7", PALETTE[0]])
    image = axis.imshow(np.ma.masked_invalid(shares), cmap=shades, vmin=0, vmax=1)
    itself = np.ma.masked_equal(np.eye(len(names)), 0)
    axis.imshow(itself, cmap=ListedColormap(["0.88"]))  # not the white of those who never met
    for row, column in np.argwhere(~np.isnan(shares)):
        share = shares[row, column]
        axis.text(
            column,
            row,
            f"{share:.2f}\n({counts[row, column]:,.0f})",
            ha="center",
            va="center",
            fontsize=6.5,
            color="white" if abs(share - 0.5) > 0.42 else "black",
        )
    at = range(len(names))
    labels = [_cut(name) for name in names]
    axis.set_yticks(at, labels, fontsize=7.5)
    axis.set_xticks(at, labels, fontsize=7.5, rotation=90)
    axis.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="0.85", linewidth=0.6)
    axis.tick_params(which="both", length=0)
    bar = figure.colorbar(image, ax=axis, shrink=0.7)
    bar.set_label("share won by the row model (in brackets: battles)", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    pairs = [f"{a} and {b}" for a, b in zip(lost["first"], lost["second"], strict=True)]
    _say(figure, note, _list("no share, so not drawn", pairs))
    return figure


def position_bias(position: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw how often each voter's verdict follows the place of an answer rather than the answer.

    Left, the share of pairs whose winner changed when their answers changed places; right, the
    share of verdicts for the answer shown first, 0.5 without a preference.

    Parameters
    ----------
    position : DataFrame
        dataset, voter, kind, pairs, flip_rate, flip_low, flip_high, first_place, first_low,
        first_high; of one dataset, a row a voter.
    note : str
        A line under the figure.
    level : float
        Of the intervals, for the axes.
    """
    rows = position.iloc[::-1]  # the first at the top
    at = np.arange(len(rows))
    labels = [
        f"{_cut(voter)}  ({pairs:,.0f} pairs)"
        for voter, pairs in zip(rows["voter"], rows["pairs"].fillna(0), strict=True)
    ]
    figure = blank(5.6 + 0.065 * max(map(len, labels), default=0), 1.9 + 0.27 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    kinds = rows["kind"].to_numpy()
    for axis, value, low, high in (
        (left, "flip_rate", "flip_low", "flip_high"),
        (right, "first_place", "first_low", "first_high"),
    ):
        for kind in dict.fromkeys(kinds):
            own = kinds == kind
            kin = rows[own]
            bars(axis, kin[value], kin[low], kin[high], at[own], str(kind))
        for height in at[rows[value].isna()]:
            axis.text(0.02, height, "no value", fontsize=7, color="0.5", va="center")
        axis.set_xlim(-0.02, 1.02)
        axis.set_ylim(-0.7, len(rows) - 0.3)
        axis.tick_params(axis="x", labelsize=7.5)
        axis.grid(axis="x", color="0.92")
    left.set_yticks(at, labels, fontsize=8)
    right.axvline(0.5, color="0.5", linewidth=0.9, zorder=0)
    left.set_xlabel("share of pairs whose winner flips\nwith the order", fontsize=8)
    right.set_xlabel(
        "share of verdicts for the answer\nshown first (0.5: no preference)", fontsize=8
    )
    legend(figure, rows["kind"])
    dataset = "".join(rows["dataset"].iloc[:1])
    left.set_title(f"{dataset}: position bias", loc="left", fontsize=10, fontweight="bold")
    hollow = [
        _hollow(rows[rows["flip_rate"].notna()], "flip_low", "flip_high"),
        _hollow(rows[rows["first_place"].notna()], "first_low", "first_high"),
    ]
    _say(figure, f"{level:.0%} intervals", note, max(hollow))
    return figure


def length_bias(bins: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw how often the first answer of a pair wins against how much longer it is.

    A voter blind to length need not be flat, for better answers may be longer: compare it with the
    humans' line, which is black. Up to six voters share one panel; more have a panel each, with the
    humans in every one.

    Parameters
    ----------
    bins : DataFrame
        dataset, voter, kind, low, high (the bin of (a - b) / (a + b), a and b the lengths of the
        first and second answer), n (pairs), share (won by the first), ci_low, ci_high; of one
        dataset.
    note : str
        A line under the figure.
    level : float
        Of the intervals, for the axis.
    """
    order = list(dict.fromkeys(bins["voter"]))
    bins = bins.assign(middle=(bins["low"] + bins["high"]) / 2).sort_values("low", kind="stable")
    kinds = dict(zip(bins["voter"], bins["kind"], strict=True))
    humans = [voter for voter in order if kinds[voter] == "human"]
    others = [voter for voter in order if kinds[voter] != "human"]
    overlaid = len(order) <= MOST_OVERLAID_LINES
    shown = [[*others, *humans]] if overlaid else [[voter, *humans] for voter in others]
    columns = min(4, len(shown))
    lines = -(-len(shown) // columns)
    width, height = (6.4, 4.2) if overlaid else (2.5, 2.1)
    figure = blank(0.7 + width * columns, 1.1 + height * lines)
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    _hide(axes, len(shown))
    colours = _colours(bins)
    apart = 0.012 if overlaid else 0.02
    for axis, group in zip(axes.flat, shown, strict=False):
        axis.axhline(0.5, color="0.6", linewidth=0.8, zorder=0)
        axis.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        for place, voter in enumerate(group):
            own = bins[bins["voter"] == voter]
            human = voter in humans
            colour = colours[voter] if overlaid or human else COLOURS[kinds[voter]]
            x = own["middle"] + apart * (place - (len(group) - 1) / 2)
            axis.plot(x, own["share"], color=colour, lw=1.1)
            _upright(
                axis,
                x,
                own["share"],
                own["ci_low"],
                own["ci_high"],
                colour=colour,
                marker=MARKERS[kinds[voter]],
                label=_cut(voter),
            )
        if not overlaid:
            axis.set_title(
                _wrapped(group[0], width * 14), fontsize=8, color=COLOURS[kinds[group[0]]]
            )
        axis.tick_params(labelsize=7.5)
        axis.set_ylim(-0.03, 1.03)
        axis.grid(color="0.94")
    if overlaid:
        figure.legend(
            *axes[0, 0].get_legend_handles_labels(), loc="outside right upper", fontsize=7.5
        )
    black = " (black: humans)" if humans and not overlaid else ""
    figure.suptitle(f"{''.join(bins['dataset'].iloc[:1])}: length bias{black}", fontsize=10)
    figure.supylabel(f"share won by the first answer ({level:.0%} interval)", fontsize=8)
    empty = bins[bins["share"].isna()]
    _say(
        figure,
        "length difference (a - b) / (a + b): above 0 the first answer is the longer one",
        note,
        f"bins without a share, so not drawn: {len(empty)}" if len(empty) else "",
        _hollow(bins[bins["share"].notna()], "ci_low", "ci_high"),
    )
    return figure


def _ranked(ranking: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep the rows with a rank and name the others; a rank without a score means nothing."""
    bare = ranking["rank"].isna() | ranking["score"].isna()
    names = ranking.loc[bare, "model"] + " (" + ranking.loc[bare, "voter"] + ")"
    return ranking[~bare], _list("no score, so not drawn", list(names))


def _both_ways(known: pd.DataFrame, names: Sequence[str]) -> tuple[Array, Array]:
    """Return each row model's share against each column model, NaN if none, and the battles."""
    place = {name: at for at, name in enumerate(names)}
    first, second = known["first"].map(place), known["second"].map(place)
    n, won = known["n"].to_numpy(float), (known["n"] * known["share"]).to_numpy(float)
    counts = np.zeros((len(names), len(names)))
    wins = counts.copy()
    for a, b, mine in ((first, second, won), (second, first, n - won)):
        np.add.at(counts, (a, b), n)
        np.add.at(wins, (a, b), mine)
    np.fill_diagonal(counts, 0)  # a model against itself says nothing
    with np.errstate(invalid="ignore"):
        return np.where(counts > 0, wins / counts, np.nan), counts


def _colours(rows: pd.DataFrame) -> dict[str, str]:
    """Give each voter its kind's colour if it is alone of its kind, else one of its own."""
    kinds = dict(zip(rows["voter"], rows["kind"], strict=True))
    counts = Counter(kinds.values())
    taken = {COLOURS[kind] for kind in counts if counts[kind] == 1}
    free = cycle([colour for colour in PALETTE if colour not in taken])
    return {
        voter: COLOURS[kind] if counts[kind] == 1 or kind == "human" else next(free)
        for voter, kind in kinds.items()
    }


def _hide(axes: npt.NDArray[Any], used: int) -> None:
    """Hide the panels left over; those above them get the tick labels the hidden ones had."""
    for axis in axes.flat[used:]:
        axis.set_visible(False)
    for axis in axes.flat[max(0, used - axes.shape[1]) : used]:
        axis.tick_params(labelbottom=True)


def _upright(
    axis: Axes,
    x: pd.Series[float],
    value: pd.Series[float],
    low: pd.Series[float],
    high: pd.Series[float],
    *,
    colour: str,
    marker: str,
    label: str,
) -> None:
    """Draw values with upright intervals; hollow where there is no interval."""
    axis.vlines(x, low, high, color=colour, linewidth=0.9, alpha=0.75)
    axis.plot(x, value, marker, color=colour, markersize=4.5, label=label)
    bare = low.isna() | high.isna()
    if bare.any():
        axis.plot(x[bare], value[bare], marker, color=colour, mfc="white", markersize=4.5)


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
        name = _cut(str(model))
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


def _name_models(axis: Axes, rows: pd.DataFrame) -> None:
    """Write each model's name beside one of its points, clear of points and other names.

    Names are put one by one at the cheapest of many places round the points, twice over, so that
    the first ones also see the last. Other names and points cost most, then the frame, then to
    be nearer to another model's point; intervals cost little.
    """
    to_pixels, point = axis.transData.transform, axis.figure.dpi / 72
    dots = to_pixels(rows[["at", "rank"]].to_numpy(float))
    reach = 4 * point
    marks = np.hstack([dots - reach, dots + reach])
    ends = rows[["rank_low", "rank_high"]].to_numpy(float)
    x = rows["at"].to_numpy(float)
    spans = np.hstack([to_pixels(np.c_[x, ends[:, 0]]), to_pixels(np.c_[x, ends[:, 1]])])
    spans = spans[~np.isnan(spans).any(axis=1)]
    frame = axis.get_window_extent().padded(-2 * point).extents
    names = list(dict.fromkeys(rows.sort_values(["true", "model"])["model"]))
    size = 6.5 if len(names) > 12 else 7.5
    boxes = {name: np.full(4, np.nan) for name in names}
    sizes = {name: _extent(axis, _cut(name, 32), size) for name in names}
    points = dict.fromkeys(names, np.zeros(2))
    for name in names * 2:
        own = (rows["model"] == name).to_numpy()
        corners, anchors, far = _places(dots[own], sizes[name], point, reach)
        tried = np.hstack([corners, corners + sizes[name]])
        others = np.array([boxes[other] for other in names if other != name]).reshape(-1, 4)
        over = np.maximum(frame[:2] - tried[:, :2], tried[:, 2:] - frame[2:]).max(axis=1).clip(0)
        away = np.maximum(tried[:, None, :2] - dots, dots - tried[:, None, 2:]).clip(0)
        distance = np.hypot(away[..., 0], away[..., 1])
        strange = distance[:, ~own].min(axis=1, initial=np.inf) <= distance[:, own].min(axis=1)
        cost = (
            100 * _hits(tried, others)
            + 30 * _hits(tried, marks)
            + 2 * _hits(tried, spans)
            + 60 * (over > 0)
            + over / point
            + 12 * strange
            + 0.3 * far / point
        )
        best = int(np.argmin(cost))
        boxes[name], points[name] = tried[best], anchors[best]
    to_data = axis.transData.inverted().transform
    for name in names:
        box, at = boxes[name], points[name]
        edge = at.clip(box[:2], box[2:])
        if np.hypot(*(edge - at)) > reach + 6 * point:
            axis.plot(*to_data([edge, at]).T, color="0.6", linewidth=0.5, zorder=1)
        text = axis.annotate(
            _cut(name, 32),
            tuple(to_data(at)),
            tuple(((box[:2] + box[2:]) / 2 - at) / point),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            bbox=_backing(),
        )
        text.set_in_layout(False)  # else the panels would move from where the names were measured


def _places(own: Array, box: Array, point: float, reach: float) -> tuple[Array, Array, Array]:
    """Return lower left corners for a box round a model's points, each one's point and distance."""
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    away = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    radii = reach + np.array([2, 7, 14, 24, 38, 56]) * point
    # Half a box further on each side, so that it is the box's edge that is a radius away.
    middles = own[:, None, None] + radii[:, None, None] * away + away * box / 2
    far = np.broadcast_to(radii[:, None], middles.shape[:-1]).ravel()
    anchors = np.broadcast_to(own[:, None, None], middles.shape).reshape(-1, 2)
    return middles.reshape(-1, 2) - box / 2, anchors, far


def _extent(axis: Axes, name: str, size: float) -> Array:
    """Measure a name's width and height in pixels, with a margin: saved finer, it is wider."""
    text = axis.text(0, 0, name, fontsize=size)
    box = text.get_window_extent()
    text.remove()
    return np.array([1.05 * box.width, 1.1 * box.height])


def _hits(tried: Array, boxes: Array) -> npt.NDArray[np.int_]:
    """Count the boxes (x0, y0, x1, y1) each tried box overlaps; NaN overlaps nothing."""
    a, b = tried[:, None], boxes[None]
    meet = (a[..., :2] < b[..., 2:]) & (b[..., :2] < a[..., 2:])
    return np.asarray(meet.all(axis=-1).sum(axis=1))


def _backing() -> dict[str, Any]:
    """Keep lines off a name that lies over them."""
    return {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.4}


def _say(figure: Figure, *lines: str) -> None:
    """Write lines under the figure, wrapped to its width; empty ones are left out."""
    wide = int(16 * figure.get_figwidth())
    text = "\n".join(textwrap.fill(line, wide) for line in lines if line)
    figure.supxlabel(text, fontsize=8)


def _hollow(rows: pd.DataFrame, low: str, high: str) -> str:
    return "hollow: no interval" if rows[[low, high]].isna().any(axis=None) else ""


def _list(said: str, names: Sequence[str]) -> str:
    return f"{said}: {_some(names)}" if names else ""


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _wrapped(name: str, wide: float) -> str:
    return textwrap.fill(name, max(10, int(wide)))


def _cut(name: str, most: int = 40) -> str:
    """Leave out the middle of a long name: its ends tell it from its kin."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"
