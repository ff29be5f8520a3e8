"""The atlas on sources whose truth is known, and its tables beside those that are committed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import llm_juries as lj
from conftest import ROOT
from llm_juries.analysis.atlas import trios
from llm_juries.analysis.atlas.advice import advise
from llm_juries.analysis.atlas.contrasts import contrasts, cross_fitted
from llm_juries.analysis.atlas.dependence import Moments, effective_votes
from llm_juries.analysis.atlas.source import Source
from llm_juries.analysis.atlas.summary import atlas, facts, left_out, summary, variants
from llm_juries.commands.atlas import atlas as run_atlas
from llm_juries.config.build import build
from llm_juries.config.composing import composed
from llm_juries.errors import JuriesError
from llm_juries.reporting.atlas.sentences import answer

TABLES = ROOT / "results" / "atlas" / "tables"
FEW = lj.Bootstrap(resamples=200)
SMALL = ("a", "b", "c", "d")


def made_up_table(
    rights: dict[str, float], items: int = 1500, *, copies: bool = False
) -> pd.DataFrame:
    """Return verdicts of judges that are right that often; independent, or all copies of one."""
    rng = np.random.default_rng(1)
    human = rng.integers(2, size=items)
    luck = rng.random(items)
    table = pd.DataFrame({"item_id": np.arange(items), "human": human})
    for name, right in rights.items():
        wrong = (luck if copies else rng.random(items)) > right
        table[name] = np.where(wrong, 1 - human, human)
    return table


def made_up(rights: dict[str, float], *, copies: bool = False, items: int = 1500) -> lj.Panel:
    """Return the panel of such a table, in which "big" is a large judge."""
    sizes = {name: {"size": "large" if name == "big" else "small"} for name in rights}
    return lj.read_verdicts(made_up_table(rights, items, copies=copies), sizes)


def kappa(right: float) -> float:
    """Return the kappa of a judge that errs alike on labels of which half are positive."""
    return 2 * right - 1


def majority(right: float) -> float:
    return right**3 + 3 * right**2 * (1 - right)


def test_a_source_with_a_known_gain_is_found() -> None:
    """Four independent judges, right on 80%, beside a large one that is right on 82%."""
    source = Source(made_up({**dict.fromkeys(SMALL, 0.8), "big": 0.82}))
    table, _ = contrasts([source], FEW)
    rows = table.set_index(["side", "beside"])
    row = rows.loc[("best trio of the pool", "best large judge")]
    true = kappa(majority(0.8)) - kappa(0.82)
    assert row["all_low"] < row["ci_low"] < true < row["ci_high"] < row["all_high"]
    assert row["verdict"] == "better"
    assert row["all_low"] > 0
    assert facts(source)["correlation_pool"] == pytest.approx(0, abs=0.05)
    assert facts(source)["effective_votes_pool"] == pytest.approx(4, abs=0.6)


def test_a_source_without_a_gain_is_reported_as_such() -> None:
    """Copies of one judge are worth one judge; and a judge that stands out beats weak ones."""
    copies = Source(made_up(dict.fromkeys(("a", "b", "c"), 0.8), copies=True))
    found = cross_fitted(copies, "best trio of the pool", "best judge")
    assert found is not None
    assert found.gain == 0
    assert Moments(copies, copies.seated).mean_correlation() == pytest.approx(1)
    weak = Source(made_up({**dict.fromkeys(SMALL, 0.6), "big": 0.9}))
    table, _ = contrasts([weak], FEW)
    row = table.set_index(["side", "beside"]).loc[("best trio of the pool", "best judge")]
    assert row["verdict"] == "inferior"
    assert row["all_high"] < 0


def test_choices_are_measured_on_questions_that_had_no_say() -> None:
    """Of twelve judges by chance the best seems better than it is; held out it is worth nothing."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {"item_id": range(80), "human": rng.integers(2, size=80)}
        | {f"j{at}": rng.integers(2, size=80) for at in range(12)}
    )
    source = Source(lj.read_verdicts(table))
    found = cross_fitted(source, "best judge", "best trio of all")
    assert found is not None
    seen = source.measured[source.at("best judge")].max()
    assert seen > 0.1
    assert found.measured[0] < 0


def test_a_trios_lead_and_errors_are_those_of_the_judges() -> None:
    source = Source(made_up({"a": 0.9, "b": 0.7, "c": 0.7}))
    (row,) = trios.trio_points(source).to_dict("records")
    assert row["lead"] == pytest.approx(kappa(0.9) - kappa(0.7), abs=0.06)
    assert row["correlation"] == pytest.approx(0, abs=0.06)
    right = 0.9 * 0.7 * 0.7 + 2 * 0.9 * 0.7 * 0.3 + 0.1 * 0.7 * 0.7
    assert row["gain"] == pytest.approx(kappa(right) - kappa(0.9), abs=0.05)


def test_a_made_up_law_of_trios_is_found_and_its_rule_is_right() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"dataset": f"s{at}", "shares": f"s{at}", "trio": f"t{n}", "lead": lead, "correlation": r}
        for at in range(8)
        for n, (lead, r) in enumerate(rng.uniform((0, 0), (0.4, 0.8), (12, 2)))
    ]
    points = pd.DataFrame(rows)
    points["gain"] = 0.06 - 0.4 * points["lead"] + rng.normal(0, 0.005, len(points))
    model = trios.fit(points)
    table = model.table.set_index("term")
    assert table["ci_low"]["lead"] < -0.4 < table["ci_high"]["lead"]
    assert table["ci_low"]["correlation"] < 0 < table["ci_high"]["correlation"]
    assert model.error < 0.01 < model.baseline
    assert trios.threshold(points) == pytest.approx(0.15, abs=0.02)
    rules = trios.rules(points).set_index("rule")
    assert rules["right"]["seat it if the lead is small"] > 0.9
    assert rules["worth"]["never: the best member"] == 0


def test_gains_without_a_law_have_no_rule() -> None:
    rng = np.random.default_rng(0)
    points = pd.DataFrame(
        {"dataset": np.repeat([f"s{at}" for at in range(6)], 10), "trio": [*map(str, range(60))],
         "lead": rng.random(60), "correlation": rng.random(60), "gain": rng.normal(0, 0.1, 60)}
    ).assign(shares=lambda table: table["dataset"])  # fmt: skip
    model = trios.fit(points)
    assert model.error > 0.97 * model.baseline
    assert trios.rules(points)["right"].max() < 0.65


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"human": [None] * 4}, "has no human labels of two values; label some items first"),
        ({"human": [1] * 4}, "has no human labels of two values; label some items first"),
        ({"b": [None, None, None, 1]}, "1 judges voted on 90% of the labelled items; two are"),
    ],
)
def test_what_cannot_be_compared_is_one_line(table: dict[str, list[object]], said: str) -> None:
    frame = pd.DataFrame(
        {"item_id": [*"wxyz"], "human": [0, 1, 0, 1], "a": [0, 1, 1, 1], "b": [0, 1, 0, 0]} | table
    )
    panel = lj.read_verdicts(frame, ["a", "b"])
    with pytest.raises(JuriesError, match=said):
        Source(panel)


def test_effective_votes_are_kishs() -> None:
    assert effective_votes(3, 0.5) == pytest.approx(1.5)


def committed(name: str) -> pd.DataFrame:
    return pd.read_csv(TABLES / f"{name}.csv")


def test_part_of_the_committed_atlas_comes_out_again() -> None:
    """PRD, the smallest source; all of it is made again by the test that is marked slow."""
    source = Source(lj.read_verdicts("recorded_prd", inconsistent="mean"))
    row = committed("contrasts").set_index(["dataset", "side", "beside"]).loc["recorded_prd"]
    for side, other in (
        ("best trio of the pool", "best judge"),
        ("all judges", "best large judge"),
    ):
        found = cross_fitted(source, side, other)
        assert found is not None
        assert found.gain == pytest.approx(row["gain"][side, other], abs=1e-6)
        assert found.error == pytest.approx(row["error"][side, other], abs=1e-6)
    points = committed("trios").set_index(["dataset", "trio"]).loc["recorded_prd"]
    ours = trios.trio_points(source).set_index("trio")
    for column in ("lead", "correlation", "gain"):
        assert ours[column].to_numpy() == pytest.approx(points[column].to_numpy(), abs=1e-6)
    turned = variants(source).set_index(["side", "rule"])["gain"].loc["best trio of the pool"]
    assert turned["margin"] > 0 > turned["majority"]


def test_the_summary_follows_from_the_committed_contrasts() -> None:
    sources = committed("sources").fillna({"shares": ""})
    shares = {row["dataset"]: row["shares"] or row["dataset"] for _, row in sources.iterrows()}
    for made, name in ((summary, "summary"), (left_out, "left_out")):
        ours, theirs = made(committed("contrasts"), shares), committed(name)
        numbers = theirs.select_dtypes("number").columns
        assert ours[numbers].to_numpy(float) == pytest.approx(
            theirs[numbers].to_numpy(float), abs=1e-4, nan_ok=True
        )


def test_figures_computed_elsewhere_come_out_to_three_places() -> None:
    table = committed("published")
    assert len(table) >= 13
    assert (table["ours"] - table["figure"]).abs().max() < 5.1e-4 + 1e-9


@pytest.mark.slow
def test_the_committed_atlas_comes_out_again(tmp_path: Path) -> None:
    cfg = composed("atlas", [])
    sources = [
        Source(lj.read_verdicts(build(node, "datasets"), inconsistent="mean"))
        for node in cfg.datasets
    ]
    found = atlas(sources, lj.Bootstrap(resamples=cfg.bootstrap.resamples), cfg.margin)
    for name, table in found.tables.items():
        theirs = committed(name)
        assert list(table) == list(theirs)
        for column in theirs:
            ours = table[column]
            if pd.api.types.is_numeric_dtype(ours):
                assert ours.to_numpy(float) == pytest.approx(
                    theirs[column].to_numpy(float), abs=2e-6, nan_ok=True
                )
            else:
                known = theirs[column].astype(object).fillna("")  # an empty column reads as numbers
                assert ours.astype(str).tolist() == known.astype(str).tolist()


def test_advice_seats_a_jury_that_is_better_and_not_one_that_is_worse() -> None:
    better = lj.advise(made_up({**dict.fromkeys(SMALL, 0.8), "big": 0.82}))
    assert better.decision == "seat the jury"
    assert better.ci_low > 0
    worse = lj.advise(made_up({"a": 0.6, "b": 0.6, "big": 0.95}))
    assert worse.decision == "ask the judge alone"
    assert worse.judge == "big"
    assert worse.questions_needed < worse.questions


def test_advice_on_a_few_items_says_that_they_do_not_decide_and_what_would() -> None:
    panel = made_up({**dict.fromkeys(SMALL, 0.7), "big": 0.8}, items=40)
    advice = lj.advise(panel, dict.fromkeys((*SMALL, "big"), 0.001))
    assert advice.decision == "not decided"
    assert advice.ci_low < 0 < advice.ci_high
    assert advice.questions_needed > advice.questions == 40
    assert advice.judge_usd == 0.001
    assert advice.usd == pytest.approx(0.001 * len(advice.jury))
    assert advice.usd_needed == pytest.approx(0.005 * advice.questions_needed)
    assert len(advice.lines) == 10
    assert str(advice).startswith("verdicts: 40 labelled items of 40 questions, 5 judges")
    leans = "the jury" if advice.gain > 0 else f"{advice.judge} alone"
    assert f"they lean to {leans}\n" in str(advice)


def test_the_atlas_does_not_change_what_a_pilot_says() -> None:
    """A map on which every trio loses much, or gains much, leaves the decision as it is."""
    source = made_up({**dict.fromkeys(SMALL, 0.7), "big": 0.75}, items=40)
    points = trios.trio_points(Source(made_up({**dict.fromkeys(SMALL, 0.8), "big": 0.82})))
    low, high = (
        advise(source, points.assign(gain=points["gain"] + shift)) for shift in (-1.0, 1.0)
    )
    assert low.expected < -0.5 < 0.5 < high.expected
    assert low.lines[:-1] == high.lines[:-1]


@pytest.mark.parametrize("right", [0.8, 1.0])
def test_few_labels_decide_nothing_and_copies_show_nothing(right: float) -> None:
    advice = lj.advise(made_up(dict.fromkeys(("a", "b", "c"), right), items=12))
    assert advice.decision == "not decided"
    assert "fewer than 20 labelled questions decide nothing" in advice.lines[1]
    assert np.isnan(advice.questions_needed)
    assert "12 questions are too few to plan from; label 20 first" in str(advice)
    copies = lj.advise(made_up(dict.fromkeys(("a", "b", "c"), right), items=12, copies=True))
    assert np.isnan(copies.ci_low)
    assert copies.verdict == "not shown"


def test_a_small_atlas_says_no_more_than_it_knows() -> None:
    found = atlas([Source(made_up({**dict.fromkeys(SMALL, 0.6), "big": 0.9}, items=300))], FEW)
    said = " ".join(answer(found))
    assert "nan" not in said
    assert "is not shown on any of these tasks" in said
    assert "rule of thumb is learnt on one source and tried on another" in said
    assert "stands out" not in said
    assert found.rules.empty


def test_an_atlas_of_few_questions_or_without_trios_is_one_line() -> None:
    with pytest.raises(JuriesError, match="verdicts: has 12 questions with a label; the atlas"):
        atlas([Source(made_up(dict.fromkeys(SMALL, 0.8), items=12))], FEW)
    with pytest.raises(JuriesError, match="datasets: none has a trio of small judges"):
        atlas([Source(made_up({"a": 0.8, "b": 0.8}))], FEW)


def test_trios_that_cannot_be_measured_are_no_points_of_the_model() -> None:
    """On two items, half of them has one label only."""
    points = trios.trio_points(Source(made_up(dict.fromkeys(SMALL, 0.8), items=2)))
    assert points["gain"].isna().all()
    assert np.isnan(trios.fit(points).table["estimate"]).all()
    assert trios.rules(points).empty


def test_advice_does_not_know_what_nobody_said() -> None:
    advice = lj.advise(made_up({"a": 0.7, "b": 0.7}, items=60))  # no trio, so no place on the map
    assert np.isnan(advice.expected)
    assert np.isnan(advice.usd)
    assert "jury unknown, judge unknown" in str(advice)
    with pytest.raises(JuriesError, match=r"dollars.x: there is no such judge"):
        lj.advise(made_up({"a": 0.7, "b": 0.7}, items=60), {"x": 1.0})
    with pytest.raises(JuriesError, match="margin: 2"):
        lj.advise(made_up({"a": 0.7, "b": 0.7}, items=60), margin=2)
    for usd in (-1.0, np.nan):
        with pytest.raises(JuriesError, match=r"dollars.a: is (-1|nan); give what an item costs"):
            lj.advise(made_up({"a": 0.7, "b": 0.7}, items=60), {"a": usd})


def test_the_readme_says_what_the_atlas_found() -> None:
    page = (ROOT / "results" / "atlas" / "README.md").read_text()
    (said,) = [text for text in page.split("\n\n") if text.startswith("Beside the best single")]
    assert said in " ".join((ROOT / "README.md").read_text().split())
    assert said in (ROOT / "results" / "atlas" / "index.html").read_text()


def test_a_source_is_one_yaml_and_one_table(tmp_path: Path) -> None:
    """By the command, beside another source; its three answers are an ensemble of its judge."""
    made_up_table({**dict.fromkeys(SMALL, 0.8), "big": 0.82}, 300).assign(
        a_k3=lambda table: table["human"]
    ).to_csv(tmp_path / "mine.csv", index=False)
    sizes = "".join(f"  {name}: {{size: small}}\n" for name in SMALL)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text(
        f"_target_: llm_juries.data.verdicts.load\npath: {tmp_path}/mine.csv\nname: mine\n"
        f"about: {{licence: MIT, citation: me}}\njudges:\n{sizes}  big: {{size: large}}\n"
        "  a_k3: {size: small, repeats_of: a, calls: 3}\nlimit: null\nseed: null\n"
    )
    given = ["datasets=[recorded_prd,mine]", f"results={tmp_path}/out", "bootstrap.resamples=50"]
    run_atlas(composed("atlas", given, tmp_path))
    found = pd.read_csv(tmp_path / "out" / "tables" / "contrasts.csv").set_index(
        ["dataset", "side", "beside"]
    )
    assert found["value"]["mine", "one judge three times", "best judge"] == 1
    assert found["gain"]["mine", "best trio of the pool", "best large judge"] > 0
    assert (tmp_path / "out" / "index.html").stat().st_size
    assert {path.stem for path in (tmp_path / "out" / "figures").glob("*.png")} == {
        "forest", "sides", "trios", "rules_and_scales",
    }  # fmt: skip
