"""An escalating jury asks its large judge only where its small ones are not confident."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ROOT
from llm_juries.analysis.panels import read_panel
from llm_juries.collect.policy import Policy
from llm_juries.collect.run import collect
from llm_juries.config.named import load_jury
from llm_juries.data.dataset import Dataset
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.errors import JuriesError
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.escalation import EscalatingJury
from llm_juries.juries.pooling import context_of
from llm_juries.juries.rules import Jury
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from shared_prompts import ANSWER as PROMPT
from studies import as_asked

SEQUENTIAL = Policy(asking="sequential")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load(
        str(ROOT / "results" / "recorded" / "nq301_qa.csv"),
        columns={"item_id": "item", "candidate": "model"},
        judges={"gpt_4": RecordedColumn("openai"), "bem": RecordedColumn("bert", threshold=0.5)},
        empty="unparsed",
    )


def study(dataset: Dataset, jury: Any) -> Study:
    plans = as_asked(Plan(judge, dataset, PROMPT) for judge in recorded_judges(dataset))
    return Study(dataset, plans, (jury,))


def test_the_large_judge_is_asked_about_the_rest_and_the_verdicts_are_the_same(
    dataset: Dataset, tmp_path: Path
):
    jury = load_jury("nq301_escalation")
    assert isinstance(jury, EscalatingJury)
    one = study(dataset, jury)
    with Store(tmp_path / "all") as store:
        collect([one], store)
        panel = read_panel(one, store)
    with Store(tmp_path / "sequential") as store:
        collect([one], store, SEQUENTIAL)
        sparing = read_panel(one, store)
    np.testing.assert_equal(
        sparing.votes.columns((jury.name,)).labels, panel.votes.columns((jury.name,)).labels
    )
    found = jury.calibrate(panel.votes, context_of(dataset))
    assert (found.n, round(found.bound, 3)) == (200, 0.131)
    asked = sparing.votes.columns(("gpt_4",)).outcomes[:, 0] != "not_asked"
    assert 0.1 < asked.mean() < 0.4
    sure = np.abs(2 * panel.votes.columns(("bem",)).scores[:, 0] - 1) >= found.threshold
    np.testing.assert_array_equal(asked, ~sure)


def test_a_jury_without_labels_to_calibrate_on_is_refused(dataset: Dataset, tmp_path: Path):
    from dataclasses import replace

    unlabelled = replace(dataset, items=tuple(replace(i, human=None) for i in dataset.items))
    one = study(unlabelled, load_jury("nq301_escalation"))
    with Store(tmp_path) as store, pytest.raises(JuriesError, match="label to calibrate on"):
        collect([one], store, SEQUENTIAL)


def test_asking_cyclic_does_not_serve_an_escalating_jury(dataset: Dataset, tmp_path: Path):
    one = study(dataset, load_jury("nq301_escalation"))
    with Store(tmp_path) as store, pytest.raises(JuriesError, match="needs a jury that decides"):
        collect([one], store, Policy(asking="cyclic"))
    assert not list(tmp_path.iterdir())
    mean = Jury("m", ("gpt_4", "bem"), "mean")
    with Store(tmp_path) as store, pytest.raises(JuriesError, match="majority or escalates"):
        collect([study(dataset, mean)], store, SEQUENTIAL)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"large": "gpt"}, "large='gpt' is not a member; did you mean gpt_4"),
        ({"members": ("gpt_4",)}, "has no small members"),
        ({"members": ("bem", "bem", "gpt_4")}, "names a judge twice"),
        ({"risk": 0.0}, "risk is 0.0; it must be between 0 and 1"),
    ],
)
def test_a_mistake_in_the_jury_is_one_line(changes: dict[str, Any], said: str):
    given: dict[str, Any] = {"members": ("bem", "gpt_4"), "large": "gpt_4", "risk": 0.1}
    with pytest.raises(JuriesError, match=said):
        EscalatingJury("e", **{**given, **changes})
