"""How figures look and what they show: width, fonts, colours, names, order, which voters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal
from warnings import catch_warnings, filterwarnings

import pandas as pd

from ...analysis.measured import headline_of
from ...errors import JuriesError, nearest

USUAL = "DejaVu Sans"  # comes with matplotlib
STYLES = {"single": ("print", "single"), "double": ("print",), "slide": ("print", "slide")}
VOTERS = ("voter", "judge", "other")  # columns of their names
MODELS = ("candidate", "model", "first", "second")
LONGEST_NAME = 40  # characters
ALWAYS = ("human", "reference")  # kinds that a choice of voters keeps


@dataclass(frozen=True)
class FigureOptions:
    """What is drawn, and how.

    Parameters
    ----------
    draw : {"all", "main", "none"}
        Which figures of an analysis; main: agreement, and the gains of juries.
    width : {"single", "double", "slide"} or float
        3.3, 6.9 or 12 inches, or inches.
    font : str, optional
        A family of fonts of this machine; by default DejaVu Sans.
    size : float, optional
        Of the text in points; by default 7.5, 8 or 16 by the width.
    formats : sequence of {"png", "pdf", "svg"}
        Files to write. The report shows PNGs, so they are always among them.
    theme : {"light", "dark"}
    colours : {"kind", "family"}
        Whether a judge has the colour of all judges or of its model family.
    order : {"strength", "given", "name"}
        Of the voters. String rules come last, but for `given`.
    names : mapping of str to str, optional
        Display names of voters, candidates and datasets.
    families : mapping of str to str, optional
        Model families of voters whose judges name none.
    voters : sequence of str
        Those to draw; by default all. Humans stay.
    captions : bool
        Whether a figure has a title, and its source beneath.
    missing : bool
        Whether the number of missing votes stands beside a voter's name.
    paper_table1 : str, optional
        CSV of the paper's printed kappas, drawn beside ours.

    Raises
    ------
    JuriesError
        If a number is out of range.
    """

    draw: Literal["all", "main", "none"] = "all"
    width: Literal["single", "double", "slide"] | float = "double"
    font: str | None = None
    size: float | None = None
    formats: tuple[Literal["png", "pdf", "svg"], ...] = ("png", "pdf")
    theme: Literal["light", "dark"] = "light"
    colours: Literal["kind", "family"] = "kind"
    order: Literal["strength", "given", "name"] = "strength"
    names: dict[str, str] | None = None
    families: dict[str, str] | None = None
    voters: tuple[str, ...] = ()
    captions: bool = True
    missing: bool = True
    paper_table1: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.width, str) and not 1.5 <= self.width <= 40:
            raise JuriesError(f"width: {self.width} inches; give 1.5 to 40, or single or double")
        if self.size is not None and not 3 <= self.size <= 60:
            raise JuriesError(f"size: {self.size} points; give 3 to 60")

    def name(self, name: str) -> str:
        """Return the display name of a voter, a candidate or a dataset."""
        return (self.names or {}).get(name, name)

    def check(self, voters: set[str]) -> None:
        """Raise JuriesError if one of the chosen voters is not among those of an analysis."""
        for one in self.voters:
            if one not in voters:
                raise JuriesError(
                    f"figures.voters: there is no voter {one!r}{nearest(one, sorted(voters))}"
                )

    def chosen(
        self,
        rows: pd.DataFrame,
        order: Mapping[str, int] | None = None,
        beside: Iterable[str] = (),
    ) -> pd.DataFrame:
        """Return the rows of the chosen voters, in order, under their display names.

        Parameters
        ----------
        rows : DataFrame
            Of one dataset, with columns of `VOTERS` or `MODELS`.
        order : mapping of str to int, optional
            The place of each voter, as of `placed`; by default as given.
        beside : iterable of str
            Models of another table that is drawn with this one, so that names are cut alike.

        Raises
        ------
        JuriesError
            If two voters or two models would have one name.
        """
        if self.voters:
            kept = rows["kind"].isin(ALWAYS) if "kind" in rows else False
            for column in set(VOTERS) & set(rows):
                rows = rows[rows[column].isin(self.voters) | kept]
        if "voter" in rows and self.order != "given" and (order or self.order == "name"):
            place = rows["voter"].map(order) if order else rows["voter"].map(self.name)
            rows = rows.loc[place.sort_values(kind="stable", na_position="last").index]
        for kind, more in ((VOTERS, ()), (MODELS, beside)):
            columns = [column for column in kind if column in rows]
            names = dict.fromkeys([*(name for c in columns for name in rows[c].unique()), *more])
            shown = self._displayed(names)
            rows = rows.assign(**{column: rows[column].replace(shown) for column in columns})
        return rows

    def _displayed(self, names: Iterable[object]) -> dict[str, str]:
        """Return what to write for each name: its display name, cut if it is long.

        Names cut to the same are numbered by what was cut, whatever their order in the columns.
        """
        shown = {name: self.name(name) for name in names if isinstance(name, str)}
        if twice := [name for name, count in Counter(shown.values()).items() if count > 1]:
            both = " and ".join(name for name in shown if shown[name] == twice[0])
            raise JuriesError(
                f"figures.names: {both} would both be called {twice[0]!r}; rename one"
            )
        cut = {
            raw: shortened(name, LONGEST_NAME // (1 if name.isascii() else 2))
            for raw, name in shown.items()
        }
        alike: Counter[str] = Counter()
        for raw in sorted(cut):
            alike[cut[raw]] += 1
            if cut[raw] != shown[raw] and (number := alike[cut[raw]]) > 1:
                cut[raw] = f"{cut[raw]} ({number})"
        return {raw: name for raw, name in cut.items() if raw != name}

    def placed(self, agreement: pd.DataFrame) -> dict[str, int]:
        """Return each voter's place in figures of one dataset, from its rows of `agreement`."""
        return {name: at for at, name in enumerate(self.ranked(agreement)["voter"])}

    def ranked(self, agreement: pd.DataFrame) -> pd.DataFrame:
        """Return rows of `agreement` of one dataset in order, string rules last."""
        if self.order == "given":
            return agreement
        lexical = agreement["kind"] == "lexical"
        key = (
            agreement["voter"].map(self.name)
            if self.order == "name"
            else -agreement[headline_of(agreement)]
        )
        order = pd.DataFrame({"lexical": lexical, "key": key}).sort_values(
            ["lexical", "key"], kind="stable", na_position="last"
        )
        return agreement.loc[order.index]

    @contextmanager
    def look(self, text: str = "") -> Iterator[str]:
        """Draw in this width, font and theme, names as they are; yield the signs that no font has.

        Without this, what stands between two $ is mathematics to matplotlib.

        Parameters
        ----------
        text : str
            All names that will be drawn, joined.

        Raises
        ------
        JuriesError
            If this machine has no such font.
        """
        from matplotlib import rc_context
        from matplotlib import style as matplotlib_style

        families, missing = fonts_for(text, self._font())
        own = {"text.parse_math": False, "font.family": families}
        with rc_context(), catch_warnings():
            filterwarnings("ignore", message="Glyph .* missing from font")
            named = self.width if isinstance(self.width, str) else _nearest_style(self.width)
            styles = [*STYLES[named], *(["dark"] if self.theme == "dark" else [])]
            matplotlib_style.use([f"llm_juries.{one}" for one in styles])
            with rc_context(own | _sizes(self.width, self.size)):
                yield missing

    def _font(self) -> str:
        if self.font is not None and self.font not in font_files():
            raise JuriesError(
                f"figures.font: this machine has no {self.font!r}{nearest(self.font, font_files())}"
            )
        return self.font or USUAL


def _nearest_style(width: float) -> str:
    return "single" if width < 5 else "double" if width < 9.5 else "slide"


SIZES = ("font.size", "axes.titlesize", "axes.labelsize", "legend.title_fontsize")
SMALLER = ("xtick.labelsize", "ytick.labelsize", "legend.fontsize")


def _sizes(width: str | float, size: float | None) -> dict[str, object]:
    """Return what a width in inches and a size of text change in a style."""
    from matplotlib import rcParams

    changed: dict[str, object] = {}
    if not isinstance(width, str):
        changed["figure.figsize"] = (width, 0.6 * width)
    if size is not None:
        scale = size / rcParams["font.size"]
        changed |= {name: scale * rcParams[name] for name in (*SIZES, *SMALLER)}
    return changed


def fonts_for(text: str, first: str = USUAL) -> tuple[list[str], str]:
    """Return the fonts that have the signs of a text, the given one first, and what none has."""
    missing = {sign for sign in set(text) - _signs(first) if sign.isprintable()}
    families = [first]
    for family in sorted(font_files()) if missing else ():
        if found := missing & _signs(family):
            families.append(family)
            missing -= found
        if not missing:
            break
    return families, "".join(sorted(missing))


@cache
def font_files() -> dict[str, str]:
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
        font = FT2Font(font_files()[family])
    except (KeyError, OSError, RuntimeError):
        return frozenset()
    return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()


def shortened(name: str, most: int = LONGEST_NAME) -> str:
    """Leave out the middle of a long name: similar names differ at their ends."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"
