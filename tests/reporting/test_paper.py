"""The paper's printed rows and ours stand beside each other, and none of either is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from llm_juries.analysis.rankings import Rankings
from llm_juries.analysis.settings import Analysis
from llm_juries.config.build import build
from llm_juries.config.composing import composed
from llm_juries.data.dataset import Dataset
from llm_juries.judges.pricing import Price
from llm_juries.juries.panel import Panel
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.reporting.paper import (
    Facts,
    Measured,
    Paper,
    Settings,
    StandIns,
    VoterFacts,
    draw,
    measure,
)
from llm_juries.reporting.paper.tables import NOT_MEASURED, cost, spread, table1, table2, table3
from llm_juries.types import Item
from recorded_votes import nq301

OURS = StandIns(
    judges={
        "GPT-4": ("big", "bigger"),
        "Haiku": ("small",),
        "Command R": ("other",),
        "GPT-3.5": ("third",),
        "PoLL": ("jury",),
    },
    datasets={"kilt_nq": ("my_nq",), "unprinted": ("my_set",)},
    prompts={"zero_shot": ("bare",), "unprinted": ("mine",)},
    notes={"big": "of another year"},
)
FACTS = Facts(datasets={"my_nq": "other labels"})
BIG = "in GPT-4's place: big: of another year"
PRINTED = pd.DataFrame(
    {
        "judge": ["GPT-4", "GPT-4", "Haiku"],
        "dataset": ["kilt_nq", "kilt_triviaqa", "kilt_nq"],
        "kappa": [0.6, 0.8, 0.7],
    }
)


def measured(*rows: tuple[str, str, float, int]) -> pd.DataFrame:
    """Return an agreement table of voters, datasets, kappas and counts."""
    table = pd.DataFrame(rows, columns=["voter", "dataset", "kappa", "n"])
    return table.assign(
        kind="judge", ci_low=table["kappa"] - 0.1, ci_high=table["kappa"] + 0.1, missing=1
    )


def pairs_of(table: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    """Return rows as tuples, with None for what is empty."""
    return [
        tuple(None if pd.isna(cell) else cell for cell in row)
        for row in table[list(columns)].itertuples(index=False)
    ]


def test_table1_sets_ours_beside_the_printed_rows():
    ours = measured(("small", "my_nq", 0.5, 10), ("big", "my_nq", 0.4, 10))
    found = table1(PRINTED, ours, OURS, FACTS)
    assert pairs_of(found, "judge", "dataset", "paper_kappa", "our_judge", "kappa", "n") == [
        ("GPT-4", "kilt_nq", 0.6, "big", 0.4, 10),
        ("GPT-4", "kilt_triviaqa", 0.8, None, None, None),
        ("Haiku", "kilt_nq", 0.7, "small", 0.5, 10),
    ]
    assert list(found["differs"]) == [
        f"{BIG} | my_nq: other labels",
        f"{NOT_MEASURED}kilt_triviaqa: not in this run",
        "my_nq: other labels",
    ]


def test_table1_keeps_each_of_several_stand_ins():
    ours = measured(("big", "my_nq", 0.4, 10), ("bigger", "my_nq", 0.5, 10))
    found = table1(PRINTED, ours, OURS, FACTS)
    assert list(found.loc[found["judge"] == "GPT-4", "our_judge"].dropna()) == ["big", "bigger"]


def test_table1_keeps_ours_that_the_paper_has_nothing_like():
    ours = measured(
        ("stranger", "my_nq", 0.3, 10),  # no such judge in the paper
        ("big", "elsewhere", 0.2, 10),  # no such dataset
        ("big", "my_set", 0.1, 10),  # a stand-in for what the paper does not print
        ("jury", "my_nq", 0.9, 10),  # PoLL is not in this printed table
    )
    found = table1(PRINTED, ours, OURS, FACTS)
    alone = found[found["judge"].isna()]
    assert pairs_of(alone, "our_judge", "our_dataset", "kappa") == [
        ("stranger", "my_nq", 0.3),
        ("big", "elsewhere", 0.2),
        ("big", "my_set", 0.1),
        ("jury", "my_nq", 0.9),
    ]
    assert list(alone["differs"]) == [
        "my_nq: other labels",
        BIG,
        BIG,
        "my_nq: other labels",
    ]
    assert len(found) == len(PRINTED) + len(alone)


@pytest.mark.parametrize("rows", [[], [("big", "my_nq", np.nan, 0)]])
def test_table1_without_ours_is_the_paper_alone(rows: list[tuple[str, str, float, int]]):
    found = table1(PRINTED, measured(*rows), OURS, FACTS)
    assert pairs_of(found, "judge", "paper_kappa") == pairs_of(PRINTED, "judge", "kappa")
    assert found["our_judge"].isna().all()
    assert found["differs"].str.startswith(NOT_MEASURED).all()


CORRELATIONS = pd.DataFrame(
    [
        ("big", "judge", "mean_score", "spearman", 0.9),
        ("big", "judge", "mean_score", "kendall_tau_b", 0.8),
        ("big", "judge", "mean_score", "pearson", 0.95),  # of scores: not what the paper prints
        ("jury", "jury", "win_rate", "spearman", 0.6),
        ("jury", "jury", "bradley_terry", "spearman", 0.7),
        ("unranked", "judge", "bradley_terry", "spearman", np.nan),
        ("unranked", "judge", "win_rate", "spearman", 0.5),
        ("rule", "lexical", "mean_score", "spearman", 0.1),
    ],
    columns=["voter", "kind", "measure", "correlation", "value"],
).assign(dataset="my_nq", reference="board", models=9, ci_low=0.0, ci_high=1.0)
PRINTED2 = pd.DataFrame(
    [("GPT-4", 0.8, 0.6), ("PoLL", 0.9, 0.7), ("Haiku", 0.7, 0.5)],
    columns=["judge", "pearson", "kendall_tau"],
)


def test_table2_takes_strengths_where_there_are_any_and_keeps_the_rest():
    found = table2(PRINTED2, CORRELATIONS, OURS, FACTS)
    columns = ("judge", "correlation", "paper", "our_judge", "value", "models")
    assert pairs_of(found, *columns) == [
        ("GPT-4", "spearman", 0.8, "big", 0.9, 9),
        ("PoLL", "spearman", 0.9, "jury", 0.7, 9),
        ("Haiku", "spearman", 0.7, None, None, None),
        ("GPT-4", "kendall_tau_b", 0.6, "big", 0.8, 9),
        ("PoLL", "kendall_tau_b", 0.7, None, None, None),
        ("Haiku", "kendall_tau_b", 0.5, None, None, None),
        (None, "spearman", None, "unranked", 0.5, 9),
    ]
    assert found["differs"].iloc[0] == f"{BIG} | my_nq: other labels"


def test_table2_keeps_a_stand_in_whose_role_is_not_printed():
    found = table2(PRINTED2.iloc[1:], CORRELATIONS, OURS, FACTS)
    assert "big" in set(found.loc[found["judge"].isna(), "our_judge"])


def test_table2_without_ours_is_the_paper_alone():
    found = table2(PRINTED2, pd.DataFrame(), OURS, FACTS)
    assert len(found) == 2 * len(PRINTED2)
    assert found["differs"].str.startswith(NOT_MEASURED).all()


PRINTED3 = pd.DataFrame(
    {
        "prompt_variant": ["zero_shot", "standard"],
        "kappa_kilt_nq": [0.5, 0.6],
        "status": ["printed", "printed"],
    }
)


def test_table3_reads_prompts_from_voters_or_takes_their_name():
    by_prompt = [
        ("", measured(("big@CoT", "my_nq", 0.3, 9), ("big@bare", "my_nq", 0.4, 9))),
        ("", measured(("small@bare", "my_nq", 0.9, 9))),  # not the large judge
        ("mine", measured(("bigger", "my_nq", 0.7, 9))),  # a role that the paper does not print
        ("", measured(("big", "my_nq", 0.2, 9))),  # recorded under one prompt without a name
        ("bare", measured(("bigger", "my_nq", 0.1, 9), ("big", "my_nq", np.nan, 0))),
    ]
    found = table3(PRINTED3, by_prompt, OURS, FACTS)
    assert pairs_of(found, "prompt_variant", "paper_kappa", "our_judge", "our_prompt", "kappa") == [
        ("zero_shot", 0.5, "big", "bare", 0.4),
        ("zero_shot", 0.5, "bigger", "bare", 0.1),
        ("standard", 0.6, None, None, None),
        (None, None, "bigger", "mine", 0.7),
        (None, None, "big", "CoT", 0.3),
        (None, None, "big", "", 0.2),
    ]


def test_table3_finds_a_large_judge_with_a_slash_in_its_name():
    ours = StandIns(judges={"GPT-4": ("org/big",)}, prompts=OURS.prompts)
    by_prompt = [
        ("", measured(("org/big@bare", "my_nq", 0.3, 9))),
        ("CoT", measured(("org/big", "my_nq", 0.2, 9))),
    ]
    found = table3(PRINTED3, by_prompt, ours, FACTS).dropna(subset="our_judge")
    assert pairs_of(found, "our_judge", "our_prompt") == [("org/big", "bare"), ("org/big", "CoT")]


def test_table3_without_ours_is_the_paper_alone():
    found = table3(PRINTED3, [], OURS, FACTS)
    assert list(found["prompt_variant"]) == ["zero_shot", "standard"]
    assert found["differs"].str.startswith(NOT_MEASURED).all()


def test_spread_is_the_standard_deviation_over_the_candidates():
    table = nq301()
    long = table.melt(["model", "human"], ["gpt_4", "text_davinci_003", "bem"], "voter", "vote")
    both = long.dropna(subset=["vote", "human"])
    means = both.groupby(["voter", "model"])[["vote", "human"]].mean()
    deltas = (means["vote"] - means["human"]).rename("delta").reset_index()
    deltas = deltas.rename(columns={"model": "candidate"}).assign(dataset="my_nq", kind="judge")
    unvoted = deltas.iloc[:1].assign(voter="silent", delta=np.nan)
    spreads = deltas.groupby(["dataset", "voter", "kind"], as_index=False)["delta"].std()
    spreads = spreads.rename(columns={"delta": "spread"})
    spreads = spreads.assign(candidates=12, ci_low=0.0, ci_high=1.0)
    found = spread(spreads, pd.concat([deltas, unvoted]), OURS, FACTS).set_index("voter")
    by_voter = deltas.groupby("voter")["delta"]
    pd.testing.assert_series_equal(
        found["sd"].sort_index(), 100 * by_voter.std(), check_names=False
    )
    highest = deltas.loc[by_voter.idxmax()].set_index("voter")
    assert found["highest"].sort_index().to_dict() == highest["candidate"].to_dict()
    np.testing.assert_allclose(found["delta"].sort_index(), 100 * highest["delta"])
    assert list(found["sd"]) == sorted(found["sd"])
    assert set(found["candidates"]) == {12}


def test_spread_of_nothing_is_an_empty_table():
    assert spread(pd.DataFrame(), pd.DataFrame(), OURS, FACTS).empty


PRICES = {
    "other": Price(0.5, 1.5, "2024-04"),
    "small": Price(0.25, 1.25, "2024-04"),
    "third": Price(0.5, 1.5, "2024-04"),
    "big": Price(10, 30, "2024-04"),
}
COST = Paper().read("cost")


def test_cost_is_that_of_the_seats_and_how_many_times_cheaper_they_are():
    found = cost(COST, PRICES, OURS)
    assert list(found["ours"]) == ["other + small + third", "big", ""]
    for side in ("paper_", ""):  # section 4.5 of the paper: $1.25 + $4.25 against $10 + $30
        np.testing.assert_allclose(found[f"{side}input_usd"], [1.25, 10, 8.0])
        np.testing.assert_allclose(found[f"{side}output_usd"], [4.25, 30, 7.06], atol=0.005)


def test_cost_counts_one_judge_a_seat():
    two = {**OURS.judges, "Haiku": ("small", "small_again")}
    prices = {**PRICES, "small_again": PRICES["small"]}
    found = cost(COST, prices, StandIns(judges=two))
    assert found["input_usd"].iloc[0] == pytest.approx(1.25)


def test_a_seat_without_a_price_leaves_the_sum_unknown():
    found = cost(COST, {name: p for name, p in PRICES.items() if name != "third"}, OURS)
    assert found["input_usd"].isna().to_list() == [True, False, True]
    assert found["ours"].iloc[0] == "other + small"
    assert cost(COST, {}, OURS)["output_usd"].isna().all()


def test_free_seats_are_no_number_of_times_cheaper():
    free = dict.fromkeys(("other", "small", "third"), Price(0, 0, "2026-01"))
    found = cost(COST, {**free, "big": PRICES["big"]}, OURS)
    assert found["input_usd"].to_list()[:2] == [0, 10]
    assert np.isnan(found["input_usd"].iloc[2])


@pytest.mark.parametrize("name", ["recorded", "paper", "paper_2026"])
def test_an_experiment_names_what_the_paper_prints(name: str):
    cfg = composed("reproduce", [f"experiment={name}"])
    stand_ins, paper = build(cfg.stand_ins, "stand_ins"), build(cfg.paper, "paper")
    printed = paper.read("table1")
    assert set(stand_ins.judges) == set(printed["judge"])
    stands_for = {part.get("stands_for", "") for part in cfg.parts.values()} - {""}
    if name == "recorded":
        assert stands_for <= set(printed["dataset"])
        return
    assert stands_for == set(printed["dataset"])
    assert set(stand_ins.prompts) == set(paper.read("table3")["prompt_variant"])
    assert set(stand_ins.models) == {"GPT-4", "Command R", "Haiku", "GPT-3.5"}


ASKED = {
    ("my_nq", "big", ""): VoterFacts("big", "asked gpt-4", "gpt-4", ("gpt-4-0613",)),
    ("my_nq", "small", ""): VoterFacts("small", "asked h-3", "h-3", ("h-3",)),
    ("my_nq", "jury", ""): VoterFacts("jury", "majority of small", members=("small",)),
}


@pytest.mark.parametrize(
    ("models", "judge", "called"),
    [
        ({"GPT-4": ("gpt-4",)}, "big", "big"),
        ({"GPT-4": ("gpt-4-turbo",)}, "big", "in GPT-4's place: big"),  # another was asked
        ({}, "big", "in GPT-4's place: big"),
        ({"Haiku": ("h-3",)}, "jury", "jury"),
        ({"Haiku": ("h-4",)}, "jury", "in PoLL's place: jury"),  # a member is another
        ({"Haiku": ("h-3",)}, "stranger", "stranger"),
    ],
)
def test_a_judge_has_its_own_name_unless_the_papers_model_was_asked(
    models: dict[str, tuple[str, ...]], judge: str, called: str
):
    assert Facts(ASKED).called(judge, "my_nq", replace(OURS, models=models)) == called


def test_a_server_that_answered_as_another_model_is_not_the_papers():
    swapped = {("my_nq", "big", ""): VoterFacts("big", "", "gpt-4", ("gpt-4", "gpt-5-mini"))}
    known = replace(OURS, models={"GPT-4": ("gpt-4",)})
    assert Facts(swapped).called("big", "my_nq", known) == "in GPT-4's place: big"


def test_facts_stand_beside_the_row_of_their_prompt():
    two = {
        ("my_nq", "bigger", ""): VoterFacts("bigger", "prompt few_shot"),
        ("my_nq", "bigger", "bare"): VoterFacts("bigger", "prompt bare"),
        ("my_nq", "big@bare", ""): VoterFacts("big@bare", "recorded"),
    }
    for judge, prompt, text in (
        ("bigger", "", "prompt few_shot"),
        ("bigger", "bare", "prompt bare"),
        ("big", "bare", "recorded; of another year"),
    ):
        said = Facts(two).differences(judge, "my_nq", OURS, prompt)
        assert said == f"in GPT-4's place: {judge}: {text}"


def test_a_row_without_ours_says_why():
    facts = Facts(absent={"kilt_nq": "no labels"}, seats={"big", "small"})
    unlabelled = measured(("big", "my_nq", np.nan, 0)).assign(missing=0)
    found = table1(PRINTED, unlabelled, OURS, facts)
    assert found["differs"].iloc[0] == f"{NOT_MEASURED}kilt_nq: no labels"
    labelled = measured(("small", "my_nq", 0.5, 10), ("big", "my_nq", np.nan, 0))
    found = table1(PRINTED, labelled, OURS, facts)
    assert found["differs"].iloc[0] == f"{NOT_MEASURED}GPT-4 on kilt_nq: no verdicts"
    found = table1(PRINTED, labelled, OURS, replace(facts, seats=frozenset({"small"})))
    assert found["differs"].iloc[0] == f"{NOT_MEASURED}GPT-4 on kilt_nq: not in this run"


def panel(votes: dict[str, list[float]]) -> Panel:
    """Return judges' votes on six questions to three candidates, in that order of columns."""
    items = tuple(
        Item("made", f"q{question}", name, human=float((question + at) % 2))
        for question in range(6)
        for at, name in enumerate(("a", "b", "c"))
    )
    labels = np.array([np.resize(vote, len(items)) for vote in votes.values()]).T
    return Panel(
        Dataset("made", items, "nobody"),
        Votes(
            tuple(Voter(name, "judge") for name in votes),
            labels,
            np.full(labels.shape, np.nan),
            np.where(np.isnan(labels), "not_asked", "ok"),
        ),
    )


@pytest.mark.parametrize(
    ("votes", "drawn"),
    [
        ({"silent": [np.nan]}, {"figure1_ranks_made"}),  # the humans' alone
        (
            {"silent": [np.nan], "partial": [1, np.nan, np.nan], "all": [1, 0, 0, 1]},
            {"figure1_kappa", "figure1_ranks_made", "figure2_ranks_made", "figures3_4_deltas_made"},
        ),
    ],
    ids=["nobody has judged yet", "one has judged a candidate of three"],
)
def test_an_unfinished_collection_is_drawn_as_far_as_it_goes(
    votes: dict[str, list[float]], drawn: set[str], tmp_path: Path
):
    few = Bootstrap(resamples=20)
    found = measure(
        [Measured(panel(votes))],
        {"made": "made up"},
        Settings(stand_ins=OURS, analysis=Analysis(bootstrap=few)),
    )
    paths = draw(found, tmp_path)
    assert {path.stem for path in paths} == drawn
    assert all(path.stat().st_size for path in paths)


def test_pairs_are_ranked_against_the_leaderboard_once_somebody_is_asked(tmp_path: Path):
    reference = str(ROOT / "results/reference/chatbot_arena_20240527.csv")
    names = {"a": "GPT-4o", "b": "Claude 3 Opus", "c": "Command R"}
    both = {"figure1_ranks_made", "figure2_leaderboard_made"}
    for vote, drawn in (([np.nan], set()), ([1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0], both)):
        asked = panel({"big": vote})
        pairs = tuple(
            replace(item, human=None, opponent="base", opponent_answer="x")
            for item in asked.dataset.items
        )
        asked = replace(asked, dataset=replace(asked.dataset, items=pairs))
        few, how = Bootstrap(resamples=20), Rankings(reference=reference, names=names)
        settings = Settings(stand_ins=OURS, analysis=Analysis(bootstrap=few, ranking=how))
        found = measure([Measured(asked)], {"made": "made up"}, settings)
        paths = draw(found, tmp_path)
        assert {path.stem for path in paths} == drawn
    beside = found.tables["table2_ranking"].dropna(subset=["paper", "our_judge"])
    assert set(beside["judge"]) == {"GPT-4"}
    assert set(beside["reference"]) == {reference}
