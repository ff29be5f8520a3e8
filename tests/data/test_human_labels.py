"""Labels from a file of their own, joined to items by id."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llm_juries.data.dataset import Dataset
from llm_juries.data.human_labels import HumanLabels, LabelRule, combined
from llm_juries.errors import JuriesError
from llm_juries.scale import Scale
from llm_juries.types import Item

Write = Callable[[str], str]

TWO = Dataset(
    "two",
    tuple(Item("two", q, c, "Q?", "A", human="0") for q in ("q1", "q2", "q3") for c in ("m", "n")),
    annotators=("1",),
)
ONE = Dataset("one", tuple(Item("one", q, "m", "Q?", "A") for q in ("q1", "q2", "7")))
PAIRS = Dataset(
    "pairs", tuple(Item("pairs", q, "m", "Q?", "A", (), "n", "B") for q in ("q1", "q2"))
)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> str:
        path = tmp_path / "labels.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written


def human(dataset: Dataset) -> dict[str, str | None]:
    return {f"{item.item_id} {item.candidate}": item.human for item in dataset.items}


def test_labels_replace_those_of_the_dataset_and_the_rest_is_unlabelled(
    write: Write, caplog: pytest.LogCaptureFixture
):
    path = write("item_id,candidate,label,annotator\nq2,n,correct,ann\nq1,m,No,ann\nq3,m,,ann\n")
    with caplog.at_level(logging.INFO):
        joined = HumanLabels(path).join(TWO)
    expected = dict.fromkeys(human(TWO)) | {"q2 n": "1", "q1 m": "0"}
    assert human(joined) == expected
    assert joined.labels == "labels.csv (ann)"
    assert "joined to 2 of 6 items of two; 2 of them have a label" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "item_id,candidate,human\nq1,m,1\n7,m,0\n",  # the wide form
        "item_id,label\nq1,true\n7,false\n",  # one candidate needs no name
        "item_id,candidate,opponent,label,annotator\nq1,m,,yes,\n7,,,0.0,\n",
    ],
)
def test_every_form_of_a_file_gives_the_same_labels(text: str, write: Write):
    assert human(HumanLabels(write(text)).join(ONE)) == {"q1 m": "1", "q2 m": None, "7 m": "0"}


def test_jsonl_and_parquet_are_read_too_with_ids_that_are_numbers(tmp_path: Path):
    row = {"item_id": 7, "label": True}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row) + "\n")
    pd.DataFrame([row]).to_parquet(tmp_path / "labels.parquet")
    for name in ("labels.jsonl", "labels.parquet"):
        assert human(HumanLabels(str(tmp_path / name)).join(ONE))["7 m"] == "1"


SEVERAL = """item_id,label,annotator
q1,1,ann
q1,1,ben
q1,0,cat
q2,1,ann
q2,0,ben
7,1,ben
"""


def test_the_majority_of_annotators_decides_and_a_tie_is_no_label(write: Write):
    joined = HumanLabels(write(SEVERAL)).join(ONE)
    assert human(joined) == {"q1 m": "1", "q2 m": None, "7 m": "1"}
    assert joined.annotators == ("ann", "ben", "cat")
    assert [item.human_votes for item in joined.items] == [
        ("1", "1", "0"),
        ("1", "0", None),
        (None, "1", None),
    ]
    assert joined.labels == "labels.csv (majority of 3 annotators)"


@pytest.mark.parametrize(
    ("adjudicator", "expected"),
    [
        ("cat", {"q1 m": "0", "q2 m": None, "7 m": "1"}),
        ("ann", {"q1 m": "1", "q2 m": "1", "7 m": "1"}),
    ],
)
def test_an_adjudicator_decides_where_he_labelled_and_is_no_annotator(
    adjudicator: str, expected: dict[str, str | None], write: Write
):
    joined = HumanLabels(write(SEVERAL), adjudicator).join(ONE)
    assert human(joined) == expected
    assert adjudicator not in joined.annotators
    assert {len(item.human_votes) for item in joined.items} == {2}
    assert joined.labels == f"labels.csv (majority of 2 annotators, {adjudicator} adjudicating)"


@pytest.mark.parametrize(
    ("votes", "label"),
    [
        (["1"], "1"),
        (["1", "0"], None),
        (["1", "1", "tie"], "1"),
        (["1", "tie"], None),  # a vote of no side is a vote
        (["tie", "tie", "1"], "tie"),
        ([], None),
    ],
)
def test_a_majority_is_more_than_half_of_all_votes(votes: list[str], label: str | None):
    annotators = tuple(str(at) for at in range(len(votes) or 1))
    item = Item("d", "q", "m", "Q?", "A", (), "n", "B", human_votes=tuple(votes))
    dataset = Dataset("d", (item,), annotators=annotators)
    (found,) = combined(dataset).items
    assert found.human == (label and {"1": "a", "0": "b"}.get(label, label))


def test_a_preference_for_neither_is_a_tie(write: Write):
    path = write("item_id,candidate,opponent,label\nq1,m,n,0.5\nq2,m,n,1\n")
    joined = HumanLabels(path).join(PAIRS)
    assert human(joined) == {"q1 m": "tie", "q2 m": "a"}
    assert [item.human_votes for item in joined.items] == [("tie",), ("a",)]


HEAD = "item_id,candidate,label,annotator\nq1,m,1,ann\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "q9,m,1,ann\n", ", line 3, field item_id: two has no item 'q9' of 'm'; did you"),
        (HEAD + "q2,k,1,ann\n", ", line 3, field candidate: two has no candidate 'k'; there are"),
        (HEAD + "q2,,1,ann\n", ", line 3, field candidate: is empty, but two has several; there"),
        (HEAD + ",m,1,ann\n", ", line 3, field item_id: is empty"),
        (
            HEAD + "q2,m,maybe,ann\n",
            ", line 3, field label: 'maybe' is not on the scale binary",
        ),
        (HEAD + "q2,m,0.5,ann\n", ", line 3, field label: '0.5' is not on the scale"),
        (HEAD + "q1,m,1,ann\n", ", line 3, field annotator: 'ann' labelled item 'q1' of 'm' alre"),
        ("item_id,candidate,labl\nq1,m,1\n", ": has no column 'label'; did you mean labl?"),
        ("nr,candidate,label\nq1,m,1\n", ": has no column 'item_id'"),
        ("item_id,candidate,label\nq1,m,\n", ": has no label"),
        ("", ": has no label"),
    ],
)
def test_a_broken_file_is_told_in_one_line_with_its_place(text: str, said: str, write: Write):
    path = write(text)
    with pytest.raises(JuriesError) as caught:
        HumanLabels(path).join(TWO)
    assert str(caught.value).startswith(path + said)
    assert "\n" not in str(caught.value)


def test_an_adjudicator_without_labels_or_without_a_file_is_told(write: Write):
    path = write(SEVERAL)
    with pytest.raises(JuriesError, match="has no label of 'bem'; did you mean ben"):
        HumanLabels(path, "bem").join(ONE)
    with pytest.raises(JuriesError, match="set human=FILE too"):
        HumanLabels(None, "ben")


def test_without_a_file_the_dataset_is_left_alone():
    assert HumanLabels().join(TWO) is TWO


def test_of_a_sample_only_the_labels_of_its_items_are_taken(write: Write):
    path = write("item_id,candidate,label\nq1,m,1\nq3,n,1\n")
    assert human(HumanLabels(path).join(TWO.sample(1, None), sampled=True)) == {
        "q1 m": "1",
        "q1 n": None,
    }


STARS = Dataset(
    "stars",
    tuple(Item("stars", q, "m", "Q?", "A") for q in ("q1", "q2", "q3")),
    scale=Scale.ordinal(1, 5),
)
WIDE = "item_id,ann,ben,cat,latency,note\nq1,1,2,5,1,x\nq2,4,4,,2,\nq3,,,3,3,y\n"


@pytest.mark.parametrize(
    ("rule", "expected", "kind"),
    [
        (None, ["2", "4", "3"], "ordinal"),
        ("median", ["2", "4", "3"], "ordinal"),
        ("mean", ["2.6666666666666665", "4", "3"], "interval"),
        ("majority", [None, "4", "3"], "ordinal"),
    ],
)
def test_ratings_of_a_wide_file_combine_by_a_rule(
    rule: LabelRule | None,
    expected: list[str | None],
    kind: str,
    write: Write,
    caplog: pytest.LogCaptureFixture,
):
    joined = HumanLabels(write(WIDE), label_rule=rule).join(STARS)
    assert [item.human for item in joined.items] == expected
    assert joined.label_scale.kind == kind
    assert joined.annotators == ("ann", "ben", "cat")
    assert [item.human_votes for item in joined.items] == [
        ("1", "2", "5"),
        ("4", "4", None),
        (None, None, "3"),
    ]
    said = "stars: 1 of 3 items have no label by majority, because annotators are split"
    assert (said in caplog.text) is (rule == "majority")


def test_a_median_between_levels_is_on_the_interval(write: Write, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    joined = HumanLabels(write("item_id,ann,ben\nq1,1,2\nq2,4,4\n")).join(STARS)
    assert [item.human for item in joined.items] == ["1.5", "4", None]
    assert joined.label_scale == Scale.interval(1, 5)
    assert "the median of annotators' labels falls between levels" in caplog.text


def test_annotators_of_a_wide_file_may_be_named(write: Write):
    joined = HumanLabels(write(WIDE), annotators=("ann", "cat")).join(STARS)
    assert joined.annotators == ("ann", "cat")
    with pytest.raises(JuriesError, match="has no column 'bem'; did you mean ben"):
        HumanLabels(write(WIDE), annotators=("bem",)).join(STARS)


def test_the_adjudicated_label_is_the_adjudicators_or_what_all_others_gave(write: Write):
    labels = HumanLabels(write(WIDE), adjudicator="cat", label_rule="adjudicated")
    joined = labels.join(STARS)
    assert [item.human for item in joined.items] == ["5", "4", "3"]
    assert joined.labels == "labels.csv (all of 2 annotators, cat adjudicating)"


@pytest.mark.parametrize(
    "scale", [Scale.ordinal(1, 3), Scale.ordinal(levels=["bad", "so", "good"])]
)
def test_annotators_are_combined_anew_on_the_scale_that_they_labelled_on(
    scale: Scale, write: Write
):
    low, middle, high = scale.levels
    votes = ((low, middle), (high, high), (low, low))
    items = tuple(Item("d", f"q{n}", "m", human_votes=both) for n, both in enumerate(votes))
    given = Dataset("d", items, annotators=("1", "2"), scale=scale)
    between = combined(given)
    assert between.label_scale.kind == "interval"
    again = HumanLabels(label_rule="majority").join(between)
    assert again.label_scale == scale
    assert [item.human for item in again.items] == [None, high, low]
    assert [item.human_votes for item in again.items] == list(votes)
    other = HumanLabels(write(f"item_id,label\nq0,{high}\n")).join(between)
    assert (other.label_scale, next(iter(other.items)).human) == (scale, high)


def test_a_datasets_own_annotators_are_combined_anew_on_request():
    items = (Item("d", "q1", "m", human="5", human_votes=("1", "2", "3")),)
    own = Dataset("d", items, annotators=("1", "2", "3"), scale=Scale.interval(1, 5))
    assert HumanLabels().join(own) is own
    (item,) = HumanLabels(label_rule="mean").join(own).items
    assert (item.human, item.human_votes) == ("2", ("1", "2", "3"))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"label_rule": "adjudicated"}, "adjudicated labels need adjudicator=NAME"),
        ({"annotators": ("ann",)}, "annotators: names columns of a file of labels"),
    ],
)
def test_half_a_setting_is_told(labels: dict[str, Any], said: str):
    with pytest.raises(JuriesError, match=said):
        HumanLabels(**labels)


def test_a_rule_that_a_scale_has_no_numbers_for_is_told(write: Write):
    labels = HumanLabels(write("item_id,label\nq1,1\n"), label_rule="mean")
    with pytest.raises(JuriesError, match=r"are binary \(0, 1\), which has no mean; use majority"):
        labels.join(ONE)
    with pytest.raises(JuriesError, match="one has no labels of single annotators"):
        HumanLabels(label_rule="majority").join(ONE)


def test_labels_are_joined_by_criterion(write: Write):
    items = tuple(Item("d", "q1", "m", "Q?", "A", criterion=c) for c in ("clear", "true"))
    path = write("id,criterion,label\nq1,clear,1\nq1,true,0\n")
    joined = HumanLabels(path).join(Dataset("d", items))
    assert [item.human for item in joined.items] == ["1", "0"]
    with pytest.raises(JuriesError, match="field criterion: is empty, but d has several"):
        HumanLabels(write("id,label\nq1,1\n")).join(Dataset("d", items))
