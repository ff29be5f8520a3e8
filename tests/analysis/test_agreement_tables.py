"""Numbers from the shipped recordings are those of independent computations and of the sources."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from conftest import ROOT
from llm_juries.analysis.agreement import (
    agreement,
    annotators,
    deltas,
    outcomes,
)
from llm_juries.analysis.comparison import against_best
from llm_juries.analysis.panels import read_panel
from llm_juries.collect.run import collect
from llm_juries.data.dataset import Dataset
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.errors import JuriesError
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.scale import Scale
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item
from shared_prompts import ANSWER as PROMPT

NAN = math.nan
NQ301 = ROOT / "results" / "recorded" / "nq301_qa.csv"
LLMBAR = ROOT / "results" / "recorded" / "llmbar_pairwise.parquet"
TRIO = Jury("trio", ("gpt_4", "text_davinci_003", "bem"))
FEW = Bootstrap(resamples=50)


def study_of(dataset: Dataset, *juries: Jury) -> Study:
    return Study(dataset, tuple(Plan(j, dataset, PROMPT) for j in recorded_judges(dataset)), juries)


def seated(study: Study, folder: Path) -> Panel:
    with Store(folder) as store:
        collect(study.plans, store)
        return read_panel(study, store)


def small(labels: Any, human: Any, kinds: Any = None, names: Any = None) -> Panel:
    """Return a panel of given votes on one candidate's answers."""
    labels = np.array(labels, dtype=float)
    names = names or [f"v{at}" for at in range(labels.shape[1])]
    kinds = kinds or ["judge"] * labels.shape[1]
    items = tuple(
        Item("small", f"q{at:03}", "m", human=None if math.isnan(label) else label)
        for at, label in enumerate(human)
    )
    outcomes = np.where(np.isnan(labels), "unparsed", "ok").astype("U16")
    voters = tuple(Voter(name, kind) for name, kind in zip(names, kinds, strict=True))
    votes = Votes(voters, labels, np.full(labels.shape, NAN), outcomes)
    return Panel(Dataset("small", items), votes)


@pytest.fixture(scope="module")
def nq301() -> Dataset:
    lexical = RecordedColumn("lexical", "lexical")
    return load(
        str(NQ301),
        columns={
            "item_id": "item",
            "candidate": "model",
            "human_votes": ("annotator_1", "annotator_2", "annotator_3"),
        },
        empty="unparsed",
        judges={
            "gpt_4": RecordedColumn("openai"),
            "text_davinci_003": RecordedColumn("openai"),
            "bem": RecordedColumn("bert", threshold=0.5),
            "exact_match": lexical,
            "contains": lexical,
            "token_f1": replace(lexical, threshold=0.5),
        },
    )


@pytest.fixture(scope="module")
def panel(nq301: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return seated(study_of(nq301, TRIO), tmp_path_factory.mktemp("nq301"))


@pytest.fixture(scope="module")
def rows(panel: Panel) -> dict[str, Any]:
    return agreement(panel, FEW).set_index("voter").to_dict("index")


@pytest.fixture(scope="module")
def sheet() -> pd.DataFrame:
    return pd.read_csv(NQ301)


@pytest.mark.parametrize(
    ("voter", "kappa", "missing"),
    [
        ("gpt_4", 0.675, 19),
        ("text_davinci_003", 0.669, 0),
        ("bem", 0.633, 3),
        ("contains", 0.544, 0),
        ("exact_match", 0.461, 0),
    ],
)
def test_kappas_of_the_recording_are_the_published_ones(
    voter: str, kappa: float, missing: int, rows: dict[str, Any]
):
    assert (round(rows[voter]["kappa"], 3), rows[voter]["missing"]) == (kappa, missing)


def test_counting_missing_votes_as_no_gives_the_other_kappa_of_the_provenance(
    panel: Panel, rows: dict[str, Any]
):
    at = panel.votes.names.index("bem")
    filled = panel.votes.labels[:, [at]].copy()
    assert np.isnan(filled).sum() == 3
    filled[np.isnan(filled)] = 0.0
    table = agreement(small(filled, panel.human), FEW)
    assert (round(table.loc[0, "kappa"], 3), round(rows["bem"]["kappa"], 3)) == (0.634, 0.633)


def as_labels(column: pd.Series, threshold: float = 0.5) -> pd.Series:
    return (column >= threshold).astype(float).where(column.notna())


@pytest.mark.parametrize(
    "voter", ["gpt_4", "text_davinci_003", "bem", "exact_match", "contains", "token_f1"]
)
def test_a_voters_measures_are_those_of_scikit_learn(
    voter: str, rows: dict[str, Any], sheet: pd.DataFrame
):
    votes = as_labels(sheet[voter])
    true, said = sheet["human"][votes.notna()], votes.dropna().astype(int)
    expected = {
        "n": len(said),
        "kappa": sklearn_metrics.cohen_kappa_score(true, said),
        "accuracy": sklearn_metrics.accuracy_score(true, said),
        "tpr": sklearn_metrics.recall_score(true, said),
        "tnr": sklearn_metrics.recall_score(true, said, pos_label=0),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(true, said),
    }
    assert {name: rows[voter][name] for name in expected} == pytest.approx(expected)


def test_a_jurys_kappa_is_that_of_its_majority_in_plain_python(
    rows: dict[str, Any], sheet: pd.DataFrame
):
    votes = pd.DataFrame({name: as_labels(sheet[name]) for name in TRIO.members})
    decided = [
        1 if row.count(1.0) >= 2 else 0 if row.count(0.0) >= 2 else None
        for row in votes.to_numpy().tolist()
    ]
    pairs = [(h, d) for h, d in zip(sheet["human"], decided, strict=True) if d is not None]
    assert rows["trio"]["missing"] == decided.count(None)
    assert rows["trio"]["kappa"] == pytest.approx(
        sklearn_metrics.cohen_kappa_score(*zip(*pairs, strict=True))
    )


def test_every_voter_votes_on_or_misses_each_labelled_item(rows: dict[str, Any], nq301: Dataset):
    labelled = sum(item.human is not None for item in nq301.items)
    assert {row["n"] + row["missing"] for row in rows.values()} == {labelled}


def test_an_interval_is_that_of_a_loop_that_leaves_each_question_out(
    rows: dict[str, Any], sheet: pd.DataFrame
):
    """Of scikit-learn's kappas, with half a question in each cell beside the data."""
    sheet = sheet[sheet["human"].notna() & sheet["contains"].notna()]
    questions, at = np.unique(sheet["item"].astype(str), return_inverse=True)
    human = np.append(sheet["human"].astype(int), [0, 0, 1, 1])
    vote = np.append(sheet["contains"].astype(int), [0, 1, 0, 1])
    half = np.full(4, 0.5 * np.sqrt(len(sheet) / len(questions)))

    def kappa(items: Any, cells: Any) -> float:
        weights = np.append(items, cells)
        return float(sklearn_metrics.cohen_kappa_score(human, vote, sample_weight=weights))

    ones = np.ones(len(sheet))
    centre = kappa(ones, half)
    left = np.array([kappa(at != one, half) for one in range(len(questions))])
    c = len(questions)
    variance = (c - 1) / c * ((left - left.mean()) ** 2).sum()
    for one in range(4):
        variance += (kappa(ones, half * (np.arange(4) != one)) - centre) ** 2 / 0.5
    reach = stats.t.ppf(0.975, c - 1) * np.sqrt(variance)
    found = rows["contains"]
    assert [found["ci_low"], found["ci_high"]] == pytest.approx([centre - reach, centre + reach])
    assert (found["questions"], found["caution"]) == (c, "ok")


def test_a_judge_of_its_own_familys_answers_sees_them_6_points_better_than_humans(panel: Panel):
    table = deltas(panel, FEW).set_index(["voter", "candidate"])
    own = table.loc["text_davinci_003", "text-davinci-003_zeroshot"]
    assert round(100 * own["delta"], 1) == 6.4
    assert (round(own["judged"], 3), round(own["human"], 3)) == (0.776, 0.712)


def test_deltas_are_those_of_grouped_means(panel: Panel, sheet: pd.DataFrame):
    table = deltas(panel, FEW).set_index(["voter", "candidate"])
    votes = as_labels(sheet["gpt_4"])
    both = sheet.assign(vote=votes)[votes.notna()]
    means = both.groupby("model")[["vote", "human"]].mean()
    found = table.loc["gpt_4"]["delta"]
    pd.testing.assert_series_equal(
        found, means["vote"] - means["human"], check_names=False, check_index_type=False
    )


def test_votes_and_missing_of_a_candidate_add_up_to_its_labelled_answers(
    panel: Panel, sheet: pd.DataFrame
):
    table = deltas(panel, FEW)
    answers = sheet.groupby("model").size()
    assert (table["n"] + table["missing"] == table["candidate"].map(answers)).all()


def test_outcomes_of_every_voter_add_up_to_the_items(panel: Panel):
    table = outcomes(panel)
    counted = table.drop(columns=["dataset", "voter", "kind", "items"]).sum(axis=1)
    assert (counted == table["items"]).all()


def test_an_empty_cell_is_counted_as_unparsed(panel: Panel):
    table = outcomes(panel).set_index("voter")
    assert table.loc["gpt_4", "unparsed"] == 19


TABLES = (agreement, deltas, against_best)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_a_table_does_not_depend_on_the_order_of_judges(
    table: Any, panel: Panel, nq301: Dataset, tmp_path: Path
):
    study = study_of(nq301, TRIO)
    turned = seated(replace(study, plans=study.plans[::-1]), tmp_path)
    pd.testing.assert_frame_equal(table(turned, FEW), table(panel, FEW))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_a_table_does_not_depend_on_the_order_of_answers(
    table: Any, panel: Panel, nq301: Dataset, tmp_path: Path
):
    turned = seated(study_of(replace(nq301, items=nq301.items[::-1]), TRIO), tmp_path)
    pd.testing.assert_frame_equal(table(turned, FEW), table(panel, FEW))


def test_voters_are_sorted_by_kind_and_name():
    votes = np.ones((3, 4))
    kinds, names = ["jury", "lexical", "judge", "judge"], ["a", "b", "d", "c"]
    table = agreement(small(votes, [1, 0, 1], kinds, names), FEW)
    assert table["voter"].tolist() == ["c", "d", "b", "a"]


def test_a_voter_without_votes_has_counts_and_no_measures():
    table = agreement(small([[NAN], [NAN]], [1, 0]), FEW)
    assert table.loc[0, ["n", "missing"]].tolist() == [0, 2]
    assert table.loc[0, ["kappa", "ci_low", "ci_high", "accuracy"]].isna().all()


def test_items_without_a_label_are_neither_voted_on_nor_missing():
    table = agreement(small([[1], [0], [1]], [1, 0, NAN]), FEW)
    assert table.loc[0, ["n", "missing"]].tolist() == [2, 0]


def test_ties_have_no_side_to_agree_with_and_are_not_missing():
    votes, human = [[1], [NAN], [0], [0]], [1, 0.5, 0.5, 0]
    made = small(votes, human)
    pairs = replace(made.dataset, scale=Scale.preference())
    (row,) = agreement(replace(made, dataset=pairs), FEW).to_dict("records")
    assert (row["n"], row["missing"], row["accuracy"]) == (2, 0, 1.0)


def test_a_dataset_without_labels_is_measured_without_an_error():
    table = agreement(small([[1], [0]], [NAN, NAN]), FEW)
    assert table.loc[0, ["n", "missing"]].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"resamples": 0}, "resamples: 0 are too few"),
        ({"seed": -1}, "seed: is -1"),
        ({"level": 95}, "level: is 95"),
    ],
)
def test_an_interval_that_can_not_be_made_is_told_in_one_line(wrong: Any, said: str):
    with pytest.raises(JuriesError, match=said):
        Bootstrap(**wrong)


# The jury misses item 4, judge "a" misses item 5, so that they share items 0 to 3 and 6 to 11.
HUMAN = [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
SIDE = {
    "a": [1, 0, 1, 0, 1, NAN, 1, 0, 0, 0, 1, 1],
    "b": [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0],
    "jury": [1, 0, 1, 0, NAN, 0, 1, 0, 1, 1, 1, 1],
    "c": [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1],
}


@pytest.fixture
def beside() -> pd.DataFrame:
    made = small(np.array(list(SIDE.values())).T, HUMAN, names=list(SIDE))
    voters = tuple(
        Voter(v.name, "jury", members=("a", "b")) if v.name == "jury" else v
        for v in made.votes.voters
    )
    made = replace(made, votes=replace(made.votes, voters=voters))
    return against_best(made, FEW).set_index("beside")


def test_a_jury_stands_beside_its_best_member_and_the_best_judge(beside: pd.DataFrame):
    assert beside["judge"].to_dict() == {"best member": "a", "best judge": "c"}


@pytest.mark.parametrize("against", ["best member", "best judge"])
def test_a_jury_and_a_judge_are_compared_on_the_items_both_voted_on(
    against: str, beside: pd.DataFrame
):
    row = beside.loc[against]
    votes = pd.DataFrame({"human": HUMAN, "jury": SIDE["jury"], "judge": SIDE[row["judge"]]})
    both = votes.dropna()
    expected = [
        sklearn_metrics.cohen_kappa_score(both["human"], both[v]) for v in ("jury", "judge")
    ]
    assert (row["n"], row["missing"]) == (len(both), len(votes) - len(both))
    assert [row["jury_kappa"], row["judge_kappa"]] == pytest.approx(expected)
    assert row["difference"] == pytest.approx(expected[0] - expected[1])


def test_a_jury_that_decides_as_a_judge_does_differs_by_nothing_that_is_seen():
    made = small([[1, 1], [0, 0], [0, 0], [1, 1]] * 4, [1, 0, 1, 0] * 4)
    voters = (made.votes.voters[0], Voter("jury", "jury", members=("v0",)))
    table = against_best(replace(made, votes=replace(made.votes, voters=voters)), FEW)
    assert table["difference"].tolist() == [0.0] * 2
    assert ((table["ci_low"] < 0) & (table["ci_high"] > 0)).all()  # on sixteen items
    assert table["caution"].tolist() == ["few questions: 16"] * 2


@pytest.mark.parametrize(
    ("votes", "human", "said"),
    [
        ([[1]] * 40, [1] * 40, "undefined: no labelled votes, or all of one kind"),
        ([[1], [0]] * 20, [1] * 40, "no interval: nothing varies between questions"),
        ([[1]], [1], "undefined: no labelled votes, or all of one kind"),
        ([[1], [0]] * 5, [1, 0] * 5, "few questions: 10"),
        ([[1], [0]] * 20, [1, 0] * 20, "ok"),
    ],
)
def test_an_interval_that_cannot_be_trusted_is_missing_or_says_so(
    votes: list[list[int]], human: list[int], said: str
):
    """Labels of one class, one question, and perfect judges: no interval without width."""
    (row,) = agreement(small(votes, human), FEW).to_dict("records")
    assert row["caution"] == said
    for name in ("ci", "accuracy", "tpr", "tnr", "balanced_accuracy"):
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        assert math.isnan(low) == math.isnan(high)
        assert math.isnan(low) or low < high


def test_a_voter_that_agrees_less_than_by_chance_is_flagged():
    (row,) = agreement(small([[0], [1]] * 30, [1, 0] * 30), FEW).to_dict("records")
    assert row["kappa"] == -1
    assert row["caution"] == "below chance: does its prompt invert the labels?"


def test_one_question_has_no_interval():
    made = small([[1], [0], [1]], [1, 0, 0])
    items = tuple(
        replace(item, item_id="q", candidate=f"c{at}") for at, item in enumerate(made.dataset.items)
    )
    one = replace(made, dataset=replace(made.dataset, items=items))
    (row,) = agreement(one, FEW).to_dict("records")
    assert row["caution"] == "no interval: one question"
    assert math.isnan(row["ci_low"])


@pytest.fixture(scope="module")
def bar() -> Iterator[Dataset]:
    return load(
        str(LLMBAR),
        columns={"item_id": ("subset", "item"), "label": "winner"},
        words={"1": 1.0, "2": 0.0},
        empty="unparsed",
        pairs=True,
        prompts=["Metrics_Reference"],
    )


@pytest.fixture(scope="module")
def bar_panel(bar: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    jury = Jury("trio", ("ChatGPT", "LLaMA2", "PaLM2"))
    return seated(study_of(bar, jury), tmp_path_factory.mktemp("bar"))


@pytest.fixture(scope="module")
def bar_rows(bar_panel: Panel) -> dict[str, Any]:
    return agreement(bar_panel, FEW).set_index("voter").to_dict("index")


@pytest.fixture(scope="module")
def bar_sheet() -> pd.DataFrame:
    table = pd.read_parquet(LLMBAR)
    table = table[table["prompt"] == "Metrics_Reference"]
    return table.pivot_table(
        index=["subset", "item", "human"], columns=["judge", "order"], values="winner"
    )


def test_a_pair_counts_once_though_it_was_shown_twice(bar_panel: Panel):
    assert len(bar_panel.votes.labels) == len(bar_panel.dataset.items) == 885


def test_a_pairs_vote_is_the_one_of_both_orders(bar_rows: dict[str, Any], bar_sheet: pd.DataFrame):
    for judge in bar_sheet.columns.levels[0]:
        both = bar_sheet[judge].dropna()
        same = both[both["original"] == both["swapped"]]
        human = same.index.get_level_values("human")
        expected = sklearn_metrics.cohen_kappa_score(human, same["original"])
        assert bar_rows[judge]["n"] == len(same), judge
        assert bar_rows[judge]["kappa"] == pytest.approx(expected), judge


def test_a_preference_that_turns_with_the_order_is_inconsistent(
    bar_panel: Panel, bar_sheet: pd.DataFrame
):
    table = outcomes(bar_panel).set_index("voter")
    both = bar_sheet["ChatGPT"].dropna()
    assert table.loc["ChatGPT", "inconsistent"] == (both["original"] != both["swapped"]).sum()


def test_every_voter_votes_on_or_misses_each_labelled_pair(bar_rows: dict[str, Any]):
    assert {row["n"] + row["missing"] for row in bar_rows.values()} == {885}


def test_pairs_have_no_deltas_of_candidates(bar_panel: Panel):
    assert deltas(bar_panel, FEW).empty


def test_the_recordings_annotators_agree_as_other_implementations_say(
    panel: Panel, sheet: pd.DataFrame
):
    names = ["annotator_1", "annotator_2", "annotator_3"]
    assert panel.dataset.annotators == tuple(names)
    table = annotators(panel, FEW)
    votes = sheet[names]
    several = votes[votes.notna().sum(axis=1) >= 2]
    alpha = krippendorff.alpha(several.T.to_numpy(float), level_of_measurement="nominal")
    assert table.loc[0, "agreement"] == pytest.approx(alpha)
    assert table.loc[0, "n"] == len(several)
    for (one, other), row in zip(combinations(names, 2), table[1:].itertuples(), strict=True):
        both = sheet[[one, other]].dropna().astype(int)
        assert (row.annotators, row.n) == (f"{one}, {other}", len(both))
        kappa = sklearn_metrics.cohen_kappa_score(both[one], both[other])
        assert row.agreement == pytest.approx(kappa)
    assert (table["ci_low"] < table["agreement"]).all()
    assert (table["agreement"] < table["ci_high"]).all()


@pytest.mark.parametrize("votes", [[(), ()], [(1.0,), (0.0,)], [(1.0, None), (None, 0.0)]], ids=str)
def test_there_is_no_table_of_annotators_where_no_item_has_two_labels(votes: list[tuple[Any, ...]]):
    panel = small([[1.0], [0.0]], [1.0, 0.0])
    items = tuple(
        replace(item, human_votes=given)
        for item, given in zip(panel.dataset.items, votes, strict=True)
    )
    dataset = replace(panel.dataset, items=items, annotators=("ann", "ben"))
    assert annotators(replace(panel, dataset=dataset), FEW).empty
