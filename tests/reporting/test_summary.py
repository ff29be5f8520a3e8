"""What a report says in words holds for the votes it was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_juries.analysis.jury_search import Criteria
from llm_juries.analysis.run import Results, measure
from llm_juries.analysis.settings import Analysis
from llm_juries.collect.run import collect
from llm_juries.data.verdicts import load
from llm_juries.errors import JuriesError
from llm_juries.judges.recorded import recorded_judges
from llm_juries.juries.rules import Jury
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.prompts.prompt import Prompt
from llm_juries.reporting import summary
from llm_juries.reporting.page import page
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study

PROMPT = Prompt("p", "{{ answer }}", {"True": 1.0, "False": 0.0})


def study_of(folder: Path, rows: list[str], head: str = "one,two", name: str = "made_up") -> Study:
    """Return a study of rows "human,vote,vote", a question each."""
    path = folder / f"{name}.csv"
    lines = [f"item_id,candidate,human,{head}", *(f"q{n},m,{row}" for n, row in enumerate(rows))]
    path.write_text("\n".join(lines) + "\n")
    dataset = load(str(path))
    plans = tuple(Plan(judge, dataset, PROMPT) for judge in recorded_judges(dataset))
    return Study(dataset, plans, (Jury("both", tuple(head.split(","))),))


def measured(
    folder: Path, *studies: Study, criteria: Criteria | None = None
) -> tuple[Results, str]:
    """Return the tables of some studies, and the report in words; the page lies beside it."""
    with Store(folder / "store") as store:
        collect([plan for study in studies for plan in study.plans], store)
        how = Analysis(bootstrap=Bootstrap(resamples=20), search=criteria or Criteria(rules=()))
        results = measure(studies, store, how)
        drawn = summary.write(results, folder)
        page.write(results, store, folder / "report.html", drawn)
    return results, (folder / "report.md").read_text()


def test_votes_without_labels_are_not_called_no_votes(tmp_path: Path):
    results, said = measured(tmp_path, study_of(tmp_path, [",1,0", ",1,1", ",,0"] * 20))
    assert "has no vote here" not in said
    assert "No human label says what is right" in said
    # Nothing that compares with humans is there to be shown
    assert not {"spread", "families", "error_pairs", "effective_votes"} & set(results.tables)
    assert "figures/" not in said.split("## Files")[0]


def test_a_voter_without_votes_and_one_without_labelled_votes_are_told_apart(tmp_path: Path):
    rows = ["1,1,,", "0,0,,", ",1,1,", ",0,1,"] * 15
    _, said = measured(tmp_path, study_of(tmp_path, rows, "one,elsewhere,never"))
    assert "**never** has no vote here" in said
    assert "**elsewhere** has taken no side on an item with a human label" in said
    assert "Best single judge: **one**" in said


def test_voters_that_say_what_humans_say_and_nothing_else_have_votes(tmp_path: Path):
    _, said = measured(tmp_path, study_of(tmp_path, ["1,1,0", "1,1,1"] * 20))
    assert "**one** and the humans only ever said one and the same thing" in said
    assert "Best single judge: **two**, kappa 0.000" in said
    _, said = measured(tmp_path, study_of(tmp_path, ["1,1,1"] * 40))
    assert "**both** and the humans only ever said one and the same thing" in said
    assert "no item has both" not in said


@pytest.mark.parametrize(("labelled", "few"), [(29, True), (30, False)])
def test_few_labelled_questions_are_few_among_many(tmp_path: Path, labelled: int, few: bool):
    rows = ["1,1,1", "0,0,1"] * 50
    rows = [row if n < labelled else row[1:] for n, row in enumerate(rows)]
    _, said = measured(tmp_path, study_of(tmp_path, rows))
    for text in (said, (tmp_path / "report.html").read_text()):
        assert ("Fewer than 30 questions with a human label" in text) is few


def test_the_page_says_how_many_votes_its_first_voter_lacks(tmp_path: Path):
    rows = ["1,1,1", "0,0,0", "1,0,1", "0,0,1"] * 10
    measured(tmp_path, study_of(tmp_path, rows))
    headline = (tmp_path / "report.html").read_text().split('class="headline"')[1].split("</p>")[0]
    assert "both" in headline
    assert "on 20 items, 20 missing" in headline


def test_a_report_shows_no_jury_that_decides_the_easy_items_only(tmp_path: Path):
    rows = ["1,1,1", "0,0,0", "1,0,1", "0,0,1", "1,1,0", "0,0,0"] * 10
    criteria = Criteria(("majority", "any"), folds=2)
    results, said = measured(tmp_path, study_of(tmp_path, rows), criteria=criteria)
    table = results.tables["juries"].set_index(["rule", "jury"])
    assert not table.loc[("majority", "one + two"), "eligible"]
    shown = said.split("Under `majority`, the 2 of highest kappa of the 2 ")[1]
    majority, either = shown.split("Under `any`, the 3 of highest kappa of the 3 ")
    assert "one + two" not in majority
    assert "one + two" in either


def test_dollars_may_be_of_the_judges_of_any_dataset(tmp_path: Path):
    rows = ["1,1,1", "0,0,0", "1,0,1", "0,0,1"] * 10
    studies = study_of(tmp_path, rows), study_of(tmp_path, rows, "three,four", "other")
    criteria = Criteria(dollars={"one": 1.0, "four": 2.0}, folds=2)
    results, _ = measured(tmp_path, *studies, criteria=criteria)
    usd = results.tables["judges"].set_index("judge")["usd_per_item"]
    assert usd.dropna().to_dict() == {"one": 1.0, "four": 2.0}
    with pytest.raises(JuriesError, match=r"dollars\.fou: .* did you mean four"):
        measured(tmp_path, *studies, criteria=Criteria(dollars={"fou": 2.0}))


def test_a_dataset_too_small_to_search_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    rows = ["1,1,1", "0,0,0", "1,0,1", "0,0,1"] * 10
    small = study_of(tmp_path, ["1,1,1", "0,0,1"], "three,four", "small")
    criteria = Criteria(folds=5)
    results, _ = measured(tmp_path, study_of(tmp_path, rows), small, criteria=criteria)
    assert set(results.tables["juries"]["dataset"]) == {"made_up"}
    assert "folds: small has 2 labelled questions" in caplog.text
    with pytest.raises(JuriesError, match="folds: small has 2 labelled questions"):
        measured(tmp_path, small, criteria=criteria)
