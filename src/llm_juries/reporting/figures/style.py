"""What all figures share: where they are drawn, colours, intervals, captions, and saving to files.

On every figure a point has its interval or is hollow, and what has no value is left out and listed
under the figure. Sizes and colours are those of matplotlib's style in force, so that the figures
follow `plt.style.use("llm_juries.print")` as they follow a style sheet of one's own.
"""

from __future__ import annotations

import logging
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from inspect import signature
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import JuriesError
from ...files import file_name
from ...metrics.arrays import Array
from .options import FigureOptions

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MARKERS = {
    "judge": "o",
    "lexical": "s",
    "jury": "D",
    "human": "^",
    "reference": "P",
    "printed": "x",
}
WORDS = {"lexical": "string rule", "printed": "printed in the paper"}  # for a kind, in a legend
MOST_NAMED = 6
PLAIN = FigureOptions()
OTHER = "other judges"
GAP = 0.55  # rows between the string rules and the others


# Colours: those of the style in force


def palette() -> list[str]:
    """Return the colours of the style."""
    from matplotlib import rcParams
    from matplotlib.colors import to_hex

    return [to_hex(shade) for shade in rcParams["axes.prop_cycle"].by_key()["color"]]


def colour(kind: str) -> Any:
    """Return the colour of a kind of voters: the humans have that of the text."""
    shades = palette()
    own = {"judge": 0, "jury": 1, "reference": 2}
    if kind in own:
        return shades[own[kind] % len(shades)]
    return ink(0.5) if kind == "lexical" else ink()


def ink(share: float = 1.0) -> Any:
    """Return the colour of the text, thinned with that of the paper to a share."""
    from matplotlib import rcParams
    from matplotlib.colors import to_hex, to_rgb

    text, paper = np.array(to_rgb(rcParams["text.color"])), np.array(to_rgb(ground()))
    return to_hex(share * text + (1 - share) * paper)


def ground() -> Any:
    """Return the colour of the paper."""
    from matplotlib import rcParams

    return rcParams["axes.facecolor"]


def diverging() -> Any:
    """Return a colour map from the juries' colour over the paper's to the judges'."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("both", [colour("jury"), ground(), colour("judge")])


def rising() -> Any:
    """Return a colour map from the paper's colour to the judges'."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("up", [ground(), colour("judge")])


def readable(background: Any) -> str:
    """Return black or white, whichever is read better on a colour."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(background)
    return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"


def voter_colours(rows: pd.DataFrame) -> dict[str, Any]:
    """Return each voter's colour: its kind's if it is the only one of that kind, else its own."""
    kinds = dict(zip(rows["voter"], rows["kind"], strict=True))
    counts = Counter(kinds.values())
    taken = {colour(kind) for kind in counts if counts[kind] == 1}
    free = cycle([shade for shade in palette() if shade not in taken] or palette())
    return {
        voter: colour(kind) if counts[kind] == 1 or kind == "human" else next(free)
        for voter, kind in kinds.items()
    }


@dataclass(frozen=True)
class Shades:
    """The colours of voters in figures with a row each, and the legend that explains them.

    Attributes
    ----------
    of : mapping of str to colour
    handles : tuple of Artist
    """

    of: Mapping[str, Any]
    handles: tuple[Artist, ...]


def shades(rows: pd.DataFrame, options: FigureOptions) -> Shades:
    """Return the colours of rows with voter and kind: by kind, or of judges by family.

    Families beyond the style's colours are grey.
    """
    from matplotlib.lines import Line2D

    kinds = dict(zip(rows["voter"], rows["kind"], strict=True))
    marks = [kind for kind in MARKERS if kind in set(kinds.values())]

    def handle(label: str, shade: Any, marker: str) -> Line2D:
        line = "none" if marker == MARKERS["printed"] else "-"  # printed without an interval
        return Line2D([], [], color=shade, marker=marker, linestyle=line, label=label)

    families: dict[str, Any] = {}
    if options.colours == "family":
        shown = {options.name(voter): family for voter, family in (options.families or {}).items()}
        own = Counter(shown.get(voter, "") for voter, kind in kinds.items() if kind == "judge")
        named = [family for family, _ in own.most_common() if family]
        free = [one for one in palette() if one != colour("jury")]
        families = dict(zip(named, free, strict=False))
        if any(kind == "judge" for kind in kinds.values()) and len(own) > len(families):
            families[OTHER] = ink(0.5)
        of = {
            voter: families.get(shown.get(voter, ""), ink(0.5)) if kind == "judge" else colour(kind)
            for voter, kind in kinds.items()
        }
        marks = [kind for kind in marks if kind != "judge"]
    else:
        of = {voter: colour(kind) for voter, kind in kinds.items()}
    return Shades(
        of,
        (
            *(handle(family, shade, MARKERS["judge"]) for family, shade in families.items()),
            *(handle(WORDS.get(kind, kind), colour(kind), MARKERS[kind]) for kind in marks),
        ),
    )


# Sizes: of the style's text


def em() -> float:
    """Return the height of the style's text in inches."""
    return points("font.size") / 72


def small() -> float:
    """Return the size of notes and of numbers in cells, in points."""
    return points("legend.fontsize")


def points(key: str) -> float:
    """Return a size of text of the style in points; it may be given as a word."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    return float(FontProperties(size=rcParams[key] or "medium").get_size_in_points())


def wide(text: str, size: float | None = None) -> float:
    """Return about how many inches a text takes, in points of `size` or of the style."""
    signs = sum(1.0 if east_asian_width(sign) in "WF" else 0.58 for sign in text)
    return signs * (size / 72 if size else em())


def longest(names: Sequence[str], size: float | None = None) -> float:
    """Return the width of the longest of some names, in inches."""
    return max((wide(name, size) for name in names), default=0.0)


def fitting(name: str, room: float, size: float | None = None, *, end: bool = False) -> str:
    """Return a name whose middle, or end, is left out if it is wider than so many inches."""
    if wide(name, size) <= room:
        return name
    keep = max(3, int(len(name) * room / wide(name, size)) - 1)
    if end:
        return f"{name[:keep]}…"
    return f"{name[: (keep + 1) // 2]}…{name[len(name) - keep // 2 :]}"


def all_fitting(names: Sequence[str], room: float, size: float | None = None) -> list[str]:
    """Return names cut to so many inches, all still different.

    The middle is left out, or the end if more names differ then.
    """
    cut = [fitting(name, room, size) for name in names]
    ends = [fitting(name, room, size, end=True) for name in names]
    if len(set(ends)) > len(set(cut)):
        cut = ends
    before = [cut[:at].count(name) for at, name in enumerate(cut)]
    return [
        f"{name} ({alike + 1})" if alike else name for name, alike in zip(cut, before, strict=True)
    ]


def wrapped(text: str, room: float, size: float | None = None) -> str:
    """Break a text into lines of so many inches."""
    if not text:
        return ""
    signs = max(8, int(len(text) * room / max(wide(text, size), 1e-9)))
    return "\n".join(textwrap.wrap(text, signs, break_on_hyphens=False))


# Where a figure is drawn


def width_of(ax: Axes | None) -> float:
    """Return the inches that axes have for themselves and their labels; None: a figure's."""
    from matplotlib import rcParams

    if ax is None:
        return float(rcParams["figure.figsize"][0])
    spec = ax.get_subplotspec()
    share = len(spec.colspan) / spec.get_gridspec().ncols if spec else 0.8
    return whole(ax).get_figwidth() * share


def whole(ax: Axes) -> Figure:
    """Return the figure that axes are in, whatever part of it."""
    figure = ax.get_figure(root=True)
    assert figure is not None  # noqa: S101 - axes have a figure until they are removed
    return figure


class Sheet:
    """Where one figure is drawn: a figure of its own, or a user's axes.

    A figure of its own has the width of the style, a title, a legend and notes. On a user's axes
    there is a title and a legend only, since the page around them is the user's.

    Parameters
    ----------
    ax : Axes, optional
    height : float
        Inches of the panels, without title, legend and notes.
    options : FigureOptions, optional

    Attributes
    ----------
    ax : Axes
        To return: the user's, or those of the figure.
    width : float
        Inches there are.
    """

    def __init__(self, ax: Axes | None, height: float, options: FigureOptions | None) -> None:
        from matplotlib.figure import Figure  # not pyplot: no global state, no display

        self.options = options or PLAIN
        self.width = width_of(ax)
        self._part: Figure | SubFigure | None = None
        self._owned = ax is None
        if ax is None:
            self._part = Figure(figsize=(self.width, height), layout="constrained")
            ax = self._part.add_subplot()
        self.ax = ax

    def panels(self, lines: int, columns: int, **how: Any) -> npt.NDArray[Any]:
        """Divide the axes into panels, as `subplots` does; the axes themselves become invisible."""
        spec = self.ax.get_subplotspec()
        if spec is None:
            raise JuriesError("ax: is not of plt.subplots(), so that it can't be divided in panels")
        self.ax.set_axis_off()
        self.ax.set_in_layout(False)
        self._part = whole(self.ax).add_subfigure(spec)
        made: npt.NDArray[Any] = self._part.subplots(lines, columns, squeeze=False, **how)
        return made

    @property
    def part(self) -> Any:
        """The figure or part of one that the panels are in."""
        return self._part or self.ax.figure

    def head(self, title: str, handles: Sequence[Artist] = ()) -> None:
        """Write a title and a legend above the panels, and make the figure as much taller."""
        from matplotlib import rcParams

        title = title if self.options.captions else ""
        if not title and not handles:
            return
        labels = [str(handle.get_label()) for handle in handles]
        labels = all_fitting(labels, self.width - 0.6, small())
        room = longest(labels, small()) + 4.2 * small() / 72
        columns = max(1, min(len(labels), int(self.width / room)))
        if self._part is None:
            self.ax.set_title(title)
            if handles:
                below = {"bbox_to_anchor": (0, 1.0), "loc": "lower left", "ncols": columns}
                self.ax.legend(list(handles), labels, **below)
                rows = -(-len(labels) // columns)
                self.ax.set_title(title, pad=4 + 1.45 * small() * rows)
            return
        size = points("legend.title_fontsize")
        heading = wrapped(title, self.width, size)
        self._part.legend(
            list(handles),
            labels,
            title=heading or None,
            title_fontproperties={
                "weight": "bold",
                "size": size,
                "family": rcParams["font.family"],
            },
            alignment="left",
            loc="outside upper left",
            ncols=columns,
        )
        if self._owned:
            rows = -(-len(labels) // columns)
            lines = heading.count("\n") + bool(heading)
            self._grow(lines * 1.5 * em() + rows * 1.5 * small() / 72 + 0.04)

    def foot(self, source: str, *remarks: str, label: str = "") -> None:
        """Write notes under the panels: a label of their axes, remarks, and the source.

        Remarks say what is left out, so they stand there without captions, too.
        """
        lines = [*remarks, *(source.splitlines() if self.options.captions else ())]
        text = "\n".join(wrapped(line, self.width - 0.1, small()) for line in lines if line)
        if self._part is None:
            return
        if label:
            head = wrapped(label, self.width - 0.2)
            text = f"{head}\n{text}".rstrip("\n")
        if text:
            self._part.supxlabel(text, fontsize=small(), x=0.01, ha="left", linespacing=1.25)
            if self._owned:
                self._grow((text.count("\n") + 1) * 1.45 * small() / 72 + 0.04)

    def _grow(self, inches: float) -> None:
        figure = whole(self.ax)
        figure.set_figheight(figure.get_figheight() + inches)


def save(ax: Axes, folder: Path, name: str, formats: Sequence[str] = ("png", "pdf")) -> Path:
    """Write the figure of some axes as NAME in each format; return the PNG's path.

    The name is made safe, and PNG always written.

    The layout is settled once: to do so for each format takes longer than to draw.
    """
    from matplotlib import rc_context

    folder.mkdir(parents=True, exist_ok=True)
    name, figure = file_name(name), whole(ax)
    settle(figure)
    share_fonts()
    # A style may give a figure without a layout engine one of its own while it is written.
    with rc_context(NO_LAYOUT):
        for ending in dict.fromkeys(("png", *formats)):
            beside = folder / f".{name}.{ending}"
            figure.savefig(beside, format=ending, metadata=DATELESS[ending])
            beside.replace(folder / f"{name}.{ending}")
    return folder / f"{name}.png"


def warm_up() -> None:
    """Draw a figure that nobody sees, so that all it takes is imported and the fonts are read."""
    with PLAIN.look():
        sheet = Sheet(None, 1, PLAIN)
        sheet.ax.plot([0, 1], "o", label="a")
        curves(sheet, "a", "a")
        figure = whole(sheet.ax)
        settle(figure)
        share_fonts()
        for ending in PLAIN.formats:
            figure.savefig(BytesIO(), format=ending)


@cache
def share_fonts() -> None:
    """Let the PDFs of this process share what they embed of a font: else a fifth of drawing.

    Each gets all of ASCII, so that most have the same part, which is made once. It lacks the tables
    that lay text out, as matplotlib has done that. A matplotlib that parts fonts in another way
    does as it does. fontTools logs every table of every font as information, which is nothing to a
    user.
    """
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    from fontTools.subset import Options
    from matplotlib.backends import _backend_pdf_ps as backend
    from matplotlib.font_manager import get_font

    Options._drop_tables_default = [*Options._drop_tables_default, "GSUB", "GPOS", "GDEF", "kern"]
    part_of = getattr(backend, "get_glyphs_subset", None)
    if part_of is None or list(signature(part_of).parameters) != ["fontfile", "glyphs"]:
        return

    @cache
    def ascii_glyphs(font: Any) -> frozenset[int]:
        glyphs = get_font(font).get_charmap()
        return frozenset(glyphs[sign] for sign in range(0x20, 0x7F) if sign in glyphs)

    @cache
    def shared(font: Any, glyphs: frozenset[int]) -> Any:
        return part_of(font, set(glyphs)).__enter__()  # and never closed

    backend.get_glyphs_subset = lambda fontfile, glyphs: nullcontext(
        shared(fontfile, ascii_glyphs(fontfile).union(glyphs))
    )


def settle(figure: Figure) -> None:
    """Lay out a figure once and for all.

    Then it has no layout engine at all. With "none" it would have a placeholder, for which
    matplotlib draws each figure twice when it writes it.
    """
    from matplotlib import rc_context

    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        with rc_context(NO_LAYOUT):
            figure.set_layout_engine(None)


NO_LAYOUT = {"figure.autolayout": False, "figure.constrained_layout.use": False}
DATELESS = {"pdf": {"CreationDate": None}, "png": {"Software": None}, "svg": {"Date": None}}
"""So that the same figure has the same bytes."""


# Points and panels


def row_places(kinds: Sequence[str]) -> Array:
    """Return the height of each row, the first the highest, string rules at the end set apart."""
    apart = np.cumsum([GAP * (b == "lexical" != a) for a, b in zip(["", *kinds], kinds)])  # noqa: B905
    apart = apart - (apart[0] if len(apart) else 0)
    down = np.arange(len(kinds)) + apart
    return np.asarray(down.max(initial=0) - down, dtype=float)


def bars(
    axis: Axes,
    value: pd.Series[float],
    low: pd.Series[float],
    high: pd.Series[float],
    at: Array,
    shade: Any,
    marker: str,
) -> None:
    """Draw values with their intervals, each at its height; hollow where there is no interval."""
    axis.hlines(at, low, high, color=shade)
    axis.plot(value, at, marker, color=shade)
    bare = (low.isna() | high.isna()).to_numpy()
    if bare.any():
        axis.plot(value[bare], at[bare], marker, color=shade, mfc=ground())


def bars_by_voter(
    axis: Axes, rows: pd.DataFrame, at: Array, columns: tuple[str, str, str], colours: Shades
) -> None:
    """Draw a row a voter at its height, in its colour, with the mark of its kind."""
    shade = rows["voter"].map(colours.of).astype(str).to_numpy()
    looks = pd.Series(list(zip(shade, rows["kind"], strict=True)), index=rows.index)
    for look in dict.fromkeys(looks):
        own = (looks == look).to_numpy()
        value, low, high = (rows[column][own] for column in columns)
        bars(axis, value, low, high, at[own], look[0], MARKERS[look[1]])


def name_rows(axis: Axes, at: Array, labels: Sequence[str], kinds: Sequence[str]) -> None:
    """Write a label beside each row, and part string rules from the others by a line."""
    axis.set_yticks(at, labels)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(-0.6, at.max(initial=0) + 0.6)
    for above, below, a, b in zip(at, at[1:], kinds, kinds[1:]):  # noqa: B905
        if b == "lexical" != a:
            axis.axhline((above + below) / 2, color=ink(0.25), linewidth=0.5)
    axis.grid(axis="x")


def row_height() -> float:
    """Return the inches of a row with a label."""
    return 1.75 * em()


def upright(
    axis: Axes,
    x: pd.Series[float],
    value: pd.Series[float],
    low: pd.Series[float],
    high: pd.Series[float],
    *,
    shade: Any,
    marker: str,
    label: str,
) -> None:
    """Draw values with upright intervals; hollow where there is no interval."""
    axis.vlines(x, low, high, color=shade, linewidth=0.9, alpha=0.75)
    axis.plot(x, value, marker, color=shade, label=label)
    bare = low.isna() | high.isna()
    if bare.any():
        axis.plot(x[bare], value[bare], marker, color=shade, mfc=ground())


def curves(sheet: Sheet, title: str, note: str, *remarks: str) -> None:
    """Finish a figure of one panel of lines: a heading, a grid and the lines' names."""
    sheet.ax.grid()
    handles, _ = sheet.ax.get_legend_handles_labels()
    sheet.head(title, handles)
    sheet.foot(note, *remarks)


def logarithmic(axes: Axes) -> None:
    """Make both axes logarithmic, with ticks in plain numbers.

    Matplotlib's own are powers of ten as mathematics, which a figure's names are not.
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


def grid_of(panels: int, across: float, width: float) -> tuple[int, int]:
    """Return the lines and columns of panels so wide on a figure, the last line well filled."""
    lines = -(-panels // max(1, int(width // across)))
    return lines, -(-panels // lines)


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
