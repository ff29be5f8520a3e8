"""The shipped recordings as plain arrays, read by pandas and by nothing of the package."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from conftest import ROOT
from llm_juries.juries.votes import Voter, Votes

TRIO = ("gpt_4", "text_davinci_003", "bem")
FAMILIES = {"gpt_4": "openai", "text_davinci_003": "openai", "bem": "bert"}


@cache
def nq301() -> pd.DataFrame:
    """Return the table of recorded_nq301 with bem's probability as a vote at one half."""
    table = pd.read_csv(ROOT / "results/recorded/nq301_qa.csv")
    table["bem_score"] = table["bem"]
    table["bem"] = (table["bem"] >= 0.5).where(table["bem"].notna()).astype(float)
    return table


def trio_votes() -> Votes:
    """Return the votes of the three model judges of recorded_nq301."""
    labels = nq301()[list(TRIO)].to_numpy(float)
    scores = np.full(labels.shape, np.nan)
    scores[:, 2] = nq301()["bem_score"]
    return Votes(
        tuple(Voter(name, "judge", FAMILIES[name]) for name in TRIO),
        labels,
        scores,
        np.where(np.isnan(labels), "unparsed", "ok"),
    )


@cache
def llmbar() -> pd.DataFrame:
    """Return recorded_llmbar's pairs: a row a pair, a judge's vote where both orders agree."""
    table = pd.read_parquet(ROOT / "results/recorded/llmbar_pairwise.parquet")
    table = table[table["prompt"] == "Metrics_Reference"]
    table = table.assign(label=table["winner"].astype(float).map({1.0: 1.0, 2.0: 0.0}))
    by = ["subset", "item", "judge"]
    both = table.pivot_table(
        index=by, columns="order", values="label", aggfunc="first", dropna=False
    )
    agreed = both["original"].where(both["original"] == both["swapped"])
    wide = agreed.reset_index(name="label").pivot_table(
        index=by[:2], columns="judge", values="label", dropna=False
    )
    human = table.groupby(by[:2])["human"].first().astype(float)
    wide["human"] = human.map({1.0: 1.0, 2.0: 0.0})
    return wide.loc[human.index].reset_index()
