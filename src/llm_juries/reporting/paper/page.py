"""Write the reproduction as files: its tables, its figures, and a README.md that shows both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ... import escaping
from ...files import write_text
from ...markdown import markdown
from .. import tables
from ..figures import Drawers, Drawn, FigureOptions
from .figures import draw
from .inputs import SEPARATOR
from .reproduction import Reproduction
from .tables import NOT_MEASURED


def write(
    found: Reproduction,
    folder: Path,
    state: Sequence[str] = (),
    options: FigureOptions | None = None,
    drawers: Drawers | None = None,
) -> Drawn:
    """Write tables/, figures/ and README.md, which shows both; return the PNGs' paths.

    `state` are lines on what is missing, which stand at the top.
    """
    options = options or FigureOptions()
    drawn = draw(found, folder / "figures", options, drawers)
    for name, table in found.tables.items():
        tables.write(table, folder / "tables", name, options.names)
    parts = [
        "# The paper's results beside ours",
        f"Made by `{found.settings.command}`. Printed numbers are those of "
        '"Replacing Judges with Juries" (arXiv 2404.18796), which prints no intervals. Ours are '
        "cluster-robust over questions, and of ranks and correlations simultaneous bounds.",
        "\n".join(
            f"- {escaping.markdown(f'{dataset}: {text}')}."
            for dataset, text in found.facts.datasets.items()
        ),
        PAPER,
        *(["\n".join(f"- {escaping.markdown(line)}" for line in state)] if state else []),
    ]
    for name, (title, text) in SECTIONS.items():
        parts += [f"## {title}", text]
        if name in found.tables:
            parts += _shown(name, found)
        parts += [
            f"![{escaping.image(shows)}](figures/{path.name})"
            for path, shows in zip(drawn, drawn.shows, strict=True)
            if path.stem.startswith(FIGURES.get(name, (name,)))
        ]
    write_text(folder / "README.md", "\n\n".join(part for part in parts if part) + "\n")
    return drawn


PAPER = (
    "The paper's own answers are those of seven models from numbered documents, at least nine of "
    "them; its retriever, the number of documents, the revisions of its models and the size of its "
    "samples are not printed, and its human labels were never released. Below each table stands "
    "how ours differ, written from what was asked and what came back."
)
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
        "Dollars a million tokens; the paper's are list prices of April 2024.",
    ),
}
FIGURES = {
    "table1_kappa": ("figure1_kappa",),
    "figure1_ranks": ("figure1_ranks",),
    "table2_ranking": ("figure2",),
    "figures3_4_spread": ("figures3_4",),
}


def _shown(name: str, found: Reproduction) -> list[str]:
    """Return a table as Markdown, its column `differs` as a list below it.

    A judge that is not the paper's own is shown as what it is, in the place of the paper's.
    """
    table = found.tables[name]
    if "differs" not in table:
        return [markdown(table), _whose_prices(found)]
    stand_ins = found.settings.stand_ins
    ours, where = ("our_judge", "our_dataset") if "our_judge" in table else ("voter", "dataset")
    shown = table.drop(columns="differs")
    shown[ours] = [
        found.facts.called(judge, dataset, stand_ins) if isinstance(judge, str) else ""
        for judge, dataset in zip(table[ours], table[where], strict=True)
    ]
    if ours == "our_judge":
        shown = shown.rename(columns=PRINTED)
    if "reference" in shown:
        shown["reference"] = [Path(name).stem for name in table["reference"].fillna("")]
    said = dict.fromkeys(
        part for text in table["differs"] for part in text.split(SEPARATOR) if part
    )
    parts = [markdown(shown)]
    above = {f"{dataset}: {text}" for dataset, text in found.facts.datasets.items()}
    own = (text for text in said if text not in above and not text.startswith(NOT_MEASURED))
    lines = [f"- {escaping.markdown(text)}" for text in own]
    if lines:
        parts.append("How ours differ from the paper's:\n\n" + "\n".join(lines))
    empty = [text.removeprefix(NOT_MEASURED) for text in said if text.startswith(NOT_MEASURED)]
    if empty:
        parts.append(f"Rows without ours: {'; '.join(empty)}.")
    return parts


def _whose_prices(found: Reproduction) -> str:
    """Return in words whose prices ours are."""
    if found.facts.prices:
        return "Ours are the prices of the models that were asked here."
    if found.settings.prices:
        return "Ours are list prices in `conf/judge` of models that were not asked here."
    return "No model with a price was asked here."


PRINTED = {"judge": "paper_judge", "dataset": "paper_dataset", "prompt_variant": "paper_prompt"}
"""What the columns of the paper's own names are called on the page."""
