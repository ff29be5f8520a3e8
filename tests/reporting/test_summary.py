"""What a report says in words holds for the votes it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from llm_juries.analysis.jury_search import Criteria
from llm_juries.analysis.run import Results, measure
from llm_juries.analysis.settings import Analysis, Settings
from llm_juries.data.verdicts import load
from llm_juries.errors import JuriesError
from llm_juries.juries.rules import Jury
from llm_juries.reporting import summary
from llm_juries.reporting.drawing import draw, not_drawn
from llm_juries.reporting.figures import FigureOptions
from llm_juries.reporting.page import page
from llm_juries.store.store import Store
from llm_juries.study import Study
from studies import measured, study_of_rows

pytestmark = pytest.mark.slow


def made_up(
    folder: Path, rows: list[str], head: str = "one,two", name: str = "made_up", **how: Any
) -> Study:
    """Return a study of rows "human,vote,vote", a question each, and of the jury of all judges."""
    lines = [f"item_id,candidate,human,{head}", *(f"q{n},m,{row}" for n, row in enumerate(rows))]
    juries = [Jury("both", tuple(head.split(",")))]
    return study_of_rows(folder / f"{name}.csv", lines, juries, **how)


def reported(
    folder: Path,
    *studies: Study,
    analysis: Analysis | None = None,
    figures: Literal["all", "none"] = "none",
) -> tuple[Results, str, set[str]]:
    """Return the tables of some studies, report.md and the figures; the page lies beside it."""
    with Store(folder / "store") as store:
        results = measured(studies, store, analysis)
        drawn = summary.write(results, folder, options=FigureOptions(draw=figures))
        page.write(results, store, folder / "report.html", drawn)
    return results, (folder / "report.md").read_text(), {path.stem for path in drawn}


def conclusion_of(folder: Path) -> str:
    """Return the lines at the top of the page, which are those of report.md."""
    text = (folder / "report.html").read_text()
    return text.split('<dl class="conclusion">')[1].split("</dl>")[0]


def test_votes_without_labels_are_not_called_no_votes(tmp_path: Path):
    results, report, _ = reported(
        tmp_path, made_up(tmp_path, [",1,0", ",1,1", ",,0"] * 20), figures="all"
    )
    assert "has no votes" not in report
    assert "There are no human labels to compare the voters with" in report
    # Nothing that compares with humans is there to be shown
    assert not {"spread", "families", "error_pairs", "effective_votes"} & set(results.tables)
    assert "figures/" not in report.split("## Files")[0]


def test_a_voter_without_votes_and_one_without_labelled_votes_are_told_apart(tmp_path: Path):
    rows = ["1,1,,", "0,0,,", ",1,1,", ",0,1,"] * 15
    names = "one,elsewhere,never"
    study = made_up(tmp_path, rows, names, judges=tuple(names.split(",")), empty="unparsed")
    _, report, _ = reported(tmp_path, study)
    assert "**never** has no votes; see the table of outcomes" in report
    assert "**elsewhere** has no vote on an item with a human label" in report
    assert "Best single judge: **one**" in report


def test_figures_that_are_left_out_are_named(tmp_path: Path):
    study = made_up(tmp_path, ["1,1,0", "0,0,1", "1,1,1", "0,0,0"] * 10)
    with Store(tmp_path / "store") as store:
        results = measured([study], store)
    drawn = draw(results, tmp_path, FigureOptions(draw="main"))
    assert [path.stem for path in drawn] == ["kappa", "gains"]
    assert {"deltas_made_up", "errors_made_up"} <= set(drawn.left_out)
    said = not_drawn(drawn)
    assert said.startswith(f"Left out by figures.draw: {', '.join(drawn.left_out)}. Not drawn")
    assert "deltas (" not in said
    assert "battles (" in said
    assert not draw(results, tmp_path, FigureOptions(draw="none"))


def test_voters_that_say_what_humans_say_and_nothing_else_have_votes(tmp_path: Path):
    for rows, right in (
        (["1,1,0", "1,1,1"] * 20, "one, both"),
        (["1,1,1"] * 40, "one, two, both"),
    ):
        _, report, _ = reported(tmp_path, made_up(tmp_path, rows))
        assert report.count("All human labels are the same, so kappa says nothing") == 1
        assert f"Right most often: **{right}**, accuracy 1.000." in report
        assert "Best single judge" not in report
        assert "has no votes" not in report
        assert "no item has both" not in report


@pytest.mark.parametrize(("labelled", "few"), [(19, True), (20, False)])
def test_few_labelled_questions_are_few_among_many(tmp_path: Path, labelled: int, few: bool):
    rows = ["1,1,1", "0,0,1"] * 50
    rows = [row if n < labelled else row[1:] for n, row in enumerate(rows)]
    _, report, _ = reported(tmp_path, made_up(tmp_path, rows))
    for text in (report, (tmp_path / "report.html").read_text()):
        assert ("ewer than 20 questions with a human label" in text) is few


def test_the_page_says_how_many_votes_its_first_voter_lacks(tmp_path: Path):
    rows = ["1,1,1", "0,0,0", "1,0,1", "0,0,1"] * 10
    reported(tmp_path, made_up(tmp_path, rows))
    said = conclusion_of(tmp_path)
    assert "judge two, kappa" in said
    assert "jury both, kappa 0.500 with ties" in said  # it decides the easy half only
    lacking = made_up(tmp_path, [*rows, "1,0,", "0,1,"], name="other", empty="unparsed")
    _, report, _ = reported(tmp_path, lacking)
    assert "2 of two" in conclusion_of(tmp_path)
    assert "no judge" not in report


def test_a_judge_that_voted_on_three_of_120_items_is_nowhere_called_the_best(tmp_path: Path):
    rows = [
        f"{h},{h if n < 3 else ''},{h if n % 5 else 1 - h}" for n in range(120) for h in (n % 2,)
    ]
    study = made_up(tmp_path, rows, "few,many", empty="unparsed")
    results, report, _ = reported(tmp_path, study)
    table = results.tables["agreement"].set_index("voter")
    assert table.loc["few", "kappa"] == 1
    assert table["eligible"].to_dict() == {"few": False, "many": True, "both": False}
    assert table.loc["few", "accuracy_worst"] == pytest.approx(3 / 120)
    assert table.loc["few", "accuracy_best"] == 1
    assert set(results.tables["against_best"]["judge"]) == {"many"}
    assert "Best single judge: **many**" in report
    assert "less than 90% of the labelled items, so never called the best nor compared" in report
    assert "too few for a finding" in report  # the jury, which decides nothing where few is silent
    shown = (tmp_path / "report.html").read_text()
    assert "judge many, kappa" in conclusion_of(tmp_path)
    assert "judge few" not in conclusion_of(tmp_path)
    assert "judge, voted on too few items to be the best" in shown
    assert shown.index('<th scope="row">many') < shown.index('<th scope="row">few')


def test_where_nobody_voted_on_enough_items_nobody_is_the_best(tmp_path: Path):
    rows = [
        f"{h},{h if n < 50 else ''},{h if n > 70 else ''}" for n in range(120) for h in (n % 2,)
    ]
    results, report, _ = reported(tmp_path, made_up(tmp_path, rows, empty="unparsed"))
    assert results.tables["against_best"].empty
    assert "Best single judge" not in report
    assert "no voter has a kappa and votes on 90% of the labelled items" in conclusion_of(tmp_path)


def test_a_report_shows_no_jury_that_decides_the_easy_items_only(tmp_path: Path):
    rows = ["1,1,1", "0,0,0", "1,0,1", "0,0,1", "1,1,0", "0,0,0"] * 10
    criteria = Criteria(("majority", "any"))
    results, report, _ = reported(
        tmp_path, made_up(tmp_path, rows), analysis=Analysis(search=criteria)
    )
    table = results.tables["juries"].set_index(["rule", "jury"])
    pair, best = table.loc[("majority", "one + two")], table.loc[("majority", "one")]
    assert pair["undecided"] == 30
    assert pair["kappa"] == best["kappa"] == table.loc["majority", "kappa"].max()
    assert "picked on the items they are measured on" in report
    assert report.count("that vote on enough items, undecided ones counted") == 2


def test_a_jury_that_the_search_picks_is_said_to_be_picked_on_its_items(tmp_path: Path):
    truth = [n % 2 for n in range(60)]
    votes = [[h if n % 10 != at else 1 - h for at in range(3)] for n, h in enumerate(truth)]
    rows = [f"{h},{','.join(map(str, own))}" for h, own in zip(truth, votes, strict=True)]
    study = made_up(tmp_path, rows, "one,two,three")
    _, report, _ = reported(tmp_path, study, analysis=Analysis(search=Criteria()))
    assert "- Jury **both**: the search by majority picks this jury on the items" in report
    assert "too high, since a search picked it on these items" in conclusion_of(tmp_path)
    _, report, _ = reported(tmp_path, study)
    assert "the search by" not in report


def test_dollars_may_be_of_the_judges_of_any_dataset(tmp_path: Path):
    rows = ["1,1,1", "0,0,0", "1,0,1", "0,0,1"] * 10
    studies = made_up(tmp_path, rows), made_up(tmp_path, rows, "three,four", "other")
    criteria = Criteria(dollars={"one": 1.0, "four": 2.0})
    results, _, _ = reported(tmp_path, *studies, analysis=Analysis(search=criteria))
    usd = results.tables["judges"].set_index("judge")["usd_per_item"]
    assert usd.dropna().to_dict() == {"one": 1.0, "four": 2.0}
    with pytest.raises(JuriesError, match=r"dollars\.fou: .* did you mean four"):
        reported(tmp_path, *studies, analysis=Analysis(search=Criteria(dollars={"fou": 2.0})))


def test_a_dataset_too_small_to_search_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    rows = ["1,1,1", "0,0,0", "1,0,1", "0,0,1"] * 10
    small = made_up(tmp_path, ["1,1,", "0,,1", ",,0"], "three,four", "small")
    criteria = Criteria()
    results, _, _ = reported(
        tmp_path, made_up(tmp_path, rows), small, analysis=Analysis(search=criteria)
    )
    assert set(results.tables["juries"]["dataset"]) == {"made_up"}
    assert "small: no judge has a kappa and votes on 90% of the labelled items" in caplog.text
    with pytest.raises(JuriesError, match="small: no judge has a kappa and votes on 90%"):
        reported(tmp_path, small, analysis=Analysis(search=criteria))


def pairs_of(folder: Path, rows: list[str]) -> Study:
    """Return a study of rows "item,human:judge,label", each in both orders."""
    lines = [row.replace(":", f",{order},") for row in rows for order in ("original", "swapped")]
    head = "item_id,human,order,judge,label"
    return study_of_rows(folder / "pairs.csv", [head, *lines], pairs=True, words={"tie": 0.5})


def test_without_labels_nobody_is_said_to_have_no_vote(tmp_path: Path):
    rows = [f"{n},:{judge},{n % 2}" for n in range(4) for judge in "ab"]
    _, report, figures = reported(tmp_path, pairs_of(tmp_path, rows), figures="all")
    assert "There are no human labels to compare the voters with" in report
    assert "has no votes" not in report
    assert "| kappa" not in report
    assert figures == {"position_pairs"}  # no heat map of errors that nobody can know


def test_ties_of_humans_are_counted_apart(tmp_path: Path):
    rows = ["1,1:a,1", "2,0:a,0", "3,tie:a,1", "4,tie:a,tie", "5,1:a,tie"]
    analysis = Analysis(Settings(inconsistent="tie"))
    _, report, _ = reported(tmp_path, pairs_of(tmp_path, rows), analysis=analysis)
    assert "3 with a human label; 67% of them positive. Humans call 2 more a tie" in report
    assert "A pair whose two orders point to different sides counts as a tie." in report
    assert "kappa 1.000 [" in report
    assert "1 votes missing" in report  # a vote for neither is on no side


def test_one_kind_of_label_gives_no_kappa_and_is_told_so(tmp_path: Path):
    _, report, _ = reported(tmp_path, pairs_of(tmp_path, ["1,1:a,1"]))
    assert "All human labels are the same, so kappa says nothing" in report


def test_an_analysis_of_nobody_is_told_in_one_line(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("item_id,human,a\n1,1,1\n")
    with (
        Store(tmp_path / "store") as store,
        pytest.raises(
            JuriesError,
            match=r"dataset t: has no voters; name some",
        ),
    ):
        measure([Study(load(str(path)), (), ())], store)
