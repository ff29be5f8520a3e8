"""BM25 on disk: the ranking of the index in memory, builds that are killed, hostile passages."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import logging
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import Run
from llm_juries.answers import disk_index
from llm_juries.answers.disk_index import DiskBm25
from llm_juries.answers.passages import kilt_passages, passages_of, split_page
from llm_juries.answers.retrieval import Bm25, Retriever, over, preparation, without_building
from llm_juries.data.dataset import Dataset
from llm_juries.data.large_files import LargeFile
from llm_juries.errors import JuriesError
from llm_juries.types import Item, Passage

DATASET = Dataset("mine", (Item("mine", "q1", "", "When was Sputnik 1 launched?"),))
MANY = 1500
COMMON = [f"w{number}" for number in range(2000)]
WEIGHTS = list(itertools.accumulate(1 / (number + 3) for number in range(2000)))  # Zipf


def rows_of_words(seed: int, many: int) -> list[dict[str, object]]:
    chance = random.Random(seed)

    def words(count: int) -> str:
        return " ".join(chance.choices(COMMON, cum_weights=WEIGHTS, k=count))

    lengths = (max(int(chance.gauss(90, 25)), 5) for _ in range(many))
    return [
        {"passage_id": number, "title": words(2), "text": words(length)}
        for number, length in enumerate(lengths)
    ]


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def disk(path: Path, folder: Path, **options: object) -> Retriever:
    return over(DiskBm25(str(path), index=str(folder), **options), DATASET)  # type: ignore[arg-type]


def ids(found: list[list[Passage]]) -> list[list[str]]:
    return [[passage.passage_id for passage in passages] for passages in found]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("collection") / "p.jsonl", rows_of_words(1, MANY))


@pytest.fixture(scope="module")
def queries(collection: Path) -> list[str]:
    chance = random.Random(2)
    texts = [passage.text.split() for passage in passages_of(collection)]
    return [" ".join(chance.choices(chance.choice(texts), k=chance.randint(2, 8))) for _ in texts][
        :60
    ]


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.2, 0.75)])
def test_the_ranking_is_that_of_the_index_in_memory(
    collection: Path, queries: list[str], k1: float, b: float
):
    """The tolerance that docs/answers.md states: 99 % of the ten best, in the same order."""
    folder = collection.parent
    found = disk(collection, folder, k1=k1, b=b).search(queries, 10)
    wanted = over(Bm25(str(collection), index=str(folder), k1=k1, b=b), DATASET).search(queries, 10)
    pairs = list(zip(ids(found), ids(wanted), strict=True))
    overlap = sum(len(set(one) & set(other)) / len(other) for one, other in pairs) / len(pairs)
    assert overlap >= 0.99
    assert sum(one == other for one, other in pairs) / len(pairs) >= 0.95
    assert all(one[0] == other[0] for one, other in pairs)


KILLED = """
import os, signal, sys
from conftest import Run
from llm_juries.answers import disk_index
from llm_juries.answers.passages import passages_of
from test_disk_index import disk

def dying(path):
    for number, passage in enumerate(passages_of(path), 1):
        if number == 350:
            os.kill(os.getpid(), signal.SIGKILL)
        yield passage

disk_index.COMMIT, disk_index.passages_of = 100, dying
from pathlib import Path
disk(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_build_that_was_killed_continues_and_is_never_taken_for_whole(
    collection: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    env = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}
    killed = subprocess.run([sys.executable, "-c", KILLED, collection, tmp_path], env=env)
    assert killed.returncode == -signal.SIGKILL
    retriever = DiskBm25(str(collection), index=str(tmp_path))
    before = preparation(retriever, DATASET)
    assert before is not None
    assert not before.ready
    assert before.indexed == 300
    assert "stopped after 300 passages; it takes about" in str(before)
    assert not before.index.exists()
    read: list[Passage] = []
    document = DiskBm25._document

    def counted(self: DiskBm25, passage: Passage, number: int) -> object:
        read.append(passage)
        return document(self, passage, number)

    monkeypatch.setattr(DiskBm25, "_document", counted)
    with caplog.at_level(logging.INFO):
        ready = over(retriever, DATASET)
    assert "continuing after 300 passages" in caplog.text
    assert len(read) == MANY - 300
    assert [path.name for path in tmp_path.iterdir()] == [before.index.name]
    whole = disk(collection, collection.parent)
    queries = ["w1 w20 w300", "w7"]
    assert ready.search(queries, 10) == whole.search(queries, 10)
    after = preparation(retriever, DATASET)
    assert after is not None
    assert after.ready
    assert after.size == sum(file.stat().st_size for file in before.index.iterdir())


def test_another_process_that_builds_the_index_is_one_clear_line(collection: Path, tmp_path: Path):
    import tantivy

    retriever = DiskBm25(str(collection), index=str(tmp_path))
    building = disk_index._building(retriever._folder())
    building.mkdir()
    writer = tantivy.Index(disk_index._schema(), path=str(building)).writer(15_000_000, 1)
    with pytest.raises(JuriesError, match="another process is building this index; run again"):
        over(retriever, DATASET)
    del writer
    assert building.is_dir()  # it is the other process's


def test_a_damaged_index_is_one_clear_line(collection: Path, tmp_path: Path):
    disk(collection, tmp_path)
    (folder,) = tmp_path.iterdir()
    (folder / "meta.json").write_text("{")
    with pytest.raises(JuriesError, match=r"index can't be used .*delete the folder") as caught:
        disk(collection, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_found_before_building(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(JuriesError, match=r"needs 1200000\.0 GB in .* free; make room"):
        disk(collection, tmp_path, count=10**12)
    assert list(tmp_path.iterdir()) == []


def test_k1_and_b_need_no_new_index_and_stopwords_do(collection: Path, tmp_path: Path):
    for options in ({}, {"k1": 2.0}, {"b": 1.0}, {"stopwords": ("w1",)}):
        disk(collection, tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 2
    assert disk(collection, tmp_path, stopwords=("w1",)).search(["w1"], 3) == [[]]


@pytest.mark.parametrize(
    "options", [{"depth": 0}, {"count": -1}, {"k1": float("nan")}, {"k1": -1.0}, {"b": 1.5}]
)
def test_a_wrong_option_is_one_clear_line(options: dict[str, float]):
    with pytest.raises(JuriesError, match="set "):
        DiskBm25("p.jsonl", **options)  # type: ignore[arg-type]
    with pytest.raises(JuriesError, match="path: missing"):
        DiskBm25()


HOSTILE = {
    "syntax": 'title:"x" AND ( NOT * OR ^2 [a TO b] \\ +y -z ~1',
    "control": "bell\x07 zero\x00byte \x1b[31mred \u202eright",
    "long": "x" * 1_000_000 + " needle",
    "lines": "one\ntwo\r\nthree\ttab " + "and so on " * 100_000,
    "empty": "",
    "signs": "?! ...",
    "script": "日本語 Ünïcode \U0001f600 straße İstanbul",
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Retriever:
    folder = tmp_path_factory.mktemp("hostile")
    rows = [{"passage_id": name, "title": "T", "text": text} for name, text in HOSTILE.items()]
    return disk(written(folder / "p.jsonl", rows), folder)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("AND x TO y", ["syntax", "lines"]),
        ('text:"31mred"', ["control"]),
        ("zero", ["control"]),
        ("needle", ["long"]),
        ("x" * 1_000_000, ["long"]),  # longer than tantivy's words
        ("x" * 999_999, []),
        ("three", ["lines"]),
        ("日本語", ["script"]),
        ("STRASSE", []),
        ("straße", ["script"]),
        ("i̇stanbul", ["script"]),  # lower case of İ, as in the passage
        ('" AND (', ["syntax", "lines"]),
        ("*", []),
        ("words:*", []),
        ("\x00\ud800 ?!", []),
        ("", []),
    ],
)
def test_passages_and_questions_are_data_whatever_is_in_them(
    hostile: Retriever, query: str, wanted: list[str]
):
    (found,) = hostile.search([query], 5)
    assert sorted(passage.passage_id for passage in found) == sorted(wanted)
    assert all(passage.text == HOSTILE[passage.passage_id] for passage in found)


def test_a_question_of_a_megabyte_is_searched(hostile: Retriever):
    query = " ".join(f"nothing{number}" for number in range(50_000)) + " needle"
    assert ids(hostile.search([query], 1)) == [["long"]]


HEADER = "id\ttext\ttitle\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\tA\tT\n2\tB\tU\n", r"has no column 'text'"),
        ("id\ttexts\ttitle\n1\tA\tT\n", "did you mean texts"),
        ("id\ttext\ttext\n1\tA\tT\n", "line 1: has a column twice"),
        (HEADER + "1\tA\tT\n2\tB\n", r"line 3: has a different number of cells .*\(2 and 3\)"),
        (HEADER + "1\tA\tT\tU\n", "line 2: has a different number of cells"),
        (HEADER + '1\t"A\tT\n2\tB\tT\n', "unexpected end of data; fix the row"),
        (HEADER + '1\t"A"B\tT\n', "line 2: .* expected after"),
        (HEADER + "\n", "line 2: has a different number of cells"),
        (HEADER, "no passage has words"),
        ("", "no passage has words"),
    ],
)
def test_a_broken_table_is_one_clear_line_and_leaves_nothing(text: str, said: str, tmp_path: Path):
    (tmp_path / "p.tsv").write_text(text)
    with pytest.raises(JuriesError, match=said) as caught:
        disk(tmp_path / "p.tsv", tmp_path / "index")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "index").iterdir()) == []


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path: Path):
    (tmp_path / "p.tsv").write_bytes(HEADER.encode() + b"1\tA\tT\n2\t\xff\tT\n")
    with pytest.raises(JuriesError, match="line 3: is not UTF-8"):
        disk(tmp_path / "p.tsv", tmp_path / "index")


def test_a_packed_table_with_long_rows_is_read_and_a_cut_one_is_not(tmp_path: Path):
    rows = [["1", 'A "b"\nc', "T"], ["2", "word " * 200_000, "U"]]
    plain = tmp_path / "plain.tsv"
    with plain.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter="\t").writerows([["id", "text", "title"], *rows])
    packed = tmp_path / "p.tsv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(passages_of(packed)) == [Passage(title, text, name) for name, text, title in rows]
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(JuriesError, match="is cut off or damaged"):
        disk(packed, tmp_path / "index")
    packed.write_bytes(plain.read_bytes())
    with pytest.raises(JuriesError, match="is cut off or damaged"):
        disk(packed, tmp_path / "index")


PAGE = {
    "_id": "600",
    "wikipedia_id": "600",
    "wikipedia_title": "Andorra",
    "text": [
        "Andorra\n",
        "Andorra is a state. It is small.\n",
        "Its capital is Andorra la Vella.\n",
        "Section::::History.\n",
        "BULLET::::- It is old.\n",
    ],
    "anchors": [],
    "categories": "",
}


def test_pages_of_kilt_are_cut_into_passages(tmp_path: Path):
    path = tmp_path / "kilt_knowledgesource.json"
    path.write_text(json.dumps(PAGE) + "\n" + json.dumps(PAGE | {"wikipedia_id": 7}) + "\n")
    found = list(kilt_passages(path))
    first = "Andorra is a state. It is small. Its capital is Andorra la Vella."
    assert found[:2] == [
        Passage("Andorra", first, "600:1"),
        Passage("Andorra", "BULLET::::- It is old.", "600:2"),
    ]
    assert [passage.passage_id for passage in found[2:]] == ["7:1", "7:2"]
    ready = disk(path, tmp_path / "index", form="kilt")
    assert ids(ready.search(["old"], 5)) == [["600:2", "7:2"]]


def test_a_passage_of_a_page_has_whole_sentences_and_at_most_100_words():
    sentence = " ".join(["word"] * 39) + " end."
    assert [len(text.split()) for text in split_page([" ".join([sentence] * 5)])] == [80, 80, 40]
    assert [len(text.split()) for text in split_page(["a. " + "word " * 250 + "b. c."])] == [
        1,
        100,
        100,
        52,
    ]
    assert list(split_page(["", "Section::::See also.", " \n"])) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: is not a page"),
        ("[]", "line 2: is not a page"),
        ('{"wikipedia_id": 1, "wikipedia_title": "x"}', r"missing required field `text`"),
        ('{"wikipedia_id": 1, "wikipedia_title": "x", "text": ["a", 7]}', r"`\$\.text\[1\]`"),
    ],
)
def test_a_broken_page_is_named_by_its_line(line: str, said: str, tmp_path: Path):
    path = tmp_path / "pages.json"
    path.write_text(json.dumps(PAGE) + "\n" + line + "\n")
    with pytest.raises(JuriesError, match=said):
        disk(path, tmp_path / "index", form="kilt")


def test_what_a_collection_takes_is_known_without_downloading_or_building(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LLM_JURIES_CACHE", str(tmp_path / "cache"))
    source = LargeFile("https://nowhere.invalid/p.tsv.gz", 5_000_000_000)
    retriever = DiskBm25(source=source, count=21_000_000, index=str(tmp_path / "index"))
    found = preparation(retriever, DATASET)
    assert found is not None
    assert (found.ready, found.download, found.passages) == (False, 5_000_000_000, 21_000_000)
    assert "not built; it takes a download of 5.0 GB, then about" in str(found)
    assert list(tmp_path.iterdir()) == []
    own = replace(retriever, path=str(written(tmp_path / "p.jsonl", rows_of_words(1, 9))))
    found = preparation(own, DATASET)
    assert found is not None
    assert found.download == 0


@pytest.mark.parametrize(("module", "kind"), [("tantivy", DiskBm25), ("bm25s", Bm25)])
def test_without_the_extra_what_it_takes_is_known_and_a_search_says_what_to_install(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, kind: type
):
    monkeypatch.setitem(sys.modules, module, None)
    retriever = kind(str(collection), index=str(tmp_path))
    found = preparation(retriever, DATASET)
    assert found is not None
    assert not found.ready
    with pytest.raises(JuriesError, match=r"pip install 'llm-juries\[retrieval\]'"):
        over(retriever, DATASET)


def test_a_dry_run_neither_downloads_nor_builds(run_process: Run, tmp_path: Path):
    index, cache = tmp_path / "index", tmp_path / "cache"
    done = run_process(
        "answer",
        "dataset.limit=3",
        "answering=open_book",
        "retrieval=wikipedia",
        f"retrieval.index={index}",
        "candidate=command_r_0824",
        "dry_run=true",
        LLM_JURIES_CACHE=str(cache),
    )
    assert "3 calls" in done.stdout
    assert "not built; it takes a download of 4.7 GB, then about" in done.stdout
    assert "(21,015,324 passages, estimated)" in done.stdout
    assert "documents of 100 words, and no answer counts as stored" in done.stdout
    assert not index.exists()
    assert not cache.exists()


def test_an_estimate_without_an_index_is_near_that_with_one(tmp_path: Path):
    items = (
        Item("d", "1", "", "Who sank?", passages=(Passage("A b", "The ship sank in 1912."),)),
        Item("d", "2", "", "Who rose?", passages=(Passage("C", "A b c d e f g h i j k l"),)),
    )
    retriever = Bm25(collection="dataset", index=str(tmp_path / "index"))
    ready, note = without_building(retriever, Dataset("d", items))
    assert "(2 passages, estimated). The input tokens assume documents of 8 words" in note
    ((passage,),) = ready.search(["?"], 1)
    assert len(passage.text.split()) == 8
    assert list(tmp_path.iterdir()) == []
    over(retriever, Dataset("d", items))
    ready, note = without_building(retriever, Dataset("d", items))
    assert note == ""
    assert ids(ready.search(["sank"], 1)) == [[""]]
