"""Runs compared from the command line: reports, tables, W&B's fields, and mistakes in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from test_tracking import told

from in_process import Ended, ended
from llm_juries.analysis.runs import keep, read_run
from llm_juries.analysis.tables import Table
from llm_juries.judges.lexical import LexicalJudge
from llm_juries.reporting.conclusion import Conclusion, Line
from llm_juries.reporting.document import Document, write
from llm_juries.reporting.figures import change_forest
from llm_juries.reporting.summary_fields import FIELDS, PREFIX, of_analysis
from llm_juries.types import Reply, Request
from studies import measured, study_of_rows

QUICK = ("analysis.bootstrap.resamples=50", "figures.formats=[png]")


class Model(LexicalJudge):
    """A string rule that is collected and stored like a model, and that may turn its verdicts."""

    free = False
    turned = False

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        replies = await super().ask(requests)
        return [Reply(repr(1 - float(reply.text))) if self.turned else reply for reply in replies]


class Runs(NamedTuple):
    """A folder with two runs, old and new, and what the commands on them said."""

    folder: Path
    difference: Ended
    many: Ended


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    import wandb

    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    human = rng.integers(0, 2, 60)
    hits = rng.random((60, 3)) < (0.7, 0.9, 0.8)
    votes = np.where(hits, human[:, None], 1 - human[:, None])
    rows = [f"q{n},m,{human[n]},{','.join(map(str, row))}" for n, row in enumerate(votes)]
    (folder / "v.csv").write_text("\n".join(["item_id,candidate,human,a,b,c", *rows]))
    given = ("dataset=verdicts", "dataset.path=v.csv", "dataset.name=set", "figures.draw=none")
    first = ended(folder, "analyze", *given, *QUICK, "hydra.run.dir=old")
    assert first.code == 0, first.err + first.bug
    (panel,) = read_run(folder / "old")
    labels = panel.votes.labels.copy()
    labels[:20, 0] = panel.human[:20]
    keep([replace(panel, votes=replace(panel.votes, labels=labels))], folder / "new")
    told_off = ("before=old", "after=new", "hydra.run.dir=diff", "wandb=offline")
    difference = ended(folder, "difference", *told_off, QUICK[1])
    many = ended(folder, "analyze", "runs=[old,new]", "hydra.run.dir=many", *QUICK)
    wandb.teardown()
    return Runs(folder, difference, many)


def test_a_difference_says_the_answer_first(runs: Runs):
    assert runs.difference.code == 0, runs.difference.err + runs.difference.bug
    lines = (runs.folder / "diff" / "report.md").read_text().splitlines()
    assert lines[0] == "# set: new compared with old"
    assert lines[2].startswith("- **Answer:** a: kappa 0.")
    assert lines[2].endswith("clearly better; b, c: the same votes")
    (figure,) = [line for line in lines if line.endswith("(figures/changes.png)")]
    assert "Change of agreement with the human labels: highest a +0." in figure
    assert "The intervals of 1 of 3 changes leave out 0." in figure
    answer = lines[2].removeprefix("- **Answer:** ")
    assert answer in runs.difference.out
    assert answer in (runs.folder / "diff" / "report.html").read_text()
    changes = pd.read_csv(runs.folder / "diff" / "tables" / "changes.csv").set_index("voter")
    assert changes.loc["b", "finding"] == "the same votes"
    flips = pd.read_csv(runs.folder / "diff" / "tables" / "flips.csv").set_index("voter")
    assert flips.loc["a", "worsened"] == 0
    assert (runs.folder / "diff" / "figures" / "changes.png").is_file()


def test_earlier_runs_stand_side_by_side(runs: Runs):
    assert runs.many.code == 0, runs.many.err + runs.many.bug
    wide = pd.read_csv(runs.folder / "many" / "tables" / "by_dataset.csv")
    assert list(wide)[-2:] == ["set@old", "set@new"]
    assert "1 independent, as some share their questions" in runs.many.out
    for name in ("diff", "many"):
        report = (runs.folder / name / "report.md").read_text()
        assert ". Intervals are of 95%, over whole questions." in report
    assert (runs.folder / "many" / "report.html").is_file()


def test_a_dataset_of_one_run_only_is_named_in_the_report(runs: Runs):
    (panel,) = read_run(runs.folder / "old")
    other = replace(panel, dataset=replace(panel.dataset, name="other"))
    keep([panel, other], runs.folder / "more")
    done = ended(
        runs.folder, "difference", "before=more", "after=new", "hydra.run.dir=left", *QUICK[1:]
    )
    assert done.code == 0, done.err + done.bug
    said = "left out, as only one run has it: other"
    assert said in done.err
    assert said in (runs.folder / "left" / "report.md").read_text()


def fields_of(runs: Runs) -> dict[str, Any]:
    (log,) = (runs.folder / "diff").glob("wandb/offline-run-*/run-*.wandb")
    summary = told(log)["summary"]
    return {name: value for name, value in summary.items() if name.startswith(PREFIX)}


def test_a_wandb_run_has_the_fields_that_have_a_value_and_no_other(runs: Runs):
    found = fields_of(runs)
    assert {name.removeprefix(PREFIX) for name in found} <= set(FIELDS)
    assert found["summary/changed_voter"] == "a"
    assert found["summary/finding"] == "clearly better"
    assert found["summary/change_low"] < found["summary/change"] < found["summary/change_high"]
    assert found["summary/items"] == 60
    assert found["summary/worsened"] == 0
    assert "summary/best_jury" not in found
    assert all(value == value and value != "" for value in found.values())


def test_one_dataset_and_several_have_the_same_fields(tmp_path: Path):
    from llm_juries.juries.rules import Jury
    from llm_juries.store.store import Store

    head = "item_id,candidate,human,x,y,z"
    rows = [f"q{n},m,{n % 2},{(n + (n < 2)) % 2},{(n + (n > 24)) % 2},{n % 2}" for n in range(30)]
    jury = [Jury("all", ("x", "y", "z"))]
    studies = [study_of_rows(tmp_path / f"{name}.csv", [head, *rows], jury) for name in "st"]
    with Store(tmp_path / "store") as store:
        one, two = (measured(studies[:number], store) for number in (1, 2))
    single, several = (of_analysis(results.panels, results.tables) for results in (one, two))
    assert list(single) == [PREFIX + name for name in FIELDS if PREFIX + name in single]
    assert single["summary/best_judge"] == several["summary/best_judge"] == "z"
    assert single["summary/best_jury_agreement"] == 1.0
    assert single["summary/gain"] == 0.0
    assert "summary/gain" not in several  # of one dataset only
    assert (several["summary/datasets"], several["summary/items"]) == (2.0, 60.0)
    assert "summary/best_jury_usd_per_1000" not in single


def test_two_stores_hold_what_a_judge_said_then_and_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = [f"q{n},Q{n},yes,{'yes' if n % 3 else 'no'},{int(n % 3 > 0)}" for n in range(30)]
    head = "item_id,question,references,answer,human"
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]))
    asked = (
        "dataset=jsonl", "dataset.path=a.csv",
        "+judges.m={_target_: test_differences.Model, name: m, measure: contains}",
    )  # fmt: skip
    for store, turned in (("then", False), ("now", True)):
        monkeypatch.setattr(Model, "turned", turned)
        done = ended(tmp_path, "judge", *asked, f"store={store}", "progress=none")
        assert done.code == 0, done.err + done.bug
    done = ended(tmp_path, "difference", *asked, "before=then", "after=now", QUICK[1])
    assert done.code == 0, done.err + done.bug
    assert "m: 30 of 30 votes changed, 0 for the better, 30 for the worse" in done.out
    assert ": now compared with then" in next(tmp_path.rglob("report.md")).read_text()


MISTAKES = {
    "one side": (("before=old",), "after: is not set beside before"),
    "the same run": (("before=old", "after=old"), "before and after are both old"),
    "no such run": (("before=old", "after=nowhere"), "nowhere: there is no such run"),
    "a file": (("before=old", "after=v.csv"), "v.csv: is a file; name the folder of a run"),
    "no votes": (("before=old", "after=old/tables"), "holds no votes of an analysis"),
    "a key without use": (
        ("before=old", "after=new", "dataset=verdicts"),
        "dataset=verdicts: is not used",
    ),
    "a threshold without use": (
        ("before=old", "after=new", "analysis.threshold=1"),
        "analysis.threshold=1: is not used",
    ),
    "nothing": ((), "nothing to compare: name two runs"),
    "nothing of a dataset": (
        ("dataset=verdicts", "dataset.path=v.csv"),
        "nothing to compare: name two runs",
    ),
    "no voter": (("before=old", "after=new", "replace={a: d}"), "has no voter 'd'"),
    "three prompts": (
        ("dataset=verdicts", "dataset.path=v.csv",
         "prompts=[zero_shot,few_shot_standard,no_instruction]"),
        "prompts: are 3; name two",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(runs: Runs, mistake: str):
    given, said = MISTAKES[mistake]
    done = ended(runs.folder, "difference", *given, "hydra.run.dir=mistake")
    assert (done.code, done.bug) == (2, "")
    (line,) = [one for one in done.err.splitlines() if one.startswith("error: ")]
    assert said in line


def test_runs_beside_a_dataset_are_one_line(runs: Runs):
    for unused in ("dataset=verdicts", "analysis.margin=0.1"):
        done = ended(runs.folder, "analyze", "runs=[old,new]", unused, "hydra.run.dir=x")
        assert done.code == 2
        assert f"{unused}: is not used, as runs= are earlier analyses" in done.err


def test_of_many_changes_the_largest_are_drawn_up_and_down():
    change = np.linspace(-0.3, 0.2, 50)
    rows = pd.DataFrame({"change": change, "ci_low": change - 0.1, "ci_high": change + 0.1})
    rows = rows.assign(dataset="set", replaced_by="", kind="judge", measure="kappa", margin=0.02)
    ax = change_forest(rows.assign(voter=[f"v{at}" for at in range(50)]))
    drawn = [label.get_text() for label in ax.get_yticklabels()]
    assert (drawn[0], drawn[-1], len(drawn)) == ("v49", "v0", 40)
    assert "v30" not in drawn


def test_a_page_holds_no_control_characters_and_no_markup_of_names(tmp_path: Path):
    name = "a\x1b[31m<b>\u202e"
    table = pd.DataFrame({"voter": [name]})
    described = Table("changes", lambda _: table, "Changes", "Look.", "always")
    conclusion = Conclusion(name, (Line("Answer", name),))
    write(Document(name, name, [conclusion], {"changes": table}, [described]), tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count("a [31m&lt;b&gt;") == 6
    assert not {"\x1b", "\u202e"} & set(page)
