"""What report.md says: of whom, against what, and where there is nothing to measure against."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_juries.analysis.run import measure
from llm_juries.analysis.settings import Analysis, Settings
from llm_juries.collect.run import collect
from llm_juries.data.verdicts import Layout, load
from llm_juries.errors import JuriesError
from llm_juries.judges.recorded import recorded_judges
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.prompts.prompt import Prompt
from llm_juries.reporting.summary import write
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study

PROMPT = Prompt("p", "{{ answer }}", {"True": 1, "False": 0})
HEAD = "item_id,human,order,judge,label\n"


def reported(folder: Path, rows: list[str], **options: str) -> tuple[str, set[str]]:
    """Return report.md and the figures' names of a table of pairs, each in both orders."""
    path = folder / "pairs.csv"
    lines = [
        row.replace(":", f",{order},")
        for row in rows
        for order in ("original", "swapped")
    ]  # fmt: skip
    path.write_text(HEAD + "\n".join(lines) + "\n")
    dataset = load(str(path), pairs=True, layout=Layout(words={"tie": 0.5}))
    study = Study(dataset, tuple(Plan(j, dataset, PROMPT) for j in recorded_judges(dataset)), ())
    with Store(folder / "store") as store:
        collect(study.plans, store)
        how = Analysis(Settings(**options), Bootstrap(resamples=20))  # type: ignore[arg-type]
        found = measure([study], store, how)
    drawn = write(found, folder / "out")
    return (folder / "out" / "report.md").read_text(), {path.stem for path in drawn}


def test_without_labels_nobody_is_said_to_have_no_vote(tmp_path: Path):
    rows = [f"{n},:{judge},{n % 2}" for n in range(4) for judge in "ab"]
    report, figures = reported(tmp_path, rows)
    assert "No human label says what is right" in report
    assert "has no vote here" not in report
    assert "| kappa" not in report
    assert figures == {"position_pairs"}  # no heat map of errors that nobody can know


def test_ties_of_humans_are_counted_apart(tmp_path: Path):
    rows = ["1,1:a,1", "2,0:a,0", "3,tie:a,1", "4,tie:a,tie", "5,1:a,tie"]
    report, _ = reported(tmp_path, rows, inconsistent="tie")
    assert "3 with a human label; 67% of them positive. Humans call 2 more a tie" in report
    assert "A pair whose two orders are on different sides counts as a tie." in report
    assert "kappa 1.000 [" in report
    assert "1 votes missing" in report  # a vote for neither is on no side


def test_one_kind_of_label_gives_no_kappa_and_is_told_so(tmp_path: Path):
    report, _ = reported(tmp_path, ["1,1:a,1"])
    assert "only ever said one and the same thing" in report


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
