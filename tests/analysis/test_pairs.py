"""What the recorded LLMBar verdicts say of agreement, position and length is what pandas says."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from conftest import ROOT
from llm_juries.analysis.agreement import agreement
from llm_juries.analysis.comparison import against_best
from llm_juries.analysis.pairs import (
    length,
    length_bins,
    position,
    preferences,
    shares,
)
from llm_juries.analysis.panels import read_panel
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.data.verdicts import load
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.preference import EDGES
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item, Order
from shared_prompts import ANSWER as PROMPT

NAN = math.nan
RECORDED = ROOT / "results" / "recorded"
FEW = Bootstrap(resamples=40, seed=3)
PROMPTS = ("Vanilla", "CoT", "Metrics_Reference")
MEMBERS = ("ChatGPT", "LLaMA2", "PaLM2")
PAIR = ["subset", "item"]


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    """Return all judges under three prompts, and under each a jury of three."""
    dataset = load(
        str(RECORDED / "llmbar_pairwise.parquet"),
        columns={"item_id": ("subset", "item"), "label": "winner"},
        words={"1": 1, "2": 0},
        lengths=str(RECORDED / "llmbar_lengths.csv"),
        empty="unparsed",
        pairs=True,
        prompts=PROMPTS,
    )
    judges = recorded_judges(dataset)
    juries = tuple(
        Jury(f"trio@{prompt}", tuple(f"{member}@{prompt}" for member in MEMBERS))
        for prompt in PROMPTS
        if {f"{member}@{prompt}" for member in MEMBERS} <= {judge.name for judge in judges}
    )
    plans = tuple(Plan(judge, dataset, PROMPT) for judge in judges)
    with Store(tmp_path_factory.mktemp("llmbar")) as store:
        collect(plans, store)
        return read_panel(Study(dataset, plans, juries), store)


@pytest.fixture(scope="module")
def sheet() -> pd.DataFrame:
    """Return the published file: a row a pair, judge and prompt, the two orders side by side."""
    table = pd.read_parquet(RECORDED / "llmbar_pairwise.parquet")
    named = ["subset", "judge", "prompt", "order"]
    table = table.astype(dict.fromkeys(named, "str"))
    table = table[table["prompt"].isin(PROMPTS)].copy()
    table["voter"] = table["judge"] + "@" + table["prompt"]
    table["winner"] = pd.to_numeric(table["winner"])
    wide = table.pivot_table(
        index=[*PAIR, "voter", "human"], columns="order", values="winner", dropna=False
    ).reset_index()
    wide = wide[wide["original"].notna() | wide["swapped"].notna()]
    wide["vote"] = wide["original"].where(wide["original"] == wide["swapped"])
    return wide


@pytest.fixture(scope="module")
def votes_of_trios(sheet: pd.DataFrame) -> pd.DataFrame:
    """Return each prompt's jury of three by hand: two like votes of three decide."""
    rows = []
    for prompt in PROMPTS:
        wide = sheet[sheet["voter"].isin([f"{m}@{prompt}" for m in MEMBERS])]
        cast = wide.pivot_table(index=[*PAIR, "human"], columns="voter", values="vote")
        ones, twos = (cast == 1).sum(axis=1), (cast == 2).sum(axis=1)
        vote = pd.Series(np.where(ones >= 2, 1.0, np.where(twos >= 2, 2.0, NAN)), cast.index)
        rows.append(vote.rename("vote").reset_index().assign(voter=f"trio@{prompt}"))
    return pd.concat(rows)


def independent(sheet: pd.DataFrame, votes_of_trios: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([sheet[[*PAIR, "voter", "human", "vote"]], votes_of_trios])


def weights(clusters: int) -> np.ndarray:
    """Return the bootstrap's draws as counts: the same generator, used by hand."""
    rng = np.random.default_rng(FEW.seed)
    drawn = rng.integers(clusters, size=(FEW.resamples, clusters))
    return np.stack([np.bincount(row, minlength=clusters) for row in drawn])


def interval(draws: Any) -> np.ndarray:
    return np.nanquantile(np.array(draws), [0.025, 0.975])


def test_agreement_under_each_prompt_and_its_intervals_are_those_of_scikit_learn(
    panel: Panel, sheet: pd.DataFrame, votes_of_trios: pd.DataFrame
):
    ours = agreement(panel, FEW).set_index("voter")
    found = independent(sheet, votes_of_trios)
    found = found.assign(pair=found["subset"] + "/" + found["item"].astype(str))
    pairs = sorted(set(found["pair"]))
    at = {pair: number for number, pair in enumerate(pairs)}
    drawn = weights(len(pairs))
    assert set(ours.index) == set(found["voter"])
    for voter, rows in found.groupby("voter"):
        rows = rows[rows["vote"].notna()]
        own = ours.loc[voter]
        assert own["n"] == len(rows)
        kappa = sklearn_metrics.cohen_kappa_score(rows["human"], rows["vote"])
        assert own["kappa"] == pytest.approx(kappa, abs=1e-9)
        accuracy = sklearn_metrics.accuracy_score(rows["human"], rows["vote"])
        assert own["accuracy"] == pytest.approx(accuracy, abs=1e-9)
        index = rows["pair"].map(at).to_numpy()
        draws = [
            sklearn_metrics.cohen_kappa_score(rows["human"], rows["vote"], sample_weight=w[index])
            for w in drawn
        ]
        # A bootstrap of few resamples only says where the interval must be about
        assert [own["ci_low"], own["ci_high"]] == pytest.approx(interval(draws), abs=0.15)


def test_a_trio_beside_gpt_4_is_what_scikit_learn_says(panel: Panel):
    """Where a voter was asked and came down on neither side, half a vote for each counts."""
    beside = against_best(panel, FEW)
    beside = beside[beside["beside"] == "best judge"].set_index("jury")
    assert len(beside) >= 2
    neither = np.isin(panel.votes.outcomes, ("tie", "inconsistent"))
    shares = np.where(neither, 0.5, panel.votes.labels)
    human = panel.human

    def kappa(share: np.ndarray, rows: np.ndarray) -> float:
        true, voted = np.tile(human[rows], 2), np.repeat([1, 0], rows.sum())
        weights = np.concatenate([share[rows], 1 - share[rows]])
        return float(sklearn_metrics.cohen_kappa_score(true, voted, sample_weight=weights))

    for jury, row in beside.iterrows():
        assert str(row["judge"]).startswith("GPT-4@")
        pair = [shares[:, panel.votes.names.index(str(name))] for name in (jury, row["judge"])]
        both = ~np.isnan(pair[0] + pair[1] + human)
        assert row["n"] == both.sum()
        kappas = [kappa(share, both) for share in pair]
        assert [row["jury_kappa"], row["judge_kappa"]] == pytest.approx(kappas, abs=1e-9)
        assert row["difference"] == pytest.approx(kappas[0] - kappas[1], abs=1e-9)


def test_flips_and_the_first_place_are_what_pandas_counts(panel: Panel, sheet: pd.DataFrame):
    ours = position(panel, FEW).set_index("voter")
    for voter, rows in sheet.groupby("voter"):
        both = rows[rows["original"].notna() & rows["swapped"].notna()]
        own = ours.loc[voter]
        assert own["pairs"] == len(both)
        flips = (both["original"] != both["swapped"]).mean()
        assert own["flip_rate"] == pytest.approx(flips, abs=1e-9)
        assert own["inconsistent"] == pytest.approx(flips, abs=1e-9)
        first = pd.concat([rows["original"].dropna() == 1, rows["swapped"].dropna() == 2])
        assert own["preferences"] == len(first)
        assert own["first_place"] == pytest.approx(first.mean(), abs=1e-9)
        assert own["first_low"] <= own["first_place"] <= own["first_high"]


def test_a_jurys_flips_are_those_of_its_decisions_in_each_order(panel: Panel, sheet: pd.DataFrame):
    ours = position(panel, FEW).set_index("voter")
    for prompt in ("Vanilla", "Metrics_Reference"):
        decided = {}
        for order in ("original", "swapped"):
            cast = sheet[sheet["voter"].isin([f"{m}@{prompt}" for m in MEMBERS])].pivot_table(
                index=PAIR, columns="voter", values=order, dropna=False
            )
            ones, twos = (cast == 1).sum(axis=1), (cast == 2).sum(axis=1)
            decided[order] = pd.Series(np.where(ones >= 2, 1, np.where(twos >= 2, 2, NAN)))
        both = pd.DataFrame(decided).dropna()
        own = ours.loc[f"trio@{prompt}"]
        assert own["pairs"] == len(both)
        assert own["flip_rate"] == pytest.approx(
            (both["original"] != both["swapped"]).mean(), abs=1e-9
        )


def test_wins_of_the_longer_answer_are_what_pandas_counts(
    panel: Panel, sheet: pd.DataFrame, votes_of_trios: pd.DataFrame
):
    lengths = pd.read_csv(RECORDED / "llmbar_lengths.csv")
    found = independent(sheet, votes_of_trios).merge(lengths, on=PAIR)
    found = found[found["answer_length"] != found["opponent_length"]]
    found["longer"] = np.where(found["answer_length"] > found["opponent_length"], 1, 2)
    ours = length(panel, FEW).set_index("voter")
    for voter, rows in found[found["vote"].notna()].groupby("voter"):
        own = ours.loc[voter]
        wins = rows["vote"] == rows["longer"]
        assert own["n"] == len(rows)
        assert own["longer_wins"] == pytest.approx(wins.mean(), abs=1e-9)
        true = (rows["human"] == rows["longer"]).mean()
        assert own["above_humans"] == pytest.approx(wins.mean() - true, abs=1e-9)
    human = found.drop_duplicates(PAIR)
    assert ours.loc["humans", "longer_wins"] == pytest.approx(
        (human["human"] == human["longer"]).mean(), abs=1e-9
    )
    assert math.isnan(ours.loc["humans", "above_humans"])


def test_bins_of_length_hold_each_pair_once(panel: Panel, sheet: pd.DataFrame):
    lengths = pd.read_csv(RECORDED / "llmbar_lengths.csv")
    a, b = lengths["answer_length"], lengths["opponent_length"]
    difference = ((a - b) / (a + b)).to_numpy()
    bins = length_bins(panel, FEW)
    counts = bins[bins["voter"] == "humans"].sort_values("low")["n"].tolist()
    expected = [
        int(((difference >= low) & ((difference < high) | (high == 1))).sum())
        for low, high in pairwise(EDGES)
    ]
    assert counts == expected
    assert sum(counts) == len(lengths)


def hand_made(orders: Any, human: Any, scores: Any = None) -> Panel:
    """Return a panel of one judge on pairs, its labels given in both orders."""
    both = np.array(orders, float)
    items = tuple(
        Item("d", f"q{at}", "a", "q", "x" * 9, opponent="b", opponent_answer="y", human=label)
        for at, label in enumerate(human)
    )
    voter = (Voter("j", "judge"),)

    def votes(labels: np.ndarray, scores: np.ndarray) -> Votes:
        outcomes = np.where(np.isnan(labels), "unparsed", "ok").astype("U16")
        return Votes(voter, labels[:, None], scores[:, None], outcomes[:, None])

    same = np.where(both[:, 0] == both[:, 1], both[:, 0], NAN)
    strength = same if scores is None else np.array(scores, float)
    single = {order: votes(both[:, at], np.full(len(both), NAN)) for at, order in enumerate(Order)}
    return Panel(Dataset("d", items, orders=tuple(Order)), votes(same, strength), single)


def test_a_tie_in_one_order_is_inconsistent_but_no_flip():
    panel = hand_made([[1, 0.5], [1, 0], [1, 1], [0.5, 0.5], [NAN, 1]], [None] * 5)
    (row,) = position(panel, FEW).to_dict("records")
    assert (row["pairs"], row["preferences"]) == (4, 9)
    assert (row["flip_rate"], row["inconsistent"]) == (0.25, 0.5)
    # First shown: won, tied, won, won, won, lost, tied, tied, lost.
    assert row["first_place"] == pytest.approx((4 + 1.5) / 9)


def test_agreement_with_ties_is_that_of_scikit_learn():
    votes = [1, 1, 0.5, 0, 0.5, 0, 1, 0.5]
    human = [1, 0, 0.5, 0, 1, 0.5, 1, 0.5]
    (row,) = preferences(hand_made([[v, v] for v in votes], human), FEW).to_dict("records")
    assert (row["n"], row["ties"]) == (8, 3)
    words = [[str(v) for v in side] for side in (human, votes)]
    assert row["kappa"] == pytest.approx(sklearn_metrics.cohen_kappa_score(*words))
    assert row["agreement"] == pytest.approx(sklearn_metrics.accuracy_score(*words))


def test_without_ties_among_the_humans_there_is_no_table_of_ties():
    assert preferences(hand_made([[1, 1], [0.5, 0.5]], [1, 0]), FEW).empty


def test_a_strength_counts_only_on_the_side_of_its_label():
    panel = hand_made([[1, 1], [1, 1], [0, 0]], [None] * 3, [0.75, 0.4, 0.25])
    assert shares(panel)[:, 0].tolist() == [0.75, 1.0, 0.25]


def test_a_single_answers_dataset_has_none_of_these_tables():
    items = (Item("d", "q", "m", human="1"),)
    votes = Votes((Voter("j", "judge"),), *(np.full((1, 1), 1.0),) * 2, np.full((1, 1), "ok"))
    panel = Panel(Dataset("d", items), votes)
    tables = (preferences, position, length, length_bins)
    assert all(table(panel, FEW).empty for table in tables)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("item_id,answer_length\nq1,3\n", "has no field 'opponent_length'"),
        ("item_id,answer_length,opponent_length\nq1,3,long\n", "set whole numbers"),
    ],
)
def test_a_table_of_lengths_is_read_or_refused(lines: str, said: str, tmp_path: Path):
    verdicts = tmp_path / "v.csv"
    verdicts.write_text("item_id,human,j\nq1,1,1\nq2,0,1\n")
    lengths = tmp_path / "lengths.csv"
    lengths.write_text("item_id,answer_length,opponent_length\nq1,3,5\n")
    dataset = load(str(verdicts), pairs=True, lengths=str(lengths))
    assert [item.lengths for item in dataset.items] == [(3, 5), None]
    lengths.write_text(lines)
    with pytest.raises(Exception, match=said):
        load(str(verdicts), pairs=True, lengths=str(lengths))
