"""Figures of agreement with humans: each voter's, the gains of juries, the paper's kappas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...analysis.measured import headline_of
from .options import FigureOptions
from .style import (
    MARKERS,
    PLAIN,
    Sheet,
    all_fitting,
    bars,
    bars_by_voter,
    colour,
    em,
    hide_unused,
    hollow_note,
    ink,
    longest,
    name_rows,
    row_height,
    row_places,
    shades,
    small,
    width_of,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINT = ("ci_low", "ci_high")


def kappa_per_voter(
    agreement: pd.DataFrame,
    ax: Axes | None = None,
    *,
    notes: Mapping[str, str] | None = None,
    level: float = 0.95,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw kappa (or the headline measure) of each voter with its interval, a panel a dataset.

    Parameters
    ----------
    agreement : DataFrame
        As `analysis.agreement` returns, of one or more datasets.
    ax : Axes, optional
        Where to draw; by default a figure of its own. Several datasets divide it.
    notes : mapping of str to str, optional
        The source of each dataset, for the caption.
    level : float
        Of the intervals, for the axis.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    whole = agreement[agreement["n"] > 0]
    parts = {
        str(name): options.chosen(options.ranked(rows))
        for name, rows in whole.groupby("dataset", sort=False)
    }
    places = {name: row_places(list(rows["kind"])) for name, rows in parts.items()}
    heights = [places[name].max(initial=0) + 1.2 for name in parts]
    several = len(parts) > 1
    sheet = Sheet(
        ax, row_height() * sum(heights) + (3.2 + 3.8 * several * len(parts)) * em(), options
    )
    axes = (
        sheet.panels(len(parts), 1, sharex=True, height_ratios=heights)[:, 0]
        if several
        else [sheet.ax]
    )
    colours = shades(pd.concat(parts.values()), options)
    measures = {name: headline_of(rows) for name, rows in parts.items()}
    for axis, (name, rows) in zip(axes, parts.items(), strict=True):
        bars_by_voter(axis, rows, places[name], (measures[name], *POINT), colours)
        name_rows(axis, places[name], _labels(rows, options, sheet.width), list(rows["kind"]))
        if rows[POINT[0]].min() < 0:
            axis.axvline(0, color=ink(0.4), linewidth=0.8, zorder=0)
        if several:
            said = "" if measures[name] == "kappa" else f": {_words(measures[name])}"
            axis.set_title(f"{options.name(name)}{said}")
    (first, *_) = measures.values()
    what = _measure(first) if len(set(measures.values())) == 1 else "agreement"
    axes[-1].set_xlabel(
        wrapped(f"{what} with the human labels ({level:.0%} interval)", 0.62 * sheet.width)
    )
    head = "Agreement with the human labels" if several else options.name(next(iter(parts)))
    sheet.head(head, colours.handles)
    sources = [
        f"{options.name(name)}: {note}" if several else note
        for name, note in (notes or {}).items()
        if name in parts and note
    ]
    hollow = max(hollow_note(rows, *POINT) for rows in parts.values())
    sheet.foot("\n".join(sources), hollow)
    return sheet.ax


def gains(
    against: pd.DataFrame,
    ax: Axes | None = None,
    *,
    level: float = 0.95,
    margin: float = 0.02,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw how much more each jury agrees with humans than the best judge, as a forest plot.

    Parameters
    ----------
    against : DataFrame
        As `analysis.comparison.against_best` returns, of one or more datasets.
    ax : Axes, optional
    level : float
        Of the intervals.
    margin : float
        A jury worse by less is as good: the band around 0.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    whole = against.sort_values(["difference", "beside"], ascending=[False, True], kind="stable")
    if options.voters:
        whole = whole[whole["jury"].isin(options.voters)]
    # The best judge of all comes before the best member: where they are the same, once is enough.
    whole = whole.drop_duplicates(["dataset", "jury", "judge"])
    parts = {str(name): rows for name, rows in whole.groupby("dataset", sort=False)}
    several = len(parts) > 1
    tall = row_height() * (len(whole) + 0.4 * len(parts)) + (1 + 1.6 * several * len(parts)) * em()
    sheet = Sheet(ax, tall + 3.6 * em(), options)
    ratios = [len(rows) + 0.4 for rows in parts.values()]
    axes = (
        sheet.panels(len(parts), 1, sharex=True, height_ratios=ratios)[:, 0]
        if several
        else [sheet.ax]
    )
    side = 0.0
    for axis, (name, rows) in zip(axes, parts.items(), strict=True):
        at = np.arange(len(rows), dtype=float)[::-1]
        axis.axvspan(-margin, margin, color=ink(0.08), linewidth=0, zorder=0)
        axis.axvline(0, color=ink(0.5), linewidth=0.8, zorder=0)
        bars(axis, rows["difference"], rows["ci_low"], rows["ci_high"], at, colour("jury"),
             MARKERS["jury"])  # fmt: skip
        jury, judge = rows["jury"].map(options.name), rows["judge"].map(options.name)
        labels = jury + " − " + judge + rows["beside"].map(BESIDE)
        shown = all_fitting(list(labels), 0.5 * sheet.width)
        side = max(side, longest(shown))
        name_rows(axis, at, shown, [""] * len(rows))
        if several:
            axis.set_title(options.name(name))
    measures = {
        column.removeprefix("jury_")
        for column in map(str, whole)
        if column.startswith("jury_") and whole[column].notna().any()
    }
    what = _measure(measures.pop()) if len(measures) == 1 else "agreement"
    axes[-1].set_xlabel(
        wrapped(
            f"gain in {what} ({level:.0%} interval; grey: ±{margin:g})", sheet.width - side - 0.2
        )
    )
    sheet.head("Gain of each jury over the best single judge")
    sheet.foot(
        "The best judge is picked on the items it is measured on, which favours it.",
        hollow_note(whole, *POINT),
    )
    return sheet.ax


BESIDE = {"best judge": "", "best member": " (member)"}


def printed_beside_ours(
    rows: pd.DataFrame,
    ax: Axes | None = None,
    *,
    note: str = "",
    level: float = 0.95,
    options: FigureOptions | None = None,
) -> Axes:
    """Draw the paper's printed kappas beside ours: a panel a dataset, a row a judge.

    Parameters
    ----------
    rows : DataFrame
        panel (the dataset), judge (the row), voter (ours, "" for a printed number), kind
        ("printed" or ours), kappa, ci_low, ci_high.
    ax : Axes, optional
    note : str
        How ours differ, for the caption.
    level : float
        Of our intervals; the paper prints none.
    options : FigureOptions, optional
    """
    options = options or PLAIN
    names = list(dict.fromkeys(rows["panel"]))
    ours = rows["kind"] != "printed"
    best = rows.groupby("judge")["kappa"].max().sort_values(ascending=False, kind="stable")
    order = sorted(best.index, key=lambda judge: _rule(rows, judge))
    kinds = ["lexical" if _rule(rows, judge) else "" for judge in order]
    at = dict(zip(order, row_places(kinds), strict=True))
    tall = row_height() * (max(at.values()) + 1.4)
    columns = min(len(names), 4 if width_of(ax) >= 5 else 2)
    lines = -(-len(names) // columns)
    sheet = Sheet(ax, (tall + 2.4 * em()) * lines + em(), options)
    axes = sheet.panels(lines, columns, sharex=True, sharey=True)
    hide_unused(axes, len(names))
    colours = shades(rows[ours].assign(voter=rows["voter"].map(options.name)), options)
    for axis, name in zip(axes.flat, names, strict=False):
        for judge in order:
            cell = rows[(rows["panel"] == name) & (rows["judge"] == judge)]
            printed, own = cell[cell["kind"] == "printed"], cell[cell["kind"] != "printed"]
            middle = (len(own) - 1) / 2
            axis.plot(
                printed["kappa"], [at[judge]] * len(printed), MARKERS["printed"], color=ink(),
                zorder=3,
            )  # fmt: skip
            for place, (_, one) in enumerate(own.iterrows()):
                height = at[judge] + 0.42 * (middle - place)
                shade = colours.of[options.name(one["voter"])]
                axis.hlines(height, one["ci_low"], one["ci_high"], color=shade)
                axis.plot(one["kappa"], height, MARKERS[one["kind"]], color=shade)
                if len(own) > 1 or _plain(options.name(one["voter"])) != _plain(judge):
                    edge = np.nanmax([one["kappa"], one["ci_high"], *printed["kappa"]])
                    axis.annotate(
                        options.name(one["voter"]), (edge, height), (3, 0), va="center",
                        textcoords="offset points", fontsize=0.85 * small(), color=shade,
                    )  # fmt: skip
        name_rows(
            axis,
            np.array(list(at.values())),
            all_fitting(order, 0.3 * sheet.width),
            kinds,
        )
        axis.set_title(options.name(name))
    printed = shades(pd.DataFrame({"voter": [""], "kind": ["printed"]}), PLAIN).handles
    sheet.head("The paper's kappas beside ours", (*printed, *colours.handles))
    label = f"Cohen's kappa with the human labels (lines: {level:.0%} intervals of ours)"
    sheet.foot(note, label=label)
    return sheet.ax


def _rule(rows: pd.DataFrame, judge: str) -> bool:
    """Return whether a row is a string rule: ours are known, and the paper's is EM."""
    return judge == "EM" or "lexical" in set(rows[rows["judge"] == judge]["kind"])


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


def printed_rows(printed: pd.DataFrame, ours: pd.DataFrame, options: FigureOptions) -> pd.DataFrame:
    """Return rows for `printed_beside_ours` of the paper's table and of a table of agreement.

    Judges share a row whose display names are the same but for case and punctuation; datasets
    likewise share a panel.
    """
    rows = {_plain(judge): judge for judge in printed["judge"]}
    panels = {_plain(dataset): dataset for dataset in printed["dataset"]}
    names = ours["voter"].map(options.name)
    mine = ours.assign(
        panel=[panels.get(_plain(options.name(d)), d) for d in ours["dataset"]],
        judge=[rows.get(_plain(name), name) for name in names],
    )
    theirs = printed.rename(columns={"dataset": "panel"}).assign(voter="", kind="printed")
    columns = ["panel", "judge", "voter", "kind", "kappa", *POINT]
    return pd.concat([mine[columns], theirs.reindex(columns=columns)], ignore_index=True)


def _labels(rows: pd.DataFrame, options: FigureOptions, width: float) -> list[str]:
    names = all_fitting(list(rows["voter"]), 0.36 * width)
    return [
        f"{voter} ({missing:,} missing)" if missing and options.missing else voter
        for voter, missing in zip(names, rows["missing"], strict=True)
    ]


def _words(measure: str) -> str:
    return {"roc_auc": "ROC AUC", "pearson": "Pearson's r"}.get(measure, measure.replace("_", " "))


def _measure(measure: str) -> str:
    return "Cohen's kappa" if measure in ("kappa", "kappa_half") else _words(measure)
