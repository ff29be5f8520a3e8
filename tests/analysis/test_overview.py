"""Several panels side by side: ranks, the map of voters and datasets, one estimate a voter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from sklearn.metrics import cohen_kappa_score

from llm_juries.analysis.overview import ACROSS, Overview, origin, overview, sources_of
from llm_juries.analysis.tables import TABLES
from llm_juries.data.dataset import About, Dataset
from llm_juries.errors import JuriesError
from llm_juries.juries.panel import Panel
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.metrics.meta_analysis import random_effects
from llm_juries.reporting.across import conclusion_across, parts_across
from llm_juries.reporting.summary_fields import of_analysis
from llm_juries.types import Item

BOOTSTRAP = Bootstrap(resamples=200)
RIGHT = {"a": 0.9, "b": 0.8, "c": 0.65}


def panel_of(
    name: str, right: dict[str, float], seed: int, n: int = 150, shares: str = ""
) -> Panel:
    """Return made-up yes-or-no votes, each voter right on a share of the items."""
    n, rng = 150, np.random.default_rng(seed)
    human = rng.integers(0, 2, n).astype(float)
    hit = rng.random((n, len(right))) < np.array(list(right.values()))
    labels = np.where(hit, human[:, None], 1 - human[:, None])
    items = tuple(Item(name, f"q{at}", "model", human=f"{y:g}") for at, y in enumerate(human))
    votes = Votes(
        tuple(Voter(voter, "judge") for voter in right),
        labels,
        np.full(labels.shape, np.nan),
        np.full(labels.shape, "ok"),
    )
    return Panel(Dataset(name, items, about=About(shares=shares)), votes)


@pytest.fixture(scope="module")
def panels() -> list[Panel]:
    return [panel_of(f"set_{at}", RIGHT, at) for at in range(3)]


@pytest.fixture(scope="module")
def found(panels: list[Panel]) -> Overview:
    return overview(panels, BOOTSTRAP)


def test_agreement_and_ranks_are_those_of_each_dataset(panels: list[Panel], found: Overview):
    for panel in panels:
        rows = found.voter_ranks[found.voter_ranks["dataset"] == panel.dataset.name]
        kappas = [cohen_kappa_score(panel.human, votes) for votes in panel.votes.labels.T]
        np.testing.assert_allclose(rows["agreement"], kappas)
        assert rows["rank"].tolist() == rankdata([-kappa for kappa in kappas]).tolist()
        assert (rows["rank_low"] <= rows["rank"]).all()
        assert (rows["rank"] <= rows["rank_high"]).all()
        cells = found.by_dataset.set_index("voter")[panel.dataset.name]
        np.testing.assert_allclose(cells[list(RIGHT)], kappas)


def test_the_pooled_estimate_is_the_meta_analysis_of_the_datasets(found: Overview):
    for _, row in found.pooled.iterrows():
        own = found.voter_ranks[found.voter_ranks["voter"] == row["voter"]]
        from scipy.stats import t

        error = (own["ci_high"] - own["ci_low"]) / 2 / t.ppf(0.975, 149)
        expected = random_effects(own["agreement"].to_numpy(), error.to_numpy())
        assert row["agreement"] == pytest.approx(expected.mean)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((expected.low, expected.high))
        assert (row["datasets"], row["sources"], row["left_out"]) == (3, 3, 0)
        assert row["mean_rank"] == own["rank"].mean()
    assert found.pooled["voter"].tolist() == ["a", "b", "c"]


def test_datasets_that_share_their_questions_count_once(panels: list[Panel]):
    first, second, third = panels
    named = replace(first, dataset=replace(first.dataset, name="set_1@other_prompt"))
    assert origin(named) == origin(second) == "set_1"
    pooled = overview([named, second, third], BOOTSTRAP).pooled
    assert set(pooled["sources"]) == {2}
    alike = [panel_of(f"s{at}", RIGHT, at, shares="vicuna_80") for at in range(2)]
    one = overview(alike, BOOTSTRAP).pooled.set_index("voter").loc["a"]
    assert one["sources"] == 1
    assert np.isnan(one["tau"])
    own = overview(alike, BOOTSTRAP).voter_ranks
    own = own[own["voter"] == "a"]
    assert one["ci_high"] - one["ci_low"] >= 0.95 * (own["ci_high"] - own["ci_low"]).min()


def test_the_same_items_under_another_name_are_no_independent_evidence(panels: list[Panel]):
    first, second, third = panels
    copy = replace(first, dataset=replace(first.dataset, name="copy"))
    later = replace(second, dataset=replace(second.dataset, name="copy@later"))
    assert sources_of([first, copy, later, third]) == {
        "set_0": "set_0", "copy": "set_0", "copy@later": "set_0", "set_2": "set_2"
    }  # fmt: skip
    assert set(overview([first, copy], BOOTSTRAP).pooled["sources"]) == {1}


def test_voters_of_other_names_are_the_same_where_it_is_said(panels: list[Panel]):
    other = panel_of("other", {"A": 0.9, "c": 0.6}, 9)
    apart = overview([panels[0], other], BOOTSTRAP).by_dataset.set_index("voter")
    assert apart.loc[["a", "A"], "datasets"].tolist() == [1, 1]
    same = overview([panels[0], other], BOOTSTRAP, same_voters={"a": ["A"]})
    assert same.by_dataset.set_index("voter").loc["a", "datasets"] == 2
    with pytest.raises(JuriesError, match=r"same_voters\.a: there is no voter 'AA'"):
        overview([panels[0], other], BOOTSTRAP, same_voters={"a": ["AA"]})
    with pytest.raises(JuriesError, match="set_0 has both a and b; name one of a dataset"):
        overview([panels[0], other], BOOTSTRAP, same_voters={"a": ["b"]})


def test_who_voted_on_few_items_has_no_rank_and_what_has_no_labels_no_rows(panels: list[Panel]):
    first = panels[0]
    labels = first.votes.labels.copy()
    labels[:100, 0] = np.nan
    few = replace(first, votes=replace(first.votes, labels=labels))
    rows = overview([few, panels[1]], BOOTSTRAP).voter_ranks
    mine = rows[rows["dataset"] == "set_0"].set_index("voter")
    assert pd.isna(mine.loc["a", "rank"])
    assert mine.loc["b", "rank"] == 1
    assert set(mine["voters"]) == {2}
    bare = tuple(replace(item, human=None) for item in first.dataset.items)
    unlabelled = replace(first, dataset=replace(first.dataset, items=bare))
    assert overview([unlabelled], BOOTSTRAP).tables == {}
    assert conclusion_across({}) is None


def lines_of(panels: list[Panel]) -> dict[str, str]:
    conclusion = conclusion_across(overview(panels, BOOTSTRAP).tables)
    assert conclusion is not None
    return {line.about: line.text for line in conclusion.lines}


def with_votes(panel: Panel, column: int, votes: np.ndarray) -> Panel:
    labels = panel.votes.labels.copy()
    labels[:, column] = votes
    return replace(panel, votes=replace(panel.votes, labels=labels))


def test_who_voted_on_few_items_of_each_dataset_is_not_best_over_all(panels: list[Panel]):
    easy = [
        with_votes(panel, 1, np.where(np.arange(150) < 40, panel.human, np.nan))
        for panel in panels[:2]
    ]
    pooled = overview(easy, BOOTSTRAP).pooled
    assert pooled.loc[0, ["voter", "agreement", "ranked"]].tolist() == ["b", 1.0, 0]
    assert lines_of(easy)["Best"].startswith("judge a, ")
    fields = of_analysis(easy, overview(easy, BOOTSTRAP).tables)
    assert fields["summary/best_judge"] == "a"


def test_a_value_without_an_interval_is_not_said_to_be_pooled(panels: list[Panel]):
    constant = [with_votes(panel, 0, np.ones(150)) for panel in panels[:2]]
    alone = [replace(panel, votes=panel.votes.columns(("a",))) for panel in constant]
    said = lines_of(alone)
    assert said["Best"] == (
        "judge a, kappa 0.000, without an interval, the mean of 2 of 2 datasets, mean rank 1.0"
    )
    assert said["Left out"] == "2 values have no interval and no part in the pooled estimates"
    assert " pooled over 1 of 2 datasets, " in lines_of([alone[0], panels[1]])["Best"]


def test_voters_that_are_tied_for_the_first_place_are_said_to_be(panels: list[Panel]):
    first, second = panels[:2]
    tied = with_votes(first, 1, first.votes.labels[:, 0])
    assert lines_of([tied, second])["First"] == (
        "a on 2, b on 1, of 2 datasets (who is tied counts as first)"
    )


def test_datasets_without_two_labels_are_named(panels: list[Panel]):
    first, second = panels[:2]
    bare = tuple(replace(item, human=None) for item in second.dataset.items)
    unlabelled = replace(second, dataset=replace(second.dataset, items=bare))
    tables = overview([first, unlabelled], BOOTSTRAP).tables
    agreement = pd.DataFrame({"dataset": ["set_0", "set_1"]})
    conclusion = conclusion_across({**tables, "agreement": agreement})
    assert conclusion is not None
    best, left_out = conclusion.lines
    row = tables["pooled"].iloc[0]
    assert (best.about, best.text) == (
        "Best", f"judge a, kappa {row['agreement']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
        " on set_0"
    )  # fmt: skip
    assert left_out.text == "set_1: human labels are missing or all the same"


def test_the_conclusion_names_the_best_and_says_how_far_datasets_differ(found: Overview):
    conclusion = conclusion_across(found.tables)
    assert conclusion is not None
    said = {line.about: line.text for line in conclusion.lines}
    row = found.pooled.iloc[0]
    assert said["Best"] == (
        f"judge a, kappa {row['agreement']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}] pooled "
        "over 3 of 3 datasets, mean rank 1.0"
    )
    assert "I2" in said["Datasets"]
    assert said["First"] == "a on 3, of 3 datasets"
    text = "\n".join(parts_across(found.tables))
    assert all(f"### {table.title}" in text for table in ACROSS)


def test_tables_over_datasets_have_names_and_notes_as_the_others_have():
    names = [table.name for table in (*ACROSS, *TABLES)]
    assert len(set(names)) == len(names)
    for table in ACROSS:
        assert table.name in Overview.__dataclass_fields__
        assert table.look_for.endswith(".")
        assert table.title[0].isupper()


def test_voters_on_one_dataset_each_are_not_pooled():
    apart = [panel_of("s", {"a": 0.9, "b": 0.7}, 1), panel_of("t", {"c": 0.9, "d": 0.7}, 2)]
    found = overview(apart, BOOTSTRAP)
    conclusion = conclusion_across(found.tables)
    assert conclusion is not None
    assert conclusion.lines[0].text == (
        "no jury or judge is ranked by one measure on two of the 2 datasets, so there is no "
        "overall result"
    )
    assert found.pooled["tau"].isna().all()
    own = found.voter_ranks.set_index("voter")["ci_low"].sort_index()
    pd.testing.assert_series_equal(found.pooled.set_index("voter")["ci_low"].sort_index(), own)
