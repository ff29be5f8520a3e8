"""BM25 against its formula; indexes, gold passages and files of passages."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from conftest import ROOT
from llm_juries.answers.passages import passages_of, words_of
from llm_juries.answers.retrieval import Bm25, Gold, over
from llm_juries.config.build import build
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.types import Item, Passage

PASSAGES = ROOT / "tests" / "fixtures" / "passages.jsonl"
FEW = list(passages_of(PASSAGES))
DATASET = Dataset(
    "mine", (Item("mine", "q1", "", "When was Sputnik 1 launched?", passages=(FEW[0],)),)
)


def naive(texts: Sequence[str], query: str, k1: float, b: float) -> list[float]:
    """Return the BM25 score of each text, written down from the formula."""
    bags = [Counter(words_of(text)) for text in texts]
    lengths = [bag.total() for bag in bags]
    average = sum(lengths) / len(lengths)
    scores = [0.0] * len(texts)
    for word in words_of(query):
        holding = sum(word in bag for bag in bags)
        idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        for at, bag in enumerate(bags):
            norm = k1 * (1 - b + b * lengths[at] / average)
            scores[at] += idf * bag[word] / (bag[word] + norm)
    return scores


def best(scores: Sequence[float], k: int) -> list[int]:
    ranked = sorted(range(len(scores)), key=lambda at: (-round(scores[at], 4), at))
    return [at for at in ranked if scores[at] > 0][:k]


SOME = ["a", "b", "c", "d", "moon", "Sun", "été"]
WORDS = st.lists(st.sampled_from(SOME), min_size=1, max_size=8)


@given(
    texts=st.lists(WORDS.map(" ".join), min_size=1, max_size=12),
    query=WORDS.map(" ".join),
    k=st.integers(1, 14),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_best_passages_are_those_of_the_formula_in_a_stable_order(
    texts: list[str], query: str, k: int, tmp_path: Path
):
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    # A folder an example: within the clock's grain two files may have one time and size.
    index = tmp_path / str(len(list(tmp_path.iterdir())))
    (found,) = over(Bm25(str(path), index=str(index)), DATASET).search([query], k)
    scores = naive(texts, query, 0.9, 0.4)
    assert [int(p.passage_id) - 1 for p in found] == best(scores, k)


def test_scores_that_are_equal_by_the_formula_keep_the_order_of_the_collection(tmp_path: Path):
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in ("a a b c", "a b c c")))
    (found,) = over(Bm25(str(path), index=str(tmp_path / "index")), DATASET).search(["a b c"], 1)
    assert [p.passage_id for p in found] == ["1"]


def test_titles_count_and_passages_without_a_common_word_are_never_found(tmp_path: Path):
    ready = over(Bm25(str(PASSAGES), index=str(tmp_path)), DATASET)
    queries = ["When was Sputnik 1 launched?", "Titanic", "zzz", "?!"]
    found = ready.search(queries, 3)
    assert [[p.passage_id for p in ps][:1] for ps in found] == [["p1"], ["p3"], [], []]
    assert found[0][0] == FEW[0]
    assert found == ready.search(queries, 3)


def test_stopwords_are_left_out_of_passages_and_queries(tmp_path: Path):
    ready = over(Bm25(str(PASSAGES), index=str(tmp_path), stopwords=("the", "on")), DATASET)
    assert ready.search(["the on"], 3) == [[]]


def test_an_index_is_built_once_and_anew_for_other_passages_or_parameters(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path, index = tmp_path / "p.jsonl", tmp_path / "index"
    path.write_text(PASSAGES.read_text())

    def built(**options: float) -> int:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            over(Bm25(str(path), index=str(index), **options), DATASET)
        return sum("building" in message for message in caplog.messages)

    assert [built(), built(), built(k1=1.2), built(b=0.75), built(b=0.75)] == [1, 0, 1, 1, 0]
    path.write_text(PASSAGES.read_text() + json.dumps({"text": "one more"}) + "\n")
    assert [built(), built()] == [1, 0]
    assert all(folder.name.startswith("bm25-") for folder in index.iterdir())  # no torn ones


def test_an_index_that_can_not_be_built_leaves_nothing(tmp_path: Path):
    path, index = tmp_path / "p.jsonl", tmp_path / "index"
    path.write_text('{"text": "good"}\n{"text": 7}\n')
    with pytest.raises(JuriesError, match=r"line 2, field text: is 7"):
        over(Bm25(str(path), index=str(index)), DATASET)
    assert list(index.iterdir()) == []


def test_the_passages_of_a_dataset_are_one_collection(tmp_path: Path):
    items = (
        Item("d", "1", "", "Who sank?", passages=(FEW[0], FEW[2])),
        Item("d", "2", "", "Who landed?", passages=(FEW[2], FEW[7])),
    )
    retriever = Bm25(collection="dataset", index=str(tmp_path))
    ready = over(retriever, Dataset("d", items))
    assert ready.search(["Moon"], 5) == [[FEW[7]]]
    assert len(ready.search(["on of the"], 9)[0]) == 3  # each passage once
    with pytest.raises(JuriesError, match="dataset d has no passages"):
        over(retriever, Dataset("d", (replace(items[0], passages=()),)))


def test_gold_finds_a_questions_own_passages_and_nothing_else():
    items = (
        Item("d", "1", "", "Who sank?", passages=(FEW[0], FEW[2])),
        Item("d", "2", "", "Who landed?", passages=(FEW[7],)),
    )
    ready = over(Gold(), Dataset("d", items))
    assert ready.search(["Who landed?", "Who sank?"], 1) == [[FEW[7]], [FEW[0], FEW[2]]]
    with pytest.raises(JuriesError, match="only by the dataset's questions, not by 'x'"):
        ready.search(["x"], 1)
    with pytest.raises(JuriesError, match="dataset d has no passages for item 3"):
        over(Gold(), Dataset("d", (*items, Item("d", "3", "", "Why?"))))


@pytest.mark.parametrize(
    ("name", "text", "passages"),
    [
        ("p.tsv", 'id\ttext\ttitle\n7\t"A ""b"" c"\tT\n', [Passage("T", 'A "b" c', "7")]),
        ("p.csv", "text,title\nA b,\n", [Passage("", "A b", "1")]),
        ("p.jsonl", '{"text": "A", "passage_id": 5}\n', [Passage("", "A", "5")]),
    ],
)
def test_passages_come_from_tables(name: str, text: str, passages: list[Passage], tmp_path: Path):
    (tmp_path / name).write_text(text)
    assert list(passages_of(tmp_path / name)) == passages


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.jsonl", '{"texts": "A"}\n', "has no column 'text'; did you mean texts?"),
        ("p.tsv", "id\ttext\ttitle\n7\tA\n", "line 2: has a different number of cells"),
        ("p.txt", "A", "unknown file type"),
        ("p.jsonl", '{"text": "?!"}\n', "no passage has words"),
        ("p.jsonl", "", "no passage has words"),
    ],
)
def test_a_bad_file_of_passages_is_told_in_one_line(
    name: str, text: str, said: str, tmp_path: Path
):
    (tmp_path / name).write_text(text)
    with pytest.raises(JuriesError, match=said.replace("?", r"\?")) as caught:
        over(Bm25(str(tmp_path / name), index=str(tmp_path / "index")), DATASET)
    assert "\n" not in str(caught.value)


class Backwards:
    """A retriever of one's own: no more is needed."""

    def __init__(self, word: str) -> None:
        self.word = word

    def search(self, queries: Sequence[str], k: int) -> list[list[Passage]]:
        return [[Passage("", self.word + query[::-1], "x")] * k for query in queries]


def test_any_class_with_search_is_a_retriever():
    node = OmegaConf.create({"_target_": f"{__name__}.Backwards", "word": "w"})
    ready = over(build(node, "retrieval"), DATASET)
    assert ready.search(["abc"], 1) == [[Passage("", "wcba", "x")]]
