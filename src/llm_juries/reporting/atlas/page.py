"""Write the atlas as files: tables/, figures/, README.md and index.html, which show both."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ...analysis.atlas.contrasts import HEADLINE
from ...analysis.atlas.summary import Atlas
from ...files import write_text
from ...markdown import markdown, texts
from .. import tables
from ..figures import FigureOptions, save
from ..templates import template
from .figures import draw
from .sentences import answer

DIGITS = 6  # of tables: sums in another order differ in later ones
TITLES = {
    "sources": ("The sources", "What is known of each source, its judges and its labels."),
    "contrasts": (
        "Gains on each source",
        "Both sides are chosen on other questions than they are measured on, and over the items on "
        "which both have a vote. ci: interval of that row; all: intervals that hold for all rows.",
    ),
    "summary": (
        "All sources together",
        "Random effects (Paule and Mandel; Hartung and Knapp); new: the prediction interval.",
    ),
    "left_out": (
        "Without one source",
        "The first row of the summary, one source left out at a time.",
    ),
    "variants": ("Other rules and scales", "Gains over the best judge, under each."),
    "model": (
        "What a trio's gain depends on",
        "gain = intercept + lead + correlation; intervals from leaving one source out.",
    ),
    "rules": ("Rules of thumb", "Learnt without a source, tried on it."),
    "published": (
        "Figures computed elsewhere",
        "Under their own definitions, and beside them the atlas's measure of the same voter.",
    ),
    "trios": ("All trios", "A row a trio; see tables/trios.csv."),
}
FIGURES = {"contrasts": ("forest", "sides"), "variants": ("rules_and_scales",), "model": ("trios",)}
LONG = ("trios",)
NARROW = {
    "sources": [
        "dataset", "licence", "measure", "items", "questions", "judges", "small", "large",
        "missing", "best", "best_value", "lead", "spread", "correlation_pool",
        "effective_votes_pool", "human_ceiling", "best_beside", "jury_beside", "not_seated",
    ],
    "contrasts": [
        "dataset", "side", "beside", "value", "beside_value", "gain", "ci_low", "ci_high",
        "all_low", "all_high", "verdict", "cost_ratio",
    ],
}  # fmt: skip
"""The columns that the pages show of wide tables."""
HERE = Path(__file__).parent


def write(
    found: Atlas,
    folder: Path,
    command: str = "make atlas",
    options: FigureOptions | None = None,
) -> list[Path]:
    """Write all files of the atlas into a folder; return the PNGs' paths."""
    options = options or FigureOptions()
    with options.look():
        drawn = {
            name: save(axes, folder / "figures", name, options.formats)
            for name, axes in draw(found, options).items()
        }
    for name, table in found.tables.items():
        tables.write(table.round(DIGITS), folder / "tables", name)
    said, shown = answer(found), set(drawn)
    write_text(folder / "README.md", _readme(found, said, command, shown))
    write_text(folder / "index.html", _html(found, said, command, shown))
    return list(drawn.values())


def _shown(name: str, table: pd.DataFrame) -> pd.DataFrame:
    return table[NARROW.get(name, list(table))]


def _sections(
    found: Atlas, drawn: set[str]
) -> list[tuple[str, str, str, pd.DataFrame, tuple[str, ...]]]:
    return [
        (name, *TITLES[name], _shown(name, found.tables[name]), _drawn(name, drawn))
        for name in TITLES
        if not found.tables[name].empty
    ]


def _drawn(table: str, drawn: set[str]) -> tuple[str, ...]:
    return tuple(name for name in FIGURES.get(table, ()) if name in drawn)


def _readme(found: Atlas, said: list[str], command: str, drawn: set[str]) -> str:
    parts = ["# The atlas: where do juries help?", f"Made by `{command}`; see `docs/atlas.md`."]
    parts += [*(["![forest](figures/forest.png)"] if "forest" in drawn else []), *said]
    for name, title, text, table, shown in _sections(found, drawn):
        parts += [f"## {title}", text]
        parts += [f"![{one}](figures/{one}.png)" for one in shown if one != "forest"]
        parts += [] if name in LONG else [markdown(table)]
    parts += ["## What to cite"]
    parts += [
        f"- {row['dataset']}: {row['citation']} ({row['licence']})."
        for _, row in found.sources.iterrows()
    ]
    return "\n\n".join(parts) + "\n"


def _html(found: Atlas, said: list[str], command: str, drawn: set[str]) -> str:
    sections = [
        {
            "title": title,
            "text": text,
            "figures": shown,
            "columns": [] if name in LONG else list(table),
            "rows": [] if name in LONG else [*zip(*texts(table), strict=True)],
            "file": f"tables/{name}.csv",
        }
        for name, title, text, table, shown in _sections(found, drawn)
    ]
    return template(HERE / "index.html.jinja").render(
        said=said,
        command=command,
        forest="forest" in drawn,
        sections=sections,
        sources=found.sources.to_dict("records"),
    )


def headline_table(found: Atlas) -> pd.DataFrame:
    """Return the gains of the headline's contrast, a row a source."""
    own = found.contrasts
    own = own[(own["side"] == HEADLINE[0]) & (own["beside"] == HEADLINE[1])]
    columns = [
        "dataset",
        "measure",
        "value",
        "beside_value",
        "gain",
        "ci_low",
        "ci_high",
        "verdict",
    ]
    return own[columns]
