"""The six lines that an analysis ends with say what its tables say, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llm_juries.analysis.jury_search import Criteria
from llm_juries.analysis.settings import Analysis
from llm_juries.juries.rules import Jury
from llm_juries.reporting.conclusion import Conclusion, Line, conclusions
from llm_juries.scale import Scale
from llm_juries.store.store import Store
from llm_juries.study import Study
from studies import measured, study_of_rows


def study(
    folder: Path, votes: np.ndarray, human: list[str], juries: list[Jury], **how: object
) -> Study:
    """Return a study of 0/1 votes, NaN for none, a question a row."""
    names = [f"judge_{at}" for at in range(votes.shape[1])]
    cells = [["" if np.isnan(vote) else f"{vote:.0f}" for vote in row] for row in votes]
    rows = [f"q{n},m,{human[n]},{','.join(row)}" for n, row in enumerate(cells)]
    lines = [f"item_id,candidate,human,{','.join(names)}", *rows]
    return study_of_rows(folder / "votes.csv", lines, juries, **how)


def lines_of(folder: Path, made: Study, analysis: Analysis | None = None) -> dict[str, str]:
    with Store(folder / "store") as store:
        (found,) = conclusions(measured([made], store, analysis))
    assert len(found.lines) <= 6
    return {line.about: line.text for line in found.lines}


def noisy(rng: np.random.Generator, truth: np.ndarray, errors: float, judges: int) -> np.ndarray:
    wrong = rng.random((len(truth), judges)) < errors
    return np.where(wrong, 1 - truth[:, None], truth[:, None]).astype(float)


@pytest.fixture
def truth() -> np.ndarray:
    return np.arange(200) % 2


TRIO = Jury("trio", ("judge_0", "judge_1", "judge_2"))


def test_a_jury_that_is_clearly_better_leaves_nothing_to_settle(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(0), truth, 0.25, 7)
    all_of = Jury("all", tuple(f"judge_{at}" for at in range(7)))
    found = lines_of(tmp_path, study(tmp_path, votes, [str(h) for h in truth], [all_of]))
    assert found["Best"].startswith("jury all, kappa ")
    assert "; judge judge_" in found["Best"]
    assert found["Difference"].endswith("clear")
    assert "not clear" not in found["Difference"]
    assert "To settle it" not in found
    assert found["Votes"].startswith(
        "the 7 seats of all may make independent errors: they count as"
    )
    assert found["Missing"].startswith("none, of 200 votes each; cost unknown")


def test_votes_say_how_errors_go_together(tmp_path: Path, truth: np.ndarray):
    """Copies err together; who says yes too often and who says no too often in opposite ways."""
    at = np.arange(len(truth))
    once = np.where(at % 5 == 0, 1 - truth, truth).astype(float)
    copies = np.stack([once, once, np.where(at % 7 == 0, 1 - truth, truth)], axis=1)
    yes, no = np.where(at % 3 == 0, 1.0, truth), np.where(at % 3 == 0, 0.0, truth)
    for name, votes, said in (("c", copies, "the same"), ("o", np.stack([yes, no], 1), "opposite")):
        (tmp_path / name).mkdir()
        jury = Jury("some", tuple(f"judge_{at}" for at in range(votes.shape[1])))
        found = lines_of(tmp_path, study(tmp_path / name, votes, [str(h) for h in truth], [jury]))
        assert f" seats of some tend to make {said} errors: they count as " in found["Votes"]


def test_a_judge_that_is_ahead_of_its_jury_is_named_first(tmp_path: Path, truth: np.ndarray):
    rng = np.random.default_rng(8)
    votes = np.hstack([noisy(rng, truth, 0.05, 1), noisy(rng, truth, 0.4, 2)])
    found = lines_of(tmp_path, study(tmp_path, votes, [str(h) for h in truth], [TRIO]))
    assert found["Best"].startswith("judge judge_0, kappa ")
    assert "; jury trio, kappa " in found["Best"]


def test_an_open_difference_names_the_labels_that_would_settle_it(
    tmp_path: Path, truth: np.ndarray
):
    rng = np.random.default_rng(1)
    votes = noisy(rng, truth, 0.1, 3)
    votes[:, 1:] = np.where(rng.random((200, 2)) < 0.1, 1 - votes[:, :1], votes[:, :1])
    human = [str(h) if n < 120 else "" for n, h in enumerate(truth)]
    found = lines_of(tmp_path, study(tmp_path, votes, human, [TRIO]))
    assert "not clear" in found["Difference"]
    assert "80 of them at hand" in found["To settle it"]


def test_a_search_is_reported_by_its_gain_on_questions_not_seen(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(2), truth, 0.2, 3)
    made = study(tmp_path, votes, [str(h) for h in truth], [TRIO])
    found = lines_of(tmp_path, made, Analysis(search=Criteria()))
    assert "choosing a jury by majority instead of a judge gains" in found["Difference"]
    assert "too high, since a search picked it on these items" in found["Best"]


def test_without_labels_nobody_is_called_best(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(3), truth, 0.2, 3)
    found = lines_of(tmp_path, study(tmp_path, votes, [""] * 200, [TRIO]))
    assert found["Labels"] == "none, so no voter is measured against humans"
    assert "over 3 pairs of judges" in found["Between judges"]
    assert "Best" not in found
    assert "label export" in found["To settle it"]


def test_labels_that_are_all_the_same_call_nobody_best(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(3), truth, 0.2, 3)
    (said,) = lines_of(tmp_path, study(tmp_path, votes, ["1"] * 200, [TRIO])).values()
    assert said.startswith("all human labels are the same, so no voter can be called best; right ")


def test_who_voted_on_few_items_is_not_right_most_often(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(3), truth, 0.2, 2)
    votes[:, 0] = np.where(np.arange(200) < 3, 1, np.nan)
    (said,) = lines_of(tmp_path, study(tmp_path, votes, ["1"] * 200, [])).values()
    assert "; right most often: judge_1, accuracy " in said


def test_without_a_jury_the_best_judge_stands_alone(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(4), truth[:30], 0.2, 3)
    votes[:4, 2] = np.nan
    made = study(tmp_path, votes, [str(h) for h in truth[:30]], [], empty="unparsed")
    found = lines_of(tmp_path, made)
    assert "no jury was measured" in found["Best"]
    assert "Difference" not in found
    assert found["Missing"].startswith("4 of judge_2, of 30 votes each")


def test_the_missing_votes_of_one_more_voter_are_in_the_singular(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(5), truth, 0.2, 4)
    votes[0] = np.nan
    found = lines_of(tmp_path, study(tmp_path, votes, [str(h) for h in truth], []))
    assert "judge_2 and some of 1 other, of 200 votes each" in found["Missing"]


def test_a_voter_of_few_items_is_not_the_best(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(5), truth, 0.2, 2)
    votes[:, 0] = np.where(np.arange(200) < 3, truth, np.nan)
    made = study(tmp_path, votes, [str(h) for h in truth], [], empty="unparsed")
    assert lines_of(tmp_path, made)["Best"].startswith("judge judge_1, ")


def test_judges_that_are_tied_for_the_best_are_named(tmp_path: Path, truth: np.ndarray):
    rng = np.random.default_rng(5)
    good, bad = noisy(rng, truth, 0.05, 1), noisy(rng, truth, 0.4, 1)
    made = study(tmp_path, np.hstack([good, good, bad]), [str(h) for h in truth], [])
    best = lines_of(tmp_path, made)["Best"]
    assert best.startswith("judge judge_1, kappa 0.")
    assert "], tied with judge_0; no jury was measured" in best


def test_few_questions_are_a_rough_guide(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(6), truth[:12], 0.2, 3)
    found = lines_of(tmp_path, study(tmp_path, votes, [str(h) for h in truth[:12]], [TRIO]))
    assert "fewer than 20 questions with a human label, so a rough guide only" in found["Best"]


def test_names_of_others_stay_one_line_without_markup():
    found = Conclusion("d\x1b[31m", (Line("Best", "judge a|b<img>\nnext, kappa 0.1"),))
    assert found.markdown() == r"- **Best:** judge a\|b\<img> next, kappa 0.1"
    assert "\x1b" not in found.plain()
    assert found.plain().count("\n") == 1


def test_a_jury_of_few_votes_is_not_said_to_be_absent(tmp_path: Path, truth: np.ndarray):
    votes = noisy(np.random.default_rng(7), truth, 0.2, 3)
    votes[50:, 1:] = np.nan  # no quorum
    made = study(tmp_path, votes, [str(h) for h in truth], [TRIO], empty="unparsed")
    assert lines_of(tmp_path, made)["Best"].endswith("; no jury votes on enough items")


def test_people_are_measured_as_their_own_dataset_is(tmp_path: Path):
    """The table has a column for each scale, and rows against majorities where there are three."""
    rng = np.random.default_rng(0)
    made = []
    for name, people, scale in (("plain", 2, Scale.binary()), ("graded", 3, Scale.ordinal(1, 5))):
        low, high = scale.ends
        grades = rng.integers(int(low), int(high) + 1, (60, 1))
        off = rng.random((60, people + 1)) < 0.2
        rows = np.where(off, np.where(grades < high, grades + 1, grades - 1), grades).tolist()
        head = ["item_id", "candidate", *(f"human_{at + 1}" for at in range(people)), "solo"]
        lines = [",".join(head), *(f"q{n},m,{','.join(map(str, r))}" for n, r in enumerate(rows))]
        made.append(study_of_rows(tmp_path / f"{name}.csv", lines, scale=scale, judges=("solo",)))
    with Store(tmp_path / "store") as store:
        found = conclusions(measured(made, store))
    people = [line.text for one in found for line in one.lines if line.about == "People"]
    assert len(people) == 2
    assert all(text.startswith("single annotators reach 0.") for text in people)
    assert not any("nan" in text for text in people)
