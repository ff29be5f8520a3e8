"""Two runs, or a judge and its successor: paired changes, flips, ranks, and reseated juries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import cohen_kappa_score

import llm_juries as lj
from llm_juries.analysis.changes import DIFFERENCES, Difference, difference
from llm_juries.analysis.runs import keep, matched, read_run, read_runs, run_names, runs_in
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.juries.panel import Panel
from llm_juries.juries.rules import Jury
from llm_juries.juries.votes import Voter, Votes
from llm_juries.metrics.arrays import Array
from llm_juries.metrics.bootstrap import Bootstrap
from llm_juries.scale import Scale
from llm_juries.types import Item

BOOTSTRAP = Bootstrap(resamples=100)
N = 120


def panel_of(votes: Mapping[str, Array], human: Array, scale: Scale | None = None) -> Panel:
    scale = scale or Scale.binary()
    items = tuple(
        Item("set", f"q{at}", "m", human=None if np.isnan(y) else scale.decode(y))
        for at, y in enumerate(human)
    )
    labels = np.stack([*votes.values()], axis=1)
    outcomes = np.where(np.isnan(labels), "unparsed", "ok")
    voters = tuple(Voter(name, "judge") for name in votes)
    given = Votes(voters, labels, np.full(labels.shape, np.nan), outcomes, scale)
    return Panel(Dataset("set", items, scale=scale), given, scale=scale)


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Return four judges, one of whom is nearly always right, and a jury of three."""
    rng = np.random.default_rng(3)
    human = rng.integers(0, 2, N).astype(float)
    shares = {"old": 0.7, "new": 0.95, "third": 0.8, "fourth": 0.75}
    votes = {
        name: np.where(rng.random(N) < share, human, 1 - human) for name, share in shares.items()
    }
    votes["third"][:3] = np.nan
    return panel_of(votes, human).add(Jury("trio", ("old", "third", "fourth")))


@pytest.fixture(scope="module")
def replaced(panel: Panel) -> Difference:
    return difference(panel, panel, {"old": "new"}, BOOTSTRAP)


def votes_of(panel: Panel, name: str) -> Array:
    return panel.votes.labels[:, panel.votes.names.index(name)]


def test_a_change_is_that_of_the_paired_comparison(panel: Panel, replaced: Difference):
    row = replaced.changes.set_index("voter").loc["old"]
    old, new = votes_of(panel, "old"), votes_of(panel, "new")
    assert row["before"] == pytest.approx(cohen_kappa_score(panel.human, old))
    assert row["after"] == pytest.approx(cohen_kappa_score(panel.human, new))
    paired = lj.compare(panel, BOOTSTRAP, beside=["old"]).set_index("voter").loc["new"]
    for mine, theirs in (("change", "difference"), ("ci_low", "ci_low"), ("ci_high", "ci_high")):
        assert row[mine] == pytest.approx(paired[theirs])
    assert (row["replaced_by"], row["finding"]) == ("new", "clearly better")


def test_flips_are_counted_in_each_direction(panel: Panel, replaced: Difference):
    row = replaced.flips.set_index("voter").loc["old"]
    old, new, human = votes_of(panel, "old"), votes_of(panel, "new"), panel.human
    assert row["changed"] == (old != new).sum()
    assert row["improved"] == ((old != human) & (new == human)).sum()
    assert row["worsened"] == ((old == human) & (new != human)).sum()
    assert row["up"] + row["down"] == row["changed"] == row["improved"] + row["worsened"]
    assert row["ci_low"] < row["share"] < row["ci_high"]


def test_a_jury_decides_anew_with_one_seat_replaced(panel: Panel, replaced: Difference):
    again = panel.add(Jury("again", ("new", "third", "fourth")))
    before, after = votes_of(panel, "trio"), votes_of(again, "again")
    both = ~np.isnan(before) & ~np.isnan(after)
    flips = replaced.flips.set_index("voter").loc["trio"]
    assert flips["changed"] == (before != after)[both].sum()
    row = replaced.changes.set_index("voter").loc["trio"]
    assert row["after"] == pytest.approx(cohen_kappa_score(panel.human[both], after[both]))
    assert row["missing"] == N - both.sum()


def test_ranks_hold_the_successor_in_the_place_of_the_old(replaced: Difference):
    ranks = replaced.ranks.set_index("voter")
    assert sorted(ranks.index) == ["fourth", "old", "third", "trio"]
    assert ranks.loc["old", "rank_after"] == 1
    assert ranks.loc["old", "rank_before"] > 1
    assert sorted(ranks["rank_before"]) == [1, 2, 3, 4]


def test_the_first_line_is_the_answer(replaced: Difference):
    first, *others = replaced.lines
    assert first[0] == "Answer"
    assert first[1].startswith("new for old: kappa 0.")
    assert first[1].endswith("clearly better")
    said = dict(others)
    assert "% [" in said["Juries"]
    assert said["Ranks"].startswith("new is first, ")
    assert len(replaced.lines) <= 6
    assert str(replaced).splitlines()[0] == "set: new compared with old"


def test_runs_are_compared_by_name_on_their_common_items(panel: Panel, tmp_path: Path):
    labels = panel.votes.labels.copy()
    third = panel.votes.names.index("third")
    labels[10:40, third] = panel.human[10:40]
    later = replace(panel, votes=replace(panel.votes, labels=labels)).where(np.arange(N) >= 5)
    keep([panel], tmp_path / "a")
    keep([later], tmp_path / "b")
    first, second = (lj.read_run(tmp_path / name)[0] for name in "ab")
    np.testing.assert_array_equal(first.votes.labels, panel.votes.labels)
    np.testing.assert_array_equal(first.human, panel.human)
    assert first.juries == panel.juries
    found = lj.difference(first, second, bootstrap=BOOTSTRAP)
    assert (found.items, found.only_before, found.only_after) == (N - 5, 5, 0)
    rows = found.changes.set_index("voter")
    assert rows.loc["old", "finding"] == "the same votes"
    assert rows.loc["third", "change"] > 0
    assert found.flips.set_index("voter").loc["third", "worsened"] == 0
    assert "old, new, fourth and 1 more: the same votes" in found.lines[0][1]
    nothing = lj.difference(first, panel, bootstrap=BOOTSTRAP)
    assert nothing.lines[0][1] == f"no vote differs on the {N} items; these are the same votes"


def without_votes(panel: Panel, name: str, rows: slice) -> Panel:
    labels = panel.votes.labels.copy()
    labels[rows, panel.votes.names.index(name)] = np.nan
    return replace(panel, votes=replace(panel.votes, labels=labels))


def test_votes_that_are_lost_or_gained_are_said_and_are_not_the_same_votes(panel: Panel):
    few = without_votes(panel, "new", slice(40, None))
    said = dict(lj.difference(panel, few, bootstrap=BOOTSTRAP).lines)
    assert said["Answer"].startswith("new: kappa ")
    assert "the same votes, on 33% of the labelled items only; old, " in said["Answer"]
    assert said["Flips"] == f"new: 0 of 40 votes changed, {N - 40} lost"
    back = dict(lj.difference(few, panel, bootstrap=BOOTSTRAP).lines)
    assert back["Flips"] == f"new: 0 of 40 votes changed, {N - 40} gained"


def test_who_is_ranked_on_one_side_only_was_or_is_first(panel: Panel):
    few = without_votes(panel, "new", slice(40, None))
    second = lj.difference(panel, few, bootstrap=BOOTSTRAP).ranks.iloc[0]["voter"]
    assert second != "new"
    lost, gained = (
        dict(lj.difference(*sides, bootstrap=BOOTSTRAP).lines)["Ranks"]
        for sides in ((panel, few), (few, panel))
    )
    assert lost == f"{second} is first, new was; ranked before only: new"
    assert gained == f"new is first, {second} was; ranked after only: new"


def test_pairs_that_are_named_the_other_way_round_are_counted(panel: Panel):
    items = [replace(item, opponent="other") for item in panel.dataset.items]
    turned = [replace(item, candidate="other", opponent="m") for item in items[:30]]
    before, after = (
        replace(panel, dataset=replace(panel.dataset, items=tuple(made)))
        for made in (items, [*turned, *items[30:]])
    )
    said = dict(lj.difference(before, after, bootstrap=BOOTSTRAP).lines)["Items"]
    assert said == (
        f"{N - 30} in both; 30 before only; 30 after only; "
        "30 pairs name their answers the other way round, so they are left out"
    )


def test_a_jury_of_other_seats_or_another_rule_is_said_to_be(panel: Panel):
    alone = replace(panel, votes=panel.votes.columns(("old", "third", "fourth")), juries=())
    before, rule, seats = (
        alone.add(jury)
        for jury in (
            Jury("trio", ("old", "third", "fourth")),
            Jury("trio", ("old", "third", "fourth"), "mean"),
            Jury("trio", ("third", "old")),
        )
    )
    for after, said in (
        (rule, "old, third, fourth by mean after"),
        (seats, "third, old by majority after"),
    ):
        items = dict(lj.difference(before, after, bootstrap=BOOTSTRAP).lines)["Items"]
        assert f"; jury trio is old, third, fourth by majority before and {said}" in items
    same = dict(lj.difference(before, replace(before), bootstrap=BOOTSTRAP).lines)["Items"]
    assert "trio" not in same


def test_voters_of_one_side_only_are_named(panel: Panel):
    before, after = (
        replace(panel, votes=panel.votes.columns(names), juries=())
        for names in (("old", "third"), ("third", "new"))
    )
    found = lj.difference(before, after, bootstrap=BOOTSTRAP)
    assert dict(found.lines)["Items"] == (
        f"{N} in both; left out, as they voted before only: old; "
        "left out, as they voted after only: new"
    )
    replaced = lj.difference(before, after, replace={"old": "new"}, bootstrap=BOOTSTRAP)
    assert dict(replaced.lines)["Items"] == f"{N} in both"


@pytest.mark.parametrize(
    ("gap", "n", "finding"),
    [
        (0, 400, "as good within 0.05"),
        (0, 30, "not clear"),
        (60, 400, "clearly worse"),
    ],
)
def test_findings_are_of_the_interval_and_the_margin(gap: int, n: int, finding: str):
    rng = np.random.default_rng(1)
    human = rng.integers(0, 2, n).astype(float)
    old, new = human.copy(), human.copy()
    old[:4], new[4:8] = 1 - human[:4], 1 - human[4:8]
    new[8 : 8 + gap] = 1 - human[8 : 8 + gap]
    panel = panel_of({"old": old, "new": new}, human)
    found = difference(panel, panel, {"old": "new"}, BOOTSTRAP, margin=0.05)
    assert found.changes["finding"].tolist() == [finding]


def test_of_many_voters_those_that_changed_come_first_with_holms_correction():
    human = np.tile([0.0, 1.0], 100)
    before = {name: human.copy() for name in "abcde"}
    after = {name: votes.copy() for name, votes in before.items()}
    for name, wrong in (("b", 60), ("c", 6), ("d", 1), ("e", 1)):
        after[name][:wrong] = 1 - human[:wrong]
    found = difference(panel_of(before, human), panel_of(after, human), bootstrap=BOOTSTRAP)
    corrected = found.changes.set_index("voter")["p_holm"]
    assert corrected["b"] < 0.05 < corrected["c"]
    assert found.lines[0][1] == (
        "of 5 voters 2 clearly worse (b, c; 1 after Holm's correction), 1 the same votes (a), "
        "2 not clear (d, e)"
    )


def test_a_change_on_few_questions_is_a_rough_guide():
    human = np.tile([0.0, 1.0], 6)
    panel = panel_of({"old": 1 - human, "new": human}, human)
    answer = difference(panel, panel, {"old": "new"}, BOOTSTRAP).lines[0][1]
    assert answer.endswith(", clearly better (few questions: 12, so a rough guide only)")


def test_graded_votes_are_nearer_or_farther():
    scale = Scale.ordinal(1, 5)
    rng = np.random.default_rng(2)
    human = rng.integers(1, 6, N).astype(float)
    old, new = (np.clip(human + rng.integers(-r, r + 1, N), 1, 5) for r in (3, 1))
    panel = panel_of({"old": old, "new": new}, human, scale)
    found = difference(panel, panel, {"old": "new"}, BOOTSTRAP)
    row = found.flips.iloc[0]
    nearer = np.abs(new - human) < np.abs(old - human)
    assert row["improved"] == nearer.sum()
    assert found.changes["measure"].tolist() == ["weighted_kappa"]


def test_without_labels_only_the_votes_are_compared(panel: Panel):
    bare = tuple(replace(item, human=None) for item in panel.dataset.items)
    unlabelled = replace(panel, dataset=replace(panel.dataset, items=bare))
    found = difference(unlabelled, unlabelled, {"old": "new"}, BOOTSTRAP)
    assert found.changes.empty
    assert "improved" not in found.flips
    assert found.lines[0][1].startswith("no human labels of two values")


def other_labels(panel: Panel) -> Panel:
    items = tuple(
        replace(item, human=str(1 - int(item.human or 0))) for item in panel.dataset.items
    )
    return replace(panel, dataset=replace(panel.dataset, items=items))


def other_items(panel: Panel) -> Panel:
    items = tuple(replace(item, item_id=f"x{item.item_id}") for item in panel.dataset.items)
    return replace(panel, dataset=replace(panel.dataset, items=items))


def graded(panel: Panel) -> Panel:
    human = np.tile([1.0, 2.0, 3.0], len(panel.questions) // 3)
    return panel_of({"old": human}, human, Scale.ordinal(1, 3))


MISTAKES: dict[str, tuple[Callable[[Panel], object], str]] = {
    "the same panel": (lambda p: lj.difference(p), "before and after are the same"),
    "no common items": (lambda p: lj.difference(p, other_items(p)), "have no item in common"),
    "other labels": (
        lambda p: lj.difference(p, other_labels(p)),
        "items of before and after have different human labels (the first: 'q0', 'm': ",
    ),
    "other scales": (
        lambda p: lj.difference(p, graded(p)),
        "the votes are binary (0, 1) in before",
    ),
    "no such voter": (
        lambda p: lj.difference(p, replace={"olt": "new"}),
        "has no voter 'olt'; did you mean old",
    ),
    "itself": (lambda p: lj.difference(p, replace={"old": "old"}), "old is to replace itself"),
    "one for two": (
        lambda p: lj.difference(p, replace={"old": "new", "third": "new"}),
        "one voter is to replace two",
    ),
    "no judge of conf": (
        lambda p: lj.difference(p, replace=["old"]),
        "[old] takes the successor from conf/judge, {old: NEW} names it: there is no judge 'old'",
    ),
    "no successor": (lambda p: lj.difference(p, replace=["contains"]), "has no successor"),
    "no folder": (lambda _: lj.read_run("nowhere"), "nowhere: there is no such run"),
    "no panels": (lambda p: lj.overview([p, p]), "give panels of different names"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(panel: Panel, mistake: str):
    call, said = MISTAKES[mistake]
    with pytest.raises(JuriesError) as error:
        call(panel)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_successor_is_the_one_of_the_judges_yaml(panel: Panel):
    successor = lj.load_judge("claude_3_haiku").lifetime.successor  # type: ignore[attr-defined]
    human = panel.human
    both = panel_of({"claude_3_haiku": votes_of(panel, "old"), successor: human}, human)
    found = lj.difference(both, replace=["claude_3_haiku"], bootstrap=BOOTSTRAP)
    assert found.changes["replaced_by"].tolist() == [successor]


def test_a_job_of_a_sweep_that_failed_is_warned_of(
    panel: Panel, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    for number in range(3):
        (tmp_path / str(number) / ".hydra").mkdir(parents=True)
    keep([panel], tmp_path / "1")
    assert [path.name for path in runs_in(tmp_path)] == ["1"]
    assert f"{tmp_path}: left out, as they hold no votes: 0, 2" in caplog.text


def test_a_sweep_of_runs_is_read_side_by_side(panel: Panel, tmp_path: Path):
    for number, names in enumerate((("old",), ("new",), ("third",))):
        part = replace(panel, votes=panel.votes.columns(names), juries=())
        keep([part], tmp_path / "sweep" / str(number))
    assert [path.name for path in runs_in(tmp_path / "sweep")] == ["0", "1", "2"]
    (joined,) = read_runs([tmp_path / "sweep"])
    assert joined.votes.names == ("old", "new", "third")
    other = replace(panel, votes=replace(panel.votes, labels=1 - panel.votes.labels))
    keep([panel], tmp_path / "a")
    keep([other], tmp_path / "b")
    apart = read_runs([tmp_path / "a", tmp_path / "b"])
    assert [one.dataset.name for one in apart] == ["set@a", "set@b"]
    assert matched([panel], apart[:1]) == ([(panel, apart[0])], [])
    assert run_names([tmp_path / "x/0", tmp_path / "y/0"]) == ["x/0", "y/0"]
    with pytest.raises(JuriesError, match="is named twice"):
        read_runs([tmp_path / "a", tmp_path / "a"])


EDITS: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "a row twice": (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "an item is in it twice"),
    "no rows": (lambda t: t.slice(0, 0), "has no items"),
    "no id": (lambda t: with_column(t, "item_id", None), "an item has no item_id"),
    "another label": (lambda t: with_column(t, "human", "9"), "'9' is not on the scale"),
    "another vote": (lambda t: with_column(t, "vote_0", 7.0), "a vote is not on the scale binary"),
    "no outcomes": (lambda t: t.drop_columns(["outcome_0"]), 'Field "outcome_0" does not exist'),
}


def with_column(table: pa.Table, name: str, value: object) -> pa.Table:
    at, cells = table.schema.get_field_index(name), table[name].to_pylist()
    return table.set_column(at, table.field(name), pa.array([value, *cells[1:]]))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_file_of_votes_is_one_line(panel: Panel, tmp_path: Path, edit: str):
    change, said = EDITS[edit]
    keep([panel], tmp_path)
    (path,) = (tmp_path / "votes").iterdir()
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(
        JuriesError, match=r"set\.parquet: is damaged \(.*; analyze again$"
    ) as error:
        read_run(tmp_path)
    assert said in str(error.value)


def test_what_is_no_file_of_votes_is_one_line(tmp_path: Path):
    (tmp_path / "run" / "votes").mkdir(parents=True)
    with pytest.raises(JuriesError, match="holds no votes of an analysis; analyze again"):
        read_run(tmp_path / "run")
    (tmp_path / "run" / "votes" / "set.parquet").write_text("not parquet")
    with pytest.raises(JuriesError, match="is not a file of votes that llm-juries analyze wrote"):
        read_run(tmp_path / "run")


def test_the_tables_of_a_difference_say_how_to_read_them(replaced: Difference):
    assert set(replaced.tables) == {table.name for table in DIFFERENCES}
    for table in DIFFERENCES:
        assert table.make(replaced) is replaced.tables[table.name]
        assert table.look_for.endswith(".")
