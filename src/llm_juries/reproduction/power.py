"""Power first: how many questions each table needs to show the differences that the paper prints.

The error of a difference is that of a pilot: recorded verdicts that come with the package, of other
judges on other answers. It falls with the root of the number of questions; see `metrics.power`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from ..markdown import markdown
from ..metrics.power import questions_needed
from ..reporting.paper import Paper
from .protocol import Protocol

SPREADS = {"PoLL": 2.2, "GPT-3.5": 6.1}
"""The standard deviations that the paper prints of Figures 3 and 4, in points."""


class Pilot(NamedTuple):
    """The standard error of a difference between two voters, on so many questions."""

    error: float
    questions: float


# Of the recorded verdicts that come with the package; the tests compute them again from these.
JURY_BESIDE_JUDGE = Pilot(0.016882650, 301)  # NQ-301: kappa of nq301_trio less that of gpt_4
TWO_PROMPTS = Pilot(0.018843380, 877)  # LLMBar: GPT-4 under Metrics_Reference and Vanilla_NoRules
TWO_SPREADS = Pilot(0.007775444, 301)  # NQ-301: spread of nq301_trio less that of gpt_4


def needed(protocol: Protocol, paper: Paper) -> pd.DataFrame:
    """Return how many questions it takes to find each of the paper's differences.

    Returns
    -------
    DataFrame
        A row a difference: table, on, first, second (str); difference, that of the paper (float);
        questions_needed, with a power of 80% at the level 95% (float); planned, the questions of
        the experiment (float, NaN without any).
    """
    planned = {
        part.options.stands_for: part.questions
        for part in protocol.parts
        if part.options.stands_for
    }
    rows = [*_table1(paper, planned), *_table3(paper, planned)]
    multi_hop = [p.questions for p in protocol.parts if "figures3_4" in p.options.feeds]
    first, second = SPREADS.items()
    fewest = min((questions for questions in multi_hop if questions), default=None)
    rows.append(
        _row(
            "figures 3, 4", "multi-hop", f"sd of {first[0]}", second[0],
            (first[1] - second[1]) / 100, TWO_SPREADS, fewest,
        )
    )  # fmt: skip
    return pd.DataFrame(rows)


def printed(protocol: Protocol, paper: Paper) -> str:
    """Return the table of `needed` with what it rests on, as text."""
    table = needed(protocol, paper)
    shown = table.astype(object)
    for column in ("questions_needed", "planned"):
        shown[column] = [_count(value) for value in table[column]]
    shown["difference"] = [f"{value:+.3f}" for value in table["difference"]]
    return (
        "Questions that show the paper's differences with a power of 80%:\n\n"
        f"{markdown(shown)}\n\n"
        "The errors are those of recorded verdicts (NQ-301: a jury beside GPT-4 on 12 candidates; "
        "LLMBar: GPT-4 under two prompts). Table 2's correlations are over nine models: more "
        "models, not more questions, tell 0.917 from 0.817."
    )


def _table1(paper: Paper, planned: Mapping[str, int | None]) -> Iterator[dict[str, object]]:
    for dataset, rows in paper.read("table1").groupby("dataset", sort=False):
        kappa = dict(zip(rows["judge"], map(float, rows["kappa"]), strict=True))
        singles = [judge for judge in kappa if judge not in ("PoLL", "EM", "GPT-4")]
        for other in ("GPT-4", max(singles, key=kappa.__getitem__)):
            gap = kappa["PoLL"] - kappa[other]
            yield _row(
                "1", str(dataset), "PoLL", other, gap, JURY_BESIDE_JUDGE, planned.get(str(dataset))
            )


def _table3(paper: Paper, planned: Mapping[str, int | None]) -> Iterator[dict[str, object]]:
    table = paper.read("table3").dropna(subset="kappa_kilt_nq")
    kappa = dict(zip(table["prompt_variant"], map(float, table["kappa_kilt_nq"]), strict=True))
    standard = kappa.pop("few_shot_standard")
    for variant, own in kappa.items():
        yield _row(
            "3", "kilt_nq", variant, "few_shot_standard", own - standard, TWO_PROMPTS,
            planned.get("kilt_nq"),
        )  # fmt: skip


def _row(
    table: str, on: str, first: str, second: str, gap: float, pilot: Pilot, planned: int | None
) -> dict[str, object]:
    questions = questions_needed(gap, pilot.error, pilot.questions)
    return {
        "table": table,
        "on": on,
        "first": first,
        "second": second,
        "difference": gap,
        "questions_needed": float(questions),
        "planned": math.nan if planned is None else float(planned),
    }


def _count(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if math.isfinite(value) else "no number"
