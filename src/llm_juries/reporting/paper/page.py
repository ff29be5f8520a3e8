"""Write the reproduction as files: its tables, its figures, and a README.md that shows both."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ...files import write_text
from ...markdown import markdown
from .. import tables
from .figures import draw
from .inputs import SEPARATOR
from .reproduction import Reproduction
from .tables import NOT_MEASURED


def write(found: Reproduction, folder: Path) -> list[Path]:
    """Write tables/, figures/ and README.md, which shows both; return the PNGs' paths."""
    drawn = draw(found, folder / "figures")
    for name, table in found.tables.items():
        tables.write(table, folder / "tables", name)
    parts = [
        "# The paper's results beside ours",
        'Made by `make reproduce`. Printed numbers are those of "Replacing Judges with Juries" '
        "(arXiv 2404.18796), which prints no intervals. Ours are cluster-robust over questions, "
        "and of ranks and correlations simultaneous bounds.",
        *(f"- {dataset}: {source}." for dataset, source in found.sources.items()),
    ]
    for name, (title, text) in SECTIONS.items():
        parts += [f"## {title}", text]
        if name in found.tables:
            parts += _shown(found.tables[name])
        shown = [path for path in drawn if path.stem.startswith(FIGURES.get(name, (name,)))]
        parts += [f"![{path.stem}](figures/{path.name})" for path in shown]
    write_text(folder / "README.md", "\n\n".join(parts) + "\n")
    return drawn


SECTIONS = {
    "table1_kappa": (
        "Table 1 and Figure 1: agreement with humans",
        "Cohen's kappa with the human labels. In the paper the jury agrees most on two of three "
        "datasets; on HotpotQA one judge, Haiku, agrees more than the jury.",
    ),
    "figure1_ranks": (
        "Figure 1, top: the models' ranks under each judge",
        "Ranked by mean score; for pairs by strength.",
    ),
    "table2_ranking": (
        "Table 2 and Figure 2: agreement with a reference ranking",
        "The paper ranks nine models on Chatbot Arena Hard and compares with the Chatbot Arena "
        'leaderboard. Its "Pearson" is on ranks, so it is Spearman\'s correlation.',
    ),
    "table3_prompts": (
        "Table 3: one judge under several prompts",
        "The paper varies the prompt of GPT-4 on KILT NQ. Rows without a variant are prompts that "
        "the paper did not try.",
    ),
    "figures3_4_spread": (
        "Figures 3 and 4: each model's accuracy under a judge, less that under humans",
        "The paper prints the spread on its multi-hop sets: a standard deviation of 2.2 points for "
        "the jury, the smallest, and 6.1 for GPT-3.5, the largest; each judge's highest delta is "
        "for its own model. `sd` and `delta` are in percentage points.",
    ),
    "figure5_cost": (
        "Figure 5 and section 4.5: cost",
        "Dollars a million tokens at list prices of April 2024; ours are those in `conf/judge`.",
    ),
}
FIGURES = {
    "table1_kappa": ("figure1_kappa",),
    "figure1_ranks": ("figure1_ranks",),
    "table2_ranking": ("figure2",),
    "figures3_4_spread": ("figures3_4",),
}


def _shown(table: pd.DataFrame) -> list[str]:
    """Return a table as Markdown, its column `differs` as a list below it."""
    if "differs" not in table:
        return [markdown(table)]
    said = dict.fromkeys(
        part for text in table["differs"] for part in text.split(SEPARATOR) if part
    )
    shown = [markdown(table.drop(columns="differs"))]
    lines = [f"- {text}" for text in said if text != NOT_MEASURED]
    if lines:
        shown.append("How ours differ from the paper's:\n\n" + "\n".join(lines))
    if NOT_MEASURED in said:
        shown.append("Rows without ours were not measured: the store has no such verdicts.")
    return shown
