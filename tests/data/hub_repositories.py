"""Small repositories of the true layouts and schemas, with rows of our own invention."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

CONF = Path(__file__).parents[2] / "conf" / "dataset"

OTHER = "b" * 40  # a revision of Bamboogle that no yaml names
MOVED = "d" * 40  # one whose columns have changed
RETYPED = "e" * 40
SCRIPT = "5c" * 20
LARGE = "a" * 40  # of 24 MB
HALF = "2f" * 20  # one of two files

TEXTS = pa.list_(pa.string())
PROVENANCE = pa.struct(
    [
        ("bleu_score", pa.float32()),
        ("start_character", pa.int32()),
        ("start_paragraph_id", pa.int32()),
        ("end_character", pa.int32()),
        ("end_paragraph_id", pa.int32()),
        ("meta", pa.struct([("fever_page_id", pa.string()), ("fever_sentence_id", pa.int32())])),
        ("section", pa.string()),
        ("title", pa.string()),
        ("wikipedia_id", pa.string()),
    ]
)
KILT = pa.schema(
    [
        ("id", pa.string()),
        ("input", pa.string()),
        (
            "meta",
            pa.struct(
                [
                    ("left_context", pa.string()),
                    ("mention", pa.string()),
                    ("right_context", pa.string()),
                    (
                        "partial_evidence",
                        pa.list_(pa.struct([("title", pa.string()), ("meta", pa.string())])),
                    ),
                    ("obj_surface", TEXTS),
                    ("sub_surface", TEXTS),
                    ("subj_aliases", TEXTS),
                    ("template_questions", TEXTS),
                ]
            ),
        ),
        (
            "output",
            pa.list_(
                pa.struct(
                    [
                        ("answer", pa.string()),
                        ("meta", pa.struct([("score", pa.int32())])),
                        ("provenance", pa.list_(PROVENANCE)),
                    ]
                )
            ),
        ),
    ]
)
TRIVIA_QA = pa.schema(
    [
        ("question", pa.string()),
        ("question_id", pa.string()),
        ("question_source", pa.string()),
        ("entity_pages", pa.struct([("title", TEXTS), ("wiki_context", TEXTS)])),
        ("answer", pa.struct([("aliases", TEXTS), ("value", pa.string())])),
    ]
)
HOTPOTQA = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("type", pa.string()),
        ("level", pa.string()),
        ("supporting_facts", pa.struct([("title", TEXTS), ("sent_id", pa.list_(pa.int32()))])),
        ("context", pa.struct([("title", TEXTS), ("sentences", pa.list_(TEXTS))])),
    ]
)
BAMBOOGLE = pa.schema([("Question", pa.string()), ("Answer", pa.string())])
MESSAGES = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))
MT_BENCH = pa.schema(
    [
        ("question_id", pa.int64()),
        ("model_a", pa.string()),
        ("model_b", pa.string()),
        ("winner", pa.string()),
        ("judge", pa.string()),
        ("conversation_a", MESSAGES),
        ("conversation_b", MESSAGES),
        ("turn", pa.int64()),
    ]
)
ARENA = pa.schema(
    [
        ("question_id", pa.string()),
        *((name, pa.string()) for name in ("model_a", "model_b", "winner", "judge")),
        ("conversation_a", MESSAGES),
        ("conversation_b", MESSAGES),
        ("turn", pa.int64()),
        ("anony", pa.bool_()),
        ("language", pa.string()),
        ("tstamp", pa.float64()),
        ("openai_moderation", pa.struct([("flagged", pa.bool_())])),
        ("toxic_chat_tag", pa.struct([("roberta-large", pa.struct([("flagged", pa.bool_())]))])),
    ]
)


def build_repositories(root: Path) -> None:
    """Write every repository that a yaml of conf/dataset names, at the revision it names."""
    for task, questions in (("nq", True), ("hotpotqa", True), ("triviaqa_support_only", False)):
        write(
            at(root, "kilt_nq") / task / "validation-00000-of-00001.parquet", KILT, kilt(questions)
        )
    trivia = root / "mandarjoshi/trivia_qa" / conf("kilt_triviaqa")["questions"]["revision"]
    for config, known in (("rc.wikipedia.nocontext", [0, 1]), ("unfiltered.nocontext", [2])):
        rows = [{"question_id": f"q{n}", "question": f"Which colour has {n}?"} for n in known]
        write(trivia / config / "validation-00000-of-00001.parquet", TRIVIA_QA, rows)
    write(
        at(root, "hotpotqa_multihop") / "distractor/validation-00000-of-00001.parquet",
        HOTPOTQA,
        [hotpotqa(n) for n in range(3)],
    )
    build_bamboogle(root, at(root, "bamboogle").name)
    build_arena_hard(at(root, "arena_hard_v01"))
    write(
        at(root, "chatbot_arena") / "data/train-00000-of-00001-cced8514c7ed782a.parquet",
        ARENA,
        arena_rows(),
    )
    write(
        at(root, "mt_bench_human") / "data/human-00000-of-00001-25f4910818759289.parquet",
        MT_BENCH,
        mt_bench_rows(),
    )


def build_bamboogle(root: Path, pinned: str) -> None:
    folder = root / "chiayewken/bamboogle"
    name = "data/test-00000-of-00001-fd9def31e0acf72c.parquet"
    rows = [{"Question": f"Who came before {n}?", "Answer": f"{n - 1}"} for n in range(5)]
    write(folder / pinned / name, BAMBOOGLE, rows)
    write(folder / OTHER / name, BAMBOOGLE, rows[:2])
    moved = [{"Questions": "Who?", "Answer": "He"}]
    write(folder / MOVED / name, pa.schema([(key, pa.string()) for key in moved[0]]), moved)
    retyped = pa.schema([("Question", pa.string()), ("Answer", TEXTS)])
    write(folder / RETYPED / name, retyped, [{"Question": "Who?", "Answer": ["He"]}])
    write(folder / HALF / "data/test-00000-of-00002.parquet", BAMBOOGLE, rows)
    write(folder / "main" / name, BAMBOOGLE, rows[:1])
    write_large(folder / LARGE / name)
    script = folder / SCRIPT / "bamboogle.py"
    script.parent.mkdir()
    script.write_text("raise SystemExit('never run')\n")


def build_arena_hard(folder: Path) -> None:
    v01, v2 = folder / "data/arena-hard-v0.1", folder / "data/arena-hard-v2.0"
    questions = {
        v01: [("u1", "arena-hard-v0.1"), ("u2", "arena-hard-v0.1")],
        v2: [("w1", "hard_prompt"), ("w2", "creative_writing")],
    }
    models = {
        v01: ("gpt-4-0314", "gpt-4-0613", "gpt-3.5-turbo-0125"),
        v2: ("o3-mini-2025-01-31", "gemini-2.0-flash-001"),
    }
    for place, asked in questions.items():
        rows = [
            {"uid": uid, "category": category, "cluster": "C", "prompt": f"Do {uid}"}
            for uid, category in asked
        ]
        write_lines(place / "question.jsonl", rows)
        for model in models[place]:
            answers = [arena_hard_answer(uid, model) for uid, _ in asked]
            write_lines(place / f"model_answer/{model}.jsonl", answers)


def conf(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CONF / f"{name}.yaml").read_text()))


def at(root: Path, name: str) -> Path:
    """Return the folder of the revision that a yaml names."""
    return root / conf(name)["source"]["repo"] / conf(name)["source"]["revision"]


def write(path: Path, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path)


def write_large(path: Path) -> None:
    path.parent.mkdir(parents=True)
    chance = random.Random(0)
    with pq.ParquetWriter(path, BAMBOOGLE) as file:
        for _ in range(6):  # groups of rows, each as large as the client's readahead
            rows = [{"Question": chance.randbytes(10_000).hex(), "Answer": "?"} for _ in range(200)]
            file.write_table(pa.Table.from_pylist(rows, BAMBOOGLE))


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def kilt(questions: bool) -> list[dict[str, Any]]:
    source = {"title": "T", "wikipedia_id": "1", "section": "S"}
    output = [
        {"answer": "red", "provenance": [source]},
        {"answer": "", "provenance": [source]},  # a source without an answer
        {"answer": "scarlet", "provenance": []},
        {"answer": "red", "provenance": [source]},
        {"answer": None, "provenance": [source]},
    ]
    rows = [("q0", "what colour is a?"), ("q1", "what colour is b?"), ("q2", "what colour is c?")]
    return [{"id": id_, "input": text if questions else "", "output": output} for id_, text in rows]


def hotpotqa(n: int) -> dict[str, Any]:
    titles = ["A", "B", "C"]
    return {
        "id": f"h{n}",
        "question": f"Is {n} even?",
        "answer": "yes",
        "supporting_facts": {"title": ["C", "A", "A"], "sent_id": [0, 0, 1]},
        "context": {
            "title": titles,
            "sentences": [[f"{title} is one.", f" {title} is {n}."] for title in titles],
        },
    }


def arena_hard_answer(uid: str, model: str) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": f"Do {uid}"},
        {"role": "assistant", "content": {"answer": f"{model} does {uid}"}},
    ]
    return {"uid": uid, "ans_id": f"{uid}-{model}", "model": model, "messages": messages}


def talk(question: str, model: str, turns: int) -> list[dict[str, str]]:
    return [
        {"role": role, "content": f"{said} {turn}"}
        for turn in range(1, turns + 1)
        for role, said in (("user", question), ("assistant", f"{model} on {question}"))
    ]


def arena_rows() -> list[dict[str, Any]]:
    votes = [
        ("model_a", 1, "English"),
        ("model_b", 1, "German"),
        ("tie", 2, "English"),
        ("tie (bothbad)", 1, "English"),
    ]
    return [
        {
            "question_id": f"c{number}",
            "model_a": "alpha",
            "model_b": "beta",
            "winner": winner,
            "judge": "arena_user_1",
            "conversation_a": talk(f"Q{number}", "alpha", turns),
            "conversation_b": talk(f"Q{number}", "beta", turns),
            "turn": turns,
            "language": language,
        }
        for number, (winner, turns, language) in enumerate(votes)
    ]


def mt_bench_rows() -> list[dict[str, Any]]:
    judged = [
        (81, "alpha", "beta", "model_a", 1),
        (81, "beta", "alpha", "model_b", 1),  # the same pair, the other way round
        (81, "alpha", "beta", "tie", 1),
        (81, "alpha", "gamma", "model_b", 1),
        (81, "alpha", "gamma", "tie", 1),
        (82, "alpha", "beta", "model_b", 2),
    ]
    return [
        {
            "question_id": question,
            "model_a": a,
            "model_b": b,
            "winner": winner,
            "judge": f"expert_{number}",
            "conversation_a": talk(f"Q{question}", a, 2),
            "conversation_b": talk(f"Q{question}", b, 2),
            "turn": turn,
        }
        for number, (question, a, b, winner, turn) in enumerate(judged)
    ]
