"""Tables of bias, of corrected accuracies and of savings are what their measures say."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from llm_juries.analysis.bias import families, rates, self_preference, spread
from llm_juries.analysis.few_labels import corrected
from llm_juries.analysis.panels import read_panel
from llm_juries.analysis.savings import policies
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.errors import JuriesError
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury
from llm_juries.metrics import few_labels
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from shared_prompts import ANSWER as PROMPT
from studies import as_asked

FEW = Bootstrap(resamples=50)
TRIO = Jury("trio", ("gpt_4", "text_davinci_003", "bem"))
OPENAI = ("text-davinci-003_zeroshot", "text-davinci-003_fewshot-n64")


@pytest.fixture(scope="module")
def study() -> Study:
    dataset = load(
        str(ROOT / "results" / "recorded" / "nq301_qa.csv"),
        columns={"item_id": "item", "candidate": "model"},
        judges={
            "gpt_4": RecordedColumn("openai"),
            "text_davinci_003": RecordedColumn("openai"),
            "bem": RecordedColumn("bert", threshold=0.5),
        },
        empty="unparsed",
    )
    return Study(
        dataset, tuple(Plan(j, dataset, PROMPT) for j in recorded_judges(dataset)), (TRIO,)
    )


@pytest.fixture(scope="module")
def panel(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    with Store(tmp_path_factory.mktemp("nq301")) as store:
        collect(study.plans, store)
        return read_panel(study, store)


@pytest.fixture(scope="module")
def sheet() -> pd.DataFrame:
    return pd.read_csv(ROOT / "results" / "recorded" / "nq301_qa.csv")


def kin(sheet: pd.DataFrame) -> dict[str, str]:
    return {name: "openai" if name in OPENAI else "" for name in sheet["model"].unique()}


def test_spread_is_the_standard_deviation_of_deltas(panel: Panel, sheet: pd.DataFrame):
    own = sheet[sheet["gpt_4"].notna()]
    deltas = (own["gpt_4"] - own["human"]).groupby(own["model"]).mean()
    row = spread(panel, FEW).set_index("voter").loc["gpt_4"]
    assert row["spread"] == pytest.approx(deltas.std(ddof=1), abs=1e-12)
    assert row["ci_low"] <= row["spread"] <= row["ci_high"]
    assert row["candidates"] == 12


def test_rates_of_each_candidate_are_what_pandas_counts(panel: Panel, sheet: pd.DataFrame):
    table = rates(panel, FEW).set_index(["voter", "candidate"])
    right = sheet[(sheet["model"] == "DPR") & (sheet["human"] == 1) & sheet["gpt_4"].notna()]
    row = table.loc[("gpt_4", "DPR")]
    assert row["positives"] == len(right)
    assert row["tpr"] == pytest.approx((right["gpt_4"] == 1).mean())
    assert row["kind"] == "judge"


def test_kin_is_favoured_in_the_recording(panel: Panel, sheet: pd.DataFrame):
    deltas = families(panel, FEW, kin(sheet)).set_index(["judge", "family"])
    own = sheet[sheet["model"].isin(OPENAI)]
    delta = (own["text_davinci_003"] - own["human"]).mean()
    assert deltas.loc[("text_davinci_003", "openai"), "delta"] == pytest.approx(delta)
    assert bool(deltas.loc[("text_davinci_003", "openai"), "own"])
    found = self_preference(panel, FEW, kin(sheet)).set_index("judge")
    assert found.loc["all", "ci_low"] > 0


def test_without_families_there_is_no_table_of_kin(panel: Panel):
    assert families(panel, FEW, {}).empty
    assert self_preference(panel, FEW, {}).empty


def test_where_no_judge_has_kin_there_is_no_regression(panel: Panel, sheet: pd.DataFrame):
    assert self_preference(panel, FEW, dict.fromkeys(kin(sheet), "")).empty


def test_few_labels_correct_each_candidate_as_the_measure_does(panel: Panel):
    table = corrected(panel, FEW, labelled_questions=60)
    assert set(table["method"]) == {"rogan_gladen", "prediction_powered"}
    questions = np.asarray(panel.questions)
    drawn = np.random.default_rng(0).permutation(np.unique(questions))[:60]
    used = np.where(np.isin(questions, drawn), panel.human, math.nan)
    at = panel.votes.names.index("gpt_4")
    expected = few_labels.prediction_powered(
        panel.votes.labels[:, at],
        used,
        [item.candidate for item in panel.dataset.items],
        panel.questions,
    )
    own = table[(table["voter"] == "gpt_4") & (table["method"] == "prediction_powered")]
    np.testing.assert_allclose(own["estimate"], expected.value)
    np.testing.assert_allclose(
        own.set_index("candidate").loc["DPR", "humans"],
        panel.human[[item.candidate == "DPR" for item in panel.dataset.items]].mean(),
    )


def test_the_labels_that_an_interval_takes_are_planned_from_those_there_are(panel: Panel):
    table = corrected(panel, FEW, labelled_questions=60, width=0.15)
    own = table[(table["voter"] == "gpt_4") & (table["method"] == "prediction_powered")]
    row = own.set_index("candidate").loc["FiD"]
    at = [item.candidate == "FiD" for item in panel.dataset.items]
    questions = np.asarray(panel.questions)
    drawn = np.random.default_rng(0).permutation(np.unique(questions))[:60]
    used = np.where(np.isin(questions, drawn), panel.human, math.nan)
    labels = panel.votes.labels[:, panel.votes.names.index("gpt_4")]
    found = few_labels.labels_needed(labels[at], used[at], 0.15)
    for column, number in (
        ("labels_alone", found.human_alone),
        ("labels_beside", found.prediction_powered),
    ):
        assert (None if row[column] is pd.NA else row[column]) == number
    assert found.prediction_powered is not None


def test_with_all_labels_nothing_is_to_be_corrected(panel: Panel):
    assert corrected(panel, FEW).empty
    with pytest.raises(JuriesError, match="labelled_questions: is 400; nq301_qa has labels"):
        corrected(panel, FEW, labelled_questions=400)


def test_a_replay_of_the_trio_saves_calls_and_changes_no_verdict(study: Study, panel: Panel):
    table = policies(panel, study.plans, study.juries, {}).set_index("policy")
    row = table.loc["sequential_majority"]
    assert row["same"] == 1.0
    assert 0.25 < row["calls_saved"] < 1 / 3
    assert math.isnan(row["usd_saved"])
    assert table.loc["cyclic_assignment", "calls_saved"] == pytest.approx(2 / 3)


def test_juries_of_two_or_of_other_rules_have_no_policy(study: Study, panel: Panel):
    juries = [Jury("two", ("gpt_4", "bem")), Jury("mean", TRIO.members, "mean")]
    assert policies(panel, study.plans, juries, {}).empty


def test_a_live_sequential_collection_asks_what_the_replay_said(
    study: Study, panel: Panel, tmp_path: Path
):
    calls = policies(panel, study.plans, study.juries, {}).set_index("policy")["calls"]
    study = replace(study, plans=as_asked(study.plans))
    with Store(tmp_path / "sequential") as store:
        collect([study], store, Policy(asking="sequential"))
        assert len(store) == calls["sequential_majority"]
        found = read_panel(study, store).votes.columns(("trio",))
    np.testing.assert_equal(found.labels, panel.votes.columns(("trio",)).labels)
    with Store(tmp_path / "cyclic") as store:
        collect([study], store, Policy(asking="cyclic"))
        assert len(store) == calls["cyclic_assignment"]


def test_asking_less_needs_a_jury_by_majority_and_a_live_run(study: Study, tmp_path: Path):
    alone = Study(study.dataset, study.plans, ())
    with (
        Store(tmp_path) as store,
        pytest.raises(JuriesError, match="needs a jury that decides by majority"),
    ):
        collect([alone], store, Policy(asking="cyclic"))
    with Store(tmp_path) as store:
        assert len(store) == 0  # said before anyone was asked
    with pytest.raises(JuriesError, match=r"asking=cyclic: .* mode=batch"):
        Policy(asking="cyclic", mode="batch")
