"""The atlas's figures: gains as a forest, sides and rules of each source, and the map of trios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...analysis.atlas.contrasts import HEADLINE, SIDES
from ...analysis.atlas.summary import Atlas
from ...analysis.atlas.trios import PREDICTORS
from ..figures import FigureOptions
from ..figures.style import (
    PLAIN,
    Sheet,
    all_fitting,
    colour,
    em,
    ground,
    ink,
    palette,
    row_height,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "osD^vP"
LEVEL = "thick: 95% intervals; thin: those that hold for all comparisons at once"
PANELS = (HEADLINE, ("best trio of all", "best judge"))
TITLES = ("best trio of small judges", "best trio of any judges")


def short(dataset: str) -> str:
    """Return a dataset's name without what all have in common."""
    return dataset.removeprefix("recorded_")


def draw(found: Atlas, options: FigureOptions | None = None) -> dict[str, Axes]:
    """Draw the figures, by name; `draw: main` draws the forest plot only."""
    options = options or PLAIN
    makers: dict[str, Callable[..., Axes]] = {"forest": forest}
    if options.draw == "all":
        makers["sides"] = sides
        if not found.trios.empty:
            makers["trios"] = trios
        if not found.variants.empty:
            makers["rules_and_scales"] = variants
    if options.draw == "none":
        return {}
    return {name: made(found, options=options) for name, made in makers.items()}


def forest(found: Atlas, ax: Axes | None = None, *, options: FigureOptions | None = None) -> Axes:
    """Draw the gain of the best trio over the best judge on each source, and their summary.

    `ax` is divided in two.
    """
    order = list(found.sources["dataset"])
    unknown = set(found.sources["dataset"][found.sources["pool"] != "small"])
    rows = [*order, "mean over sources", "a new source"]
    sheet = Sheet(ax, row_height() * len(rows) + 4.4 * em(), options)
    axes = sheet.panels(1, 2, sharex=True, sharey=True)[0]
    for axis, (side, other), title in zip(axes, PANELS, TITLES, strict=True):
        own = found.contrasts
        own = own[(own["side"] == side) & (own["beside"] == other)].set_index("dataset")
        for at, name in enumerate(order):
            if name in own.index:
                _gain(axis, own.loc[name], -at, colour("jury"), "D", hollow=name in unknown)
            else:
                axis.text(0, -at, "no trio", va="center", ha="center", color=ink(0.6))
        summed = found.summary
        (mean,) = summed[(summed["side"] == side) & (summed["beside"] == other)].to_dict("records")
        at = -len(order)
        axis.hlines(at, mean["ci_low"], mean["ci_high"], color=ink(), linewidth=2.6)
        axis.plot(mean["gain"], at, "s", color=ink())
        axis.hlines(at - 1, mean["new_low"], mean["new_high"], color=ink())
        axis.axhline(at + 0.5, color=ink(0.2), linewidth=0.8)
        axis.set_title(title)
        _rows(axis, sheet, list(map(short, rows)))
    sheet.head("Does a jury of three agree more with the labels than the best judge?")
    sheet.foot(
        "Agreement beyond chance: kappa, Pearson's r, or picks of the best of four corrected for "
        "chance. Trio and judge are chosen and measured on different questions. Open: the sizes "
        "of that source's judges are not stated, so its trio is of any. Mean: random effects, "
        "sources that share questions count once. A new source: prediction interval.",
        LEVEL,
        label="gain over the best single judge",
    )
    return sheet.ax


def sides(found: Atlas, ax: Axes | None = None, *, options: FigureOptions | None = None) -> Axes:
    """Draw the gain of each side over the best judge, a panel a source; `ax` is divided."""
    order = list(found.sources["dataset"])
    shown = [*SIDES, "best of the pool"]
    sheet = Sheet(ax, -(-len(order) // 2) * (row_height() * len(shown) + 2.6 * em()), options)
    axes = _panels(sheet, len(order), sharey=True)
    measures = found.sources.set_index("dataset")["measure"]
    for axis, name in zip(axes, order, strict=True):
        own = found.contrasts
        own = own[(own["dataset"] == name) & (own["beside"] == "best judge")].set_index("side")
        for at, side in enumerate(shown):
            if side in own.index:
                kind, marker = ("judge", "o") if side in shown[-1:] else ("jury", "D")
                _gain(axis, own.loc[side], -at, colour(kind), marker)
        axis.set_title(f"{short(name)} ({measures[name]})")
        _rows(axis, sheet, shown)
    sheet.head("Gain of each side over the best single judge")
    pool = "the pool: small judges, or all where sizes are unknown"
    sheet.foot("", LEVEL, label=f"gain over the best single judge ({pool})")
    return sheet.ax


def variants(found: Atlas, ax: Axes | None = None, *, options: FigureOptions | None = None) -> Axes:
    """Draw the gain of the pool's best trio under each rule and scale; `ax` is divided."""
    own = found.variants[found.variants["side"] == HEADLINE[0]]
    order = [name for name in found.sources["dataset"] if name in set(own["dataset"])]
    most = int(own.groupby("dataset").size().max())
    sheet = Sheet(ax, -(-len(order) // 2) * (row_height() * most + 3.4 * em()), options)
    for axis, name in zip(_panels(sheet, len(order)), order, strict=True):
        rows = own[own["dataset"] == name]
        labels = [
            row["rule"] if row["scale"] == "as given" else f"{row['rule']}, {row['scale']}"
            for _, row in rows.iterrows()
        ]
        at = -np.arange(len(rows))
        axis.hlines(at, rows["ci_low"], rows["ci_high"], color=colour("jury"), linewidth=2)
        axis.plot(rows["gain"], at, "D", color=colour("jury"))
        axis.set_title(short(name))
        _rows(axis, sheet, labels)
    sheet.head("Other rules and scales")
    sheet.foot("", label="gain of the pool's best trio over the best judge (95% intervals)")
    return sheet.ax


def trios(found: Atlas, ax: Axes | None = None, *, options: FigureOptions | None = None) -> Axes:
    """Draw the gain of all trios against their best member's lead and their error correlation.

    `ax` is divided in two.
    """
    sheet = Sheet(ax, 28 * em(), options)
    axes = sheet.panels(1, 2, sharey=True)[0]
    names = list(dict.fromkeys(found.trios["dataset"]))
    shades = palette()
    labels = {
        "lead": "lead of the best member over the two others",
        "correlation": "mean correlation of the members' errors",
    }
    for axis, predictor in zip(axes, PREDICTORS, strict=True):
        for at, name in enumerate(names):
            own = found.trios[found.trios["dataset"] == name]
            axis.plot(
                own[predictor], own["gain"], MARKERS[at % len(MARKERS)],
                color=shades[at % len(shades)], markersize=4.2 if len(own) < 50 else 3,
                alpha=0.9 if len(own) < 50 else 0.45, linestyle="none",
                label=f"{short(name)} ({len(own)})",
            )  # fmt: skip
        if not np.isnan(found.model.error):
            _line(axis, found, predictor)
        axis.axhline(0, color=ink(0.5), linewidth=0.8)
        axis.set_xlabel(wrapped(labels[predictor], 0.42 * sheet.width))
        axis.grid()
    axes[0].set_ylabel("gain of the trio over its best member")
    handles, _ = axes[0].get_legend_handles_labels()
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
    sheet.head("What makes a jury better than its best member?", handles)
    sheet.foot(note)
    return sheet.ax


def _line(axis: Axes, found: Atlas, predictor: str) -> None:
    """Draw the model's expectation along one predictor, at the mean of the other."""
    points = found.trios
    ends = np.array([points[predictor].min(), points[predictor].max()])
    means = points.groupby("dataset")[[*PREDICTORS]].mean().mean()
    middle = {name: float(means[name]) for name in PREDICTORS}
    y = [found.model.predict(**{**middle, predictor: float(x)}) for x in ends]
    axis.plot(ends, y, color=ink())


def _gain(
    axis: Axes, row: Any, at: float, shade: str, marker: str, *, hollow: bool = False
) -> None:
    """Draw a gain with its own interval, thick, and the one that holds for all at once, thin."""
    axis.hlines(at, row["all_low"], row["all_high"], color=shade, linewidth=0.8)
    axis.hlines(at, row["ci_low"], row["ci_high"], color=shade, linewidth=2.5)
    axis.plot(row["gain"], at, marker, color=shade, mfc=ground() if hollow else shade)


def _panels(sheet: Sheet, number: int, *, sharey: bool = False) -> Sequence[Axes]:
    """Divide a sheet into two columns of panels, and return as many as are used."""
    axes = sheet.panels(-(-number // 2), 2, sharey=sharey).flat
    for axis in axes[number:]:
        axis.set_visible(False)
    return list(axes[:number])


def _rows(axis: Axes, sheet: Sheet, labels: list[str]) -> None:
    axis.locator_params(axis="x", nbins=5)
    shown = all_fitting(labels, 0.28 * sheet.width)
    axis.set_yticks([-at for at in range(len(labels))], shown)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(-len(labels) + 0.4, 0.6)
    axis.axvline(0, color=ink(0.5), linewidth=0.8)
    axis.grid(axis="x")
