"""Figures for reports: every point with its interval, every source named on the figure itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Okabe and Ito's palette: told apart by colour-blind readers and in print.
COLOURS = {
    "judge": "#0072B2",
    "lexical": "#999999",
    "jury": "#D55E00",
    "human": "#000000",
    "reference": "#009E73",
    "printed": "#000000",
}
MARKERS = {
    "judge": "o",
    "lexical": "s",
    "jury": "D",
    "human": "^",
    "reference": "P",
    "printed": "x",
}


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write NAME.png (200 dpi) and NAME.pdf; return the PNG's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for ending, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
        beside = folder / f".{name}.{ending}"
        figure.savefig(beside, format=ending, dpi=200, metadata=metadata)
        beside.replace(folder / f"{name}.{ending}")
    return folder / f"{name}.png"


def kappa_per_voter(agreement: pd.DataFrame, notes: dict[str, str], level: float) -> Figure:
    """Draw Cohen's kappa of each voter with its interval, a panel a dataset.

    Parameters
    ----------
    agreement : DataFrame
        As `analysis.agreement_table` returns, of one or more datasets.
    notes : dict of str to str
        A line under each dataset's title.
    level : float
        Of the intervals, for the axis.
    """
    datasets = list(dict.fromkeys(agreement["dataset"]))
    sizes = [int((agreement["dataset"] == name).sum()) for name in datasets]
    figure = blank(7.2, 0.9 * len(datasets) + 0.27 * sum(sizes) + 0.8)
    axes = figure.subplots(
        len(datasets), 1, sharex=True, squeeze=False, height_ratios=[size + 1 for size in sizes]
    )[:, 0]
    for axis, name in zip(axes, datasets, strict=True):
        _points(axis, agreement[agreement["dataset"] == name], "kappa")
        axis.set_title(f"{name}\n", loc="left", fontsize=10, fontweight="bold")
        axis.text(0, 1.02, notes.get(name, ""), transform=axis.transAxes, fontsize=7.5)
    axes[-1].set_xlabel(
        f"Cohen's kappa with the human labels ({level:.0%} interval, questions resampled)"
    )
    legend(figure, agreement["kind"])
    return figure


def delta_per_candidate(deltas: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw each candidate's accuracy under each voter less that under humans, a panel a voter.

    Parameters
    ----------
    deltas : DataFrame
        As `analysis.delta_table` returns, of one dataset.
    note : str
        A line under the title.
    level : float
        Of the intervals, for the axis.
    """
    voters = list(dict.fromkeys(deltas["voter"]))
    candidates = sorted(set(deltas["candidate"]), reverse=True)
    columns = min(4, len(voters))
    lines = -(-len(voters) // columns)
    figure = blank(2.0 + 1.9 * columns, 1.2 + lines * (0.7 + 0.2 * len(candidates)))
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat[len(voters) :]:
        axis.set_visible(False)
    for axis, voter in zip(axes.flat, voters, strict=False):
        own = deltas[deltas["voter"] == voter]
        kind = str(own["kind"].iloc[0])
        rows = own.set_index("candidate").reindex(candidates)  # one not judged yet has no point
        at = np.arange(len(rows))
        bars(axis, 100 * rows["delta"], 100 * rows["ci_low"], 100 * rows["ci_high"], at, kind)
        spread = 100 * rows["delta"].std(ddof=1)
        axis.set_title(f"{voter}  (sd {spread:.1f})", fontsize=8, color=COLOURS[kind])
        axis.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        axis.set_yticks(at, candidates, fontsize=7.5)
        axis.tick_params(axis="x", labelsize=7.5)
        axis.grid(axis="y", color="0.92")
    figure.suptitle(f"{deltas['dataset'].iloc[0]}: accuracy of each candidate, voter less humans")
    figure.supxlabel(
        f"percentage points ({level:.0%} interval, questions resampled; "
        f"sd: over the candidates)\n{note}",
        fontsize=8,
    )
    return figure


def printed_beside_ours(
    printed: pd.DataFrame, agreement: pd.DataFrame, notes: dict[str, str], level: float
) -> Figure:
    """Draw the paper's printed kappas beside ours, each marked as what it is.

    Parameters
    ----------
    printed : DataFrame
        The paper's Table 1: judge, dataset, kappa.
    agreement : DataFrame
        As `analysis.agreement_table` returns.
    notes : dict of str to str
        A line on each of our datasets.
    level : float
        Of our intervals; the paper prints none.
    """
    figure = blank(10.5, 1.9 + 0.22 * max(len(agreement) + 6, len(printed)))
    left, right = figure.subplots(1, 2, sharex=True)
    rows = printed.iloc[::-1].reset_index(drop=True)
    left.plot(rows["kappa"], rows.index, MARKERS["printed"], color=COLOURS["printed"])
    left.set_yticks(rows.index, rows["judge"] + "  " + rows["dataset"], fontsize=7.5)
    left.set_title("printed in the paper (no intervals)\n", fontsize=9, loc="left")
    datasets = dict.fromkeys(agreement["dataset"])
    ours = pd.concat([agreement[agreement["dataset"] == name] for name in datasets])
    _points(right, ours.assign(voter=ours["voter"] + "  " + ours["dataset"]), "kappa")
    right.set_title(f"ours ({level:.0%} intervals)\n", fontsize=9, loc="left")
    for axis in (left, right):
        axis.set_xlabel("Cohen's kappa with human labels", fontsize=8)
        axis.grid(axis="x", color="0.92")
        axis.tick_params(axis="x", labelsize=7.5)
    figure.suptitle(
        "Not the same experiment: other models, other answers, other human labels", fontsize=10
    )
    said = "\n".join(f"{name}: {note}" for name, note in notes.items() if name in datasets)
    figure.supxlabel(said, fontsize=7, x=0.02, ha="left")
    return figure


def blank(width: float, height: float) -> Figure:
    """Make a figure of that many inches whose parts keep clear of each other."""
    from matplotlib.figure import Figure  # not pyplot: no global state, no display

    return Figure(figsize=(width, height), layout="constrained")


def _points(axis: Axes, rows: pd.DataFrame, column: str) -> None:
    """Draw a row a voter, the first at the top."""
    rows = rows.iloc[::-1]
    at = np.arange(len(rows))
    for kind in COLOURS:
        own = (rows["kind"] == kind).to_numpy()
        if own.any():
            kin = rows[own]
            bars(axis, kin[column], kin["ci_low"], kin["ci_high"], at[own], kind)
    missing = rows["missing"].to_numpy()
    labels = [
        f"{voter}  ({gone} missing)" if gone else str(voter)
        for voter, gone in zip(rows["voter"], missing, strict=True)
    ]
    axis.set_yticks(at, labels, fontsize=8)
    axis.set_ylim(-0.7, len(rows) - 0.3)
    axis.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    axis.grid(axis="x", color="0.92")


def bars(
    axis: Axes,
    value: pd.Series[float],
    low: pd.Series[float],
    high: pd.Series[float],
    at: np.ndarray[tuple[int, ...], np.dtype[np.int_]],
    kind: str,
) -> None:
    """Draw values with their intervals, each at its height; hollow where there is no interval."""
    axis.hlines(at, low, high, color=COLOURS[kind], linewidth=1.4)
    axis.plot(value, at, MARKERS[kind], color=COLOURS[kind], markersize=4.5)
    bare = (low.isna() | high.isna()).to_numpy()
    if bare.any():
        axis.plot(
            value[bare], at[bare], MARKERS[kind], color=COLOURS[kind], mfc="white", markersize=4.5
        )


def legend(figure: Figure, kinds: pd.Series[str]) -> None:
    """Name the kinds of voters that are there, above the figure."""
    from matplotlib.lines import Line2D

    present = [kind for kind in COLOURS if kind in set(kinds)]
    handles = [
        Line2D([], [], color=COLOURS[k], marker=MARKERS[k], markersize=5, label=k) for k in present
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(present), fontsize=8)


def kappa_against_cost(juries: pd.DataFrame, note: str, level: float) -> Figure:
    """Draw the kappa of all juries against what an item costs, and the Pareto front.

    Parameters
    ----------
    juries : DataFrame
        Rows of `jury_search.Search.juries` of one dataset and rule. Those of unknown cost or
        without a kappa are left out, and counted on the figure.
    note : str
        A line under the title.
    level : float
        Of the intervals, for the axis.
    """
    figure = blank(7.2, 4.6)
    axis = figure.subplots()
    known = juries[juries["usd_per_item"].notna() & juries["kappa"].notna()]
    cents = 100 * known["usd_per_item"]
    single = known["seats"] == 1
    low = ~known["eligible"]
    cloud = {
        "decides too few items to be chosen": (low, "#BBBBBB", "x"),
        "jury": (~single & ~low, COLOURS["jury"], MARKERS["jury"]),
        "single judge": (single & ~low, COLOURS["judge"], MARKERS["judge"]),
    }
    size = 14 if len(known) > 200 else 24
    for label, (rows, colour, marker) in cloud.items():
        if rows.any():
            axis.scatter(
                cents[rows],
                known["kappa"][rows],
                s=size,
                c=colour,
                marker=marker,
                alpha=0.5 if len(known) > 200 else 0.9,
                linewidths=0.8,
                label=f"{label} ({int(rows.sum()):,})",
            )
    front = known[known["pareto"]].sort_values(["usd_per_item", "jury"])
    if not front.empty:
        at = 100 * front["usd_per_item"]
        axis.step(
            at, front["kappa"], where="post", color="black", linewidth=1, label="Pareto front"
        )
        axis.vlines(at, front["ci_low"], front["ci_high"], color="black", linewidth=1)
        for number, (x, y) in enumerate(zip(at, front["kappa"], strict=True), 1):
            axis.annotate(
                str(number), (x, y), (4, -9), textcoords="offset points", fontsize=7.5, zorder=5
            )
    named = [
        f"{number}: {row['jury']}, {row['kappa']:.3f}"
        for number, (_, row) in enumerate(front.iterrows(), 1)
    ]
    unknown = len(juries) - len(known)
    if unknown:
        named.append(f"not drawn, of unknown cost or without a kappa: {unknown:,}")
    axis.set_xlabel("US cents for an item", fontsize=8)
    axis.set_ylabel(
        f"Cohen's kappa with the human labels\n(front: {level:.0%} interval)", fontsize=8
    )
    axis.tick_params(labelsize=7.5)
    axis.grid(color="0.92")
    axis.set_axisbelow(True)
    title = f"{juries['dataset'].iloc[0]}: all juries, rule {juries['rule'].iloc[0]}"
    axis.set_title(f"{title}\n", loc="left", fontsize=10, fontweight="bold")
    axis.text(0, 1.02, note, transform=axis.transAxes, fontsize=7.5)
    axis.legend(fontsize=7.5, loc="lower right")
    figure.supxlabel("\n".join(named), fontsize=7, x=0.02, ha="left")
    return figure


def error_correlations(pairs: pd.DataFrame, note: str) -> Figure:
    """Draw how far the errors of each two judges go together, as a map.

    Parameters
    ----------
    pairs : DataFrame
        As `jury_search.pair_table` returns, of one dataset.
    note : str
        A line under the title.
    """
    names = sorted(set(pairs["judge"]) | set(pairs["other"]))
    values = np.full((len(names), len(names)), np.nan)
    figure = blank(2.6 + 0.75 * len(names), 1.6 + 0.55 * len(names))
    axis = figure.subplots()
    for _, row in pairs.iterrows():
        across, down = names.index(row["judge"]), names.index(row["other"])
        values[down, across] = row["correlation"]
        shown = "none" if np.isnan(row["correlation"]) else f"{row['correlation']:.2f}"
        pale = np.isnan(row["correlation"]) or abs(row["correlation"]) < 0.6
        axis.text(
            across,
            down,
            f"{shown}\nn {row['n']:,}",
            ha="center",
            va="center",
            fontsize=7,
            color="black" if pale else "white",
        )
    image = axis.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    axis.set_xticks(range(len(names) - 1), names[:-1], fontsize=7.5, rotation=30, ha="right")
    axis.set_yticks(range(1, len(names)), names[1:], fontsize=7.5)
    axis.set_xlim(-0.5, len(names) - 1.5)
    axis.set_ylim(len(names) - 0.5, 0.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    bar = figure.colorbar(image)
    bar.set_label("correlation of errors (phi)", fontsize=8)
    bar.ax.tick_params(labelsize=7.5)
    title = f"{pairs['dataset'].iloc[0]}: are the judges wrong on the same items?"
    axis.set_title(f"{title}\n", loc="left", fontsize=9, fontweight="bold")
    axis.text(0, 1.02, note, transform=axis.transAxes, fontsize=7)
    return figure
