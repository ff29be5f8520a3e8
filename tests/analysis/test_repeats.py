"""Repeated judges, beside themselves and beside juries, against scikit-learn."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

import llm_juries as lj
from llm_juries.analysis.repeats import self_agreement, self_ensembles, variance_components

FAST = lj.Bootstrap(resamples=300)
ITEMS = 240
USD = {"a": 0.002, "a:2": 0.002, "a:3": 0.002, "a@p": 0.002, "a@p:2": 0.002}
USD |= {"b": 0.001, "c": 0.001, "d": 0.001}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Votes that are right with a probability of the item's own, each judge's apart."""
    rng = np.random.default_rng(7)
    human = rng.integers(0, 2, ITEMS)
    found = {
        "item_id": [f"q{n // 2}" for n in range(ITEMS)],
        "candidate": ["x", "y"] * (ITEMS // 2),
    }
    found["human"] = human

    def votes(right: Any) -> Any:
        return np.where(rng.random(ITEMS) < right, human, 1 - human).astype(float)

    hard = rng.random(ITEMS) * 0.6 + 0.35
    for name in USD:
        found[name] = votes(hard if name[0] == "a" else 0.75)
    found["a:2"][:10] = np.nan
    return pd.DataFrame(found)


@pytest.fixture(scope="module")
def panel(table: pd.DataFrame) -> lj.Panel:
    read = lj.read_verdicts(table, judges={name: name for name in USD})
    for name, members in {
        "trio": ["b", "c", "d"],
        "pair": ["b", "c"],
        "own": ["a*3"],
        "mixed": ["a*3", "b", "c"],
    }.items():
        read = read.add(lj.Jury(name, members))
    return read


def test_self_agreement_is_the_mean_over_pairs_of_answers(table: pd.DataFrame, panel: lj.Panel):
    found = self_agreement(panel, FAST)
    assert found[["judge", "prompt", "repeats"]].to_numpy().tolist() == [
        ["a", "", 3],
        ["a", "p", 2],
    ]
    assert found["n"].tolist() == [ITEMS - 10, ITEMS]
    assert found["missing"].tolist() == [10, 0]
    for row, names in zip(
        found.to_dict("records"), [["a", "a:2", "a:3"], ["a@p", "a@p:2"]], strict=True
    ):
        known = table.dropna(subset=names)
        pairs = list(itertools.combinations(names, 2))
        kappa = np.mean([cohen_kappa_score(known[one], known[other]) for one, other in pairs])
        flips = np.mean([(known[one] != known[other]).mean() for one, other in pairs])
        assert row["kappa"] == pytest.approx(kappa, abs=1e-9)
        assert row["flip_rate"] == pytest.approx(flips, abs=1e-9)
        assert row["ci_low"] < kappa < row["ci_high"]
        assert 0 < row["flip_rate_low"] < flips < row["flip_rate_high"] < 1


def test_self_agreement_needs_no_human_labels_and_knows_levels(table: pd.DataFrame):
    rng = np.random.default_rng(0)
    votes = pd.DataFrame({"item_id": range(60), "a": rng.integers(1, 6, 60)})
    votes["a:2"] = (votes["a"] + rng.integers(-1, 2, 60)).clip(1, 5)
    read = lj.read_verdicts(votes, judges=["a", "a:2"], scale=lj.Scale.ordinal(1, 5))
    (row,) = self_agreement(read, FAST).to_dict("records")
    quadratic = cohen_kappa_score(votes["a"], votes["a:2"], weights="quadratic")
    assert row["weighted_kappa"] == pytest.approx(quadratic, abs=1e-9)
    assert row["flip_rate"] == pytest.approx((votes["a"] != votes["a:2"]).mean(), abs=1e-9)
    assert self_ensembles(read, FAST, {}).empty


def test_a_copy_has_no_flips_and_judges_without_repeats_no_row(table: pd.DataFrame):
    same = table.assign(**{"b:2": table["b"]})
    (row,) = self_agreement(lj.read_verdicts(same, judges=["b", "b:2", "c"]), FAST).to_dict(
        "records"
    )
    assert (row["kappa"], row["flip_rate"]) == (1, 0)
    assert self_agreement(lj.read_verdicts(table, judges=["b", "c"]), FAST).empty


def majority(votes: pd.DataFrame) -> pd.Series:
    """Return the value of more than half of the seats."""
    half = votes.shape[1] / 2
    positive, negative = (votes == 1).sum(axis=1), (votes == 0).sum(axis=1)
    return pd.Series(np.where(positive > half, 1.0, np.where(negative > half, 0.0, np.nan)))


def test_several_answers_are_set_beside_juries_for_equal_calls_and_equal_dollars(
    table: pd.DataFrame, panel: lj.Panel
):
    found = self_ensembles(panel, FAST, USD).set_index(["judge", "prompt", "jury", "equal"])
    assert sorted(found.index) == [
        ("a", "", "mixed", "usd"),
        ("a", "", "pair", "calls"), ("a", "", "pair", "usd"),
        ("a", "", "trio", "calls"), ("a", "", "trio", "usd"),
        ("a", "p", "mixed", "usd"), ("a", "p", "own", "usd"),
        ("a", "p", "pair", "calls"), ("a", "p", "pair", "usd"),
        ("a", "p", "trio", "usd"),
    ]  # fmt: skip
    members = {"trio": ["b", "c", "d"], "pair": ["b", "c"]}
    for (equal, jury), names in {
        ("calls", "trio"): ["a", "a:2", "a:3"],
        ("usd", "trio"): ["a"],  # three calls at 0.001 pay for one at 0.002
        ("calls", "pair"): ["a", "a:2"],
        ("usd", "pair"): ["a"],
    }.items():
        row = found.loc["a", "", jury, equal]
        assert (row["repeats"], row["jury_seats"]) == (len(names), len(members[jury]))
        assert row["repeats_usd"] == pytest.approx(0.002 * len(names))
        assert row["jury_usd"] == pytest.approx(0.001 * len(members[jury]))
        both = pd.DataFrame(
            {
                "own": majority(table[names]),
                "jury": majority(table[members[jury]]),
                "human": table["human"],
            }
        ).dropna()
        assert (row["n"], row["missing"]) == (len(both), ITEMS - len(both))
        own, other = (cohen_kappa_score(both[one], both["human"]) for one in ("own", "jury"))
        assert row["repeats_kappa"] == pytest.approx(own, abs=1e-9)
        assert row["jury_kappa"] == pytest.approx(other, abs=1e-9)
        assert row["difference"] == pytest.approx(other - own, abs=1e-9)
        assert row["ci_low"] < row["difference"] < row["ci_high"]


def test_where_prices_are_not_known_only_calls_are_compared(panel: lj.Panel):
    found = self_ensembles(panel, FAST, USD | {"c": None})
    assert set(found["equal"]) == {"calls", "usd"}
    assert set(found.loc[found["equal"] == "usd", "jury"]) == {"own"}
    assert found.loc[found["jury"] == "trio", "jury_usd"].isna().all()


def test_components_are_of_the_seats_that_make_a_whole_grid(table: pd.DataFrame):
    names = ["a", "a:3", "b", "c", "d"]
    panel = lj.read_verdicts(table, judges={name: name for name in names})
    found = variance_components(panel).set_index("component")
    assert found["levels"].to_dict() == {"items": ITEMS, "judges": 4, "residual": 1}
    assert found["share"].sum() == pytest.approx(1)
    assert found.loc["judges", "noise_with_two"] < found.loc["judges", "noise"]
    repeats = lj.read_verdicts(table, judges={name: name for name in ("a", "a:3")})
    alone = variance_components(repeats).set_index("component")
    assert alone["levels"].to_dict() == {"items": ITEMS, "residual": 2}
    both = table[["a", "a:3"]].to_numpy()
    assert alone.loc["residual", "variance"] == pytest.approx(both.var(axis=1, ddof=1).mean())
    assert alone.loc["residual", "noise_with_two"] == pytest.approx(
        alone.loc["residual", "noise"] / 2
    )


def test_a_report_sets_a_jury_beside_as_many_answers_of_one_judge(panel: lj.Panel, tmp_path: Path):
    lj.report(panel, tmp_path, lj.Bootstrap(20))
    report = (tmp_path / "report.md").read_text()
    assert "Jury **trio** beside 3 answers of a for as many calls, whose kappa is 0." in report
