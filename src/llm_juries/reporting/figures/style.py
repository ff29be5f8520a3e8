"""What all figures share: colours, markers, intervals, legends, footnotes, and saving to files.

On every figure a point has its interval or is hollow, what has no value is left out and listed
under the figure, and every source is named on the figure itself.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...files import file_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Okabe and Ito's palette: distinguishable by colour-blind readers and in print.
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
# The rest of that palette, for voters of one kind: black is the humans', its yellow is too pale.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MOST_NAMED = 6
USUAL = "DejaVu Sans"  # comes with matplotlib


def blank(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, whose parts do not overlap."""
    from matplotlib.figure import Figure  # not pyplot: no global state, no display

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write NAME.png (200 dpi) and NAME.pdf, the name made safe; return the PNG's path."""
    folder.mkdir(parents=True, exist_ok=True)
    name = file_name(name)
    for ending, metadata in (("pdf", {"CreationDate": None}), ("png", {"Software": None})):
        beside = folder / f".{name}.{ending}"
        figure.savefig(beside, format=ending, dpi=200, metadata=metadata)
        beside.replace(folder / f"{name}.{ending}")
    return folder / f"{name}.png"


@contextmanager
def names_as_written(names: str) -> Iterator[str]:
    """Draw names as they are, in fonts that have their signs; yield the signs that none has.

    Without this, what stands between two $ is mathematics to matplotlib.
    """
    from matplotlib import rc_context

    families, missing = fonts_for(names)
    with rc_context({"text.parse_math": False, "font.family": families}), catch_warnings():
        filterwarnings("ignore", message="Glyph .* missing from font")
        yield missing


def fonts_for(text: str) -> tuple[list[str], str]:
    """Return the fonts that have the signs of a text, the usual one first, and what none has."""
    missing = {sign for sign in set(text) - _signs(USUAL) if sign.isprintable()}
    families = [USUAL]
    for family in sorted(_files()) if missing else ():
        if found := missing & _signs(family):
            families.append(family)
            missing -= found
        if not missing:
            break
    return families, "".join(sorted(missing))


@cache
def _files() -> dict[str, str]:
    """Return a file of each of this machine's fonts, but for those with a box for every sign."""
    from matplotlib.font_manager import fontManager

    plain = ("normal", "regular", "book", 400)
    return {
        entry.name: entry.fname
        for entry in fontManager.ttflist
        if entry.style == "normal" and entry.weight in plain and "Last Resort" not in entry.name
    }


@cache
def _signs(family: str) -> frozenset[str]:
    """Return the signs that a font has; none of one that can't be drawn with."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(_files()[family])
    except (KeyError, OSError, RuntimeError):
        return frozenset()
    return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()


def legend(figure: Figure, kinds: pd.Series[str]) -> None:
    """Add a legend of the kinds of voters present, above the figure."""
    from matplotlib.lines import Line2D

    present = [kind for kind in COLOURS if kind in set(kinds)]
    handles = [
        Line2D([], [], color=COLOURS[k], marker=MARKERS[k], markersize=5, label=k) for k in present
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(present), fontsize=8)


def voter_colours(rows: pd.DataFrame) -> dict[str, str]:
    """Return each voter's colour: its kind's if it is the only one of that kind, else its own."""
    kinds = dict(zip(rows["voter"], rows["kind"], strict=True))
    counts = Counter(kinds.values())
    taken = {COLOURS[kind] for kind in counts if counts[kind] == 1}
    free = cycle([colour for colour in PALETTE if colour not in taken])
    return {
        voter: COLOURS[kind] if counts[kind] == 1 or kind == "human" else next(free)
        for voter, kind in kinds.items()
    }


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


def bars_by_kind(axis: Axes, rows: pd.DataFrame, value: str, low: str, high: str) -> None:
    """Draw a row a voter, upwards from 0, each in the colour of its kind."""
    at = np.arange(len(rows))
    for kind in COLOURS:
        own = (rows["kind"] == kind).to_numpy()
        if own.any():
            part = rows[own]
            bars(axis, part[value], part[low], part[high], at[own], kind)


def upright(
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


def heading(axis: Axes, title: str, note: str, wide: float) -> None:
    """Write a title over a panel and a note between them, in lines of about `wide` inches."""
    lines = textwrap.wrap(note, max(30, int(15.5 * wide)))
    axis.set_title(title + "\n" * len(lines), loc="left", fontsize=10, fontweight="bold")
    under = axis.text(0, 1.02, "\n".join(lines), transform=axis.transAxes, fontsize=7.5)
    under.set_in_layout(False)  # the title makes room for it; its width must not narrow the panel


def curves(figure: Figure, axis: Axes, title: str, note: str) -> None:
    """Finish a figure of one panel of lines: a heading, a grid and the lines' names beneath."""
    wide = figure.get_figwidth()
    axis.tick_params(labelsize=7.5)
    axis.grid(color="0.92")
    axis.set_axisbelow(True)
    heading(axis, title, note, wide - 1)
    longest = max((len(name) for name in axis.get_legend_handles_labels()[1]), default=0)
    columns = max(1, min(4, int(wide / (0.6 + 0.055 * longest))))
    figure.legend(loc="outside lower center", fontsize=7, ncols=columns)


def logarithmic(axes: Axes) -> None:
    """Make both axes logarithmic, with ticks in plain numbers.

    Matplotlib's own are powers of ten as mathematics, which `names_as_written` does not draw.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))


def hide_unused(axes: npt.NDArray[Any], used: int) -> None:
    """Hide unused panels; those above them get the tick labels instead."""
    for axis in axes.flat[used:]:
        axis.set_visible(False)
    for axis in axes.flat[max(0, used - axes.shape[1]) : used]:
        axis.tick_params(labelbottom=True)


def footnote(figure: Figure, *lines: str) -> None:
    """Write lines under the figure, wrapped to its width; empty ones are left out."""
    wide = int(16 * figure.get_figwidth())
    text = "\n".join(textwrap.fill(line, wide) for line in lines if line)
    figure.supxlabel(text, fontsize=8)


def hollow_note(rows: pd.DataFrame, low: str, high: str) -> str:
    """Return a note on hollow points if any row has no interval, else ""."""
    return "hollow: no interval" if rows[[low, high]].isna().any(axis=None) else ""


def named(note: str, names: Sequence[str]) -> str:
    """Return a note followed by names, "" if there are none."""
    return f"{note}: {some_of(names)}" if names else ""


def some_of(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def wrapped(name: str, wide: float) -> str:
    """Break a name into lines of about that many characters."""
    return textwrap.fill(name, max(10, int(wide)))


def shortened(name: str, most: int = 40) -> str:
    """Leave out the middle of a long name: similar names differ at their ends."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"
