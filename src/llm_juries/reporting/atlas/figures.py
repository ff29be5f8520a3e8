"""The atlas's figures: gains as a forest, sides and rules of each source, and the map of trios."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...analysis.atlas.contrasts import HEADLINE, SIDES
from ...analysis.atlas.summary import Atlas
from ...analysis.atlas.trios import PREDICTORS
from ..figures.style import COLOURS, PALETTE, blank, footnote

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vP"
LEVEL = "95% intervals; thin: hold for all comparisons of the atlas at once"
PANELS = (HEADLINE, ("best trio of all", "best judge"))
TITLES = ("best trio of small judges", "best trio of any judges")


def short(dataset: str) -> str:
    """Return a dataset's name without what all have in common."""
    return dataset.removeprefix("recorded_")


def draw(found: Atlas) -> dict[str, Figure]:
    """Draw all figures, by name."""
    drawn = {"forest": forest(found), "sides": sides(found)}
    if not found.trios.empty:
        drawn["trios"] = trios(found)
    if not found.variants.empty:
        drawn["rules_and_scales"] = variants(found)
    return drawn


def forest(found: Atlas) -> Figure:
    """Draw the gain of the best trio over the best judge on each source, and their summary."""
    order = list(found.sources["dataset"])
    unknown = set(found.sources["dataset"][found.sources["pool"] != "small"])
    figure = blank(7.6, 1.9 + 0.34 * (len(order) + 2))
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    rows = [*order, "mean over sources", "a new source"]
    for axis, (side, other), title in zip(axes, PANELS, TITLES, strict=True):
        own = found.contrasts
        own = own[(own["side"] == side) & (own["beside"] == other)].set_index("dataset")
        for at, name in enumerate(order):
            if name not in own.index:
                axis.text(0, -at, "no trio", fontsize=7, va="center", ha="center", color="0.4")
                continue
            row = own.loc[name]
            axis.hlines(-at, row["all_low"], row["all_high"], color=COLOURS["jury"], linewidth=0.8)
            axis.hlines(-at, row["ci_low"], row["ci_high"], color=COLOURS["jury"], linewidth=2.6)
            open_marker = name in unknown
            axis.plot(
                row["gain"], -at, "D", color=COLOURS["jury"], markersize=5.5,
                mfc="white" if open_marker else COLOURS["jury"],
            )  # fmt: skip
        summed = found.summary
        (mean,) = summed[(summed["side"] == side) & (summed["beside"] == other)].to_dict("records")
        at = -len(order)
        axis.hlines(at, mean["ci_low"], mean["ci_high"], color="black", linewidth=2.6)
        axis.plot(mean["gain"], at, "s", color="black", markersize=5.5)
        axis.hlines(at - 1, mean["new_low"], mean["new_high"], color="black", linewidth=1.2)
        axis.axhline(at + 0.5, color="0.8", linewidth=0.8)
        axis.axvline(0, color="0.5", linewidth=0.8)
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_xlabel("gain over the best single judge", fontsize=8)
        axis.tick_params(labelsize=7.5)
        axis.grid(axis="x", color="0.92")
        axis.set_axisbelow(True)
    axes[0].set_yticks([-at for at in range(len(rows))], list(map(short, rows)), fontsize=8)
    axes[0].set_ylim(-len(rows) + 0.4, 0.6)
    figure.suptitle(
        "Does a jury of three agree more with the labels than the best judge?",
        fontsize=10.5,
        x=0.01,
        ha="left",
    )
    footnote(
        figure,
        "Agreement beyond chance: kappa, Pearson's r, or picks of the best of four corrected for "
        "chance. Trio and judge are chosen and measured on different questions. Thick: 95% "
        "intervals; thin: hold for all comparisons of the atlas at once.",
        "Open: the sizes of that source's judges are not stated, so its trio is of any. Mean: "
        "random effects, sources that share questions count once. A new source: prediction "
        "interval.",
    )
    return figure


def sides(found: Atlas) -> Figure:
    """Draw the gain of each side over the best judge, a panel a source."""
    order = list(found.sources["dataset"])
    figure, axes = _panels(len(order), 7.6, 1.75)
    shown = [*SIDES, "best of the pool"]
    for axis, name in zip(axes.flat, order, strict=False):
        own = found.contrasts
        own = own[(own["dataset"] == name) & (own["beside"] == "best judge")].set_index("side")
        for at, side in enumerate(shown):
            if side not in own.index:
                continue
            row, colour = own.loc[side], COLOURS["judge" if side in shown[-1:] else "jury"]
            axis.hlines(-at, row["all_low"], row["all_high"], color=colour, linewidth=0.8)
            axis.hlines(-at, row["ci_low"], row["ci_high"], color=colour, linewidth=2.4)
            axis.plot(
                row["gain"], -at, "o" if side in shown[-1:] else "D", color=colour, markersize=4.5
            )
        axis.axvline(0, color="0.5", linewidth=0.8)
        measure = found.sources.set_index("dataset")["measure"][name]
        axis.set_title(f"{short(name)} ({measure})", fontsize=8.5, loc="left")
        _finish(axis, shown)
    figure.supxlabel(
        "gain over the best single judge (the pool: small judges, or all where sizes are unknown)\n"
        f"{LEVEL}", fontsize=7.5,
    )  # fmt: skip
    return figure


def variants(found: Atlas) -> Figure:
    """Draw the gain of the pool's best trio under each rule and scale, a panel a source."""
    own = found.variants[found.variants["side"] == HEADLINE[0]]
    order = [name for name in found.sources["dataset"] if name in set(own["dataset"])]
    most = int(own.groupby("dataset").size().max())
    figure, axes = _panels(len(order), 7.6, 0.7 + 0.26 * most, share=False)
    for axis, name in zip(axes.flat, order, strict=False):
        rows = own[own["dataset"] == name]
        labels = [
            row["rule"] if row["scale"] == "as given" else f"{row['rule']}, {row['scale']}"
            for _, row in rows.iterrows()
        ]
        at = -np.arange(len(rows))
        axis.hlines(at, rows["ci_low"], rows["ci_high"], color=COLOURS["jury"], linewidth=2)
        axis.plot(rows["gain"], at, "D", color=COLOURS["jury"], markersize=4.5)
        axis.axvline(0, color="0.5", linewidth=0.8)
        axis.set_title(short(name), fontsize=8.5, loc="left")
        _finish(axis, labels)
    figure.supxlabel(
        "gain of the pool's best trio over the best judge (95% intervals)", fontsize=7.5
    )
    return figure


def trios(found: Atlas) -> Figure:
    """Draw the gain of all trios against their best member's lead and their error correlation."""
    figure = blank(7.6, 4.4)
    axes = figure.subplots(1, 2, sharey=True)
    names = list(dict.fromkeys(found.trios["dataset"]))
    labels = {
        "lead": "lead of the best member over the two others",
        "correlation": "mean correlation of the members' errors",
    }
    for axis, predictor in zip(axes, PREDICTORS, strict=True):
        for at, name in enumerate(names):
            own = found.trios[found.trios["dataset"] == name]
            axis.plot(
                own[predictor], own["gain"], MARKERS[at % len(MARKERS)],
                color=PALETTE[at % len(PALETTE)], markersize=4.2 if len(own) < 50 else 3,
                alpha=0.9 if len(own) < 50 else 0.45, linestyle="none",
                label=f"{short(name)} ({len(own)})",
            )  # fmt: skip
        if not np.isnan(found.model.error):
            _line(axis, found, predictor)
        axis.axhline(0, color="0.5", linewidth=0.8)
        axis.set_xlabel(labels[predictor], fontsize=8)
        axis.tick_params(labelsize=7.5)
        axis.grid(color="0.92")
        axis.set_axisbelow(True)
    axes[0].set_ylabel("gain of the trio over its best member", fontsize=8)
    handles, texts = axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside upper right", ncols=3, fontsize=7.5)
    slopes = found.model.table.set_index("term")
    said = ", ".join(
        f"{term} {slopes['estimate'][term]:.2f} [{slopes['ci_low'][term]:.2f}, "
        f"{slopes['ci_high'][term]:.2f}]"
        for term in PREDICTORS
    )
    note = "A point a trio; predictors and gain from different halves of the questions."
    if not np.isnan(found.model.error):
        note += (
            " Line: the model at the mean of the other predictor; slopes, leaving one source out: "
            f"{said}."
        )
    title = "What makes a jury better than its best member?"
    figure.suptitle(title, fontsize=10.5, x=0.01, ha="left")
    footnote(figure, note)
    return figure


def _line(axis: Axes, found: Atlas, predictor: str) -> None:
    """Draw the model's expectation along one predictor, at the mean of the other."""
    points = found.trios
    ends = np.array([points[predictor].min(), points[predictor].max()])
    means = points.groupby("dataset")[[*PREDICTORS]].mean().mean()
    middle = {name: float(means[name]) for name in PREDICTORS}
    y = [found.model.predict(**{**middle, predictor: float(x)}) for x in ends]
    axis.plot(ends, y, color="black", linewidth=1.2)


def _panels(
    number: int, wide: float, high: float, *, share: bool = True
) -> tuple[Figure, np.ndarray]:
    columns = 2
    rows = -(-number // columns)
    figure = blank(wide, high * rows + 0.5)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=share)
    for axis in axes.flat[number:]:
        axis.set_visible(False)
    return figure, axes


def _finish(axis: Axes, labels: list[str]) -> None:
    axis.locator_params(axis="x", nbins=5)
    axis.set_yticks([-at for at in range(len(labels))], labels, fontsize=7.5)
    axis.set_ylim(-len(labels) + 0.4, 0.6)
    axis.tick_params(labelsize=7.5)
    axis.grid(axis="x", color="0.92")
    axis.set_axisbelow(True)
