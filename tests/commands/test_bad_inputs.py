"""Bad values for every key of the commands, and bad files: one line each, no traceback."""

from __future__ import annotations

import faulthandler
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from in_process import Ended, ended
from llm_juries.config.keys import keys
from llm_juries.reporting.page import page

pytestmark = pytest.mark.slow

BAD = (
    "", "null", "-1", "nan", "inf", "1e999", "[]", "{}", "[a,b]", "{a: b}", "'a\nb'", "x" * 300,
    "../..", "/dev/null", "$", "${x}", "${oc.env:NOPE}", "true", "評", "0", "'\0'", "1.5", "[null]",
    "[[1]]", "{a: {b: [c]}}", "???", "99999999999999999999", "'  '",
)  # fmt: skip
COMMANDS = {
    "judge": ("dataset=jsonl", "dataset.path=a.jsonl", "judge=[contains]"),
    "analyze": ("dataset=verdicts", "dataset.path=v.csv", "analysis.bootstrap.resamples=50",
                "figures.draw=none"),
    "difference": ("dataset=verdicts", "dataset.path=v.csv", "replace={j: k}",
                   "figures.draw=none"),
    "label": ("action=write", "dataset=jsonl", "dataset.path=a.jsonl"),
    "answer": ("dataset=questions", "dataset.path=q.jsonl", "dry_run=true"),
    "reproduce": ("stage=plan",),
    "submit": ("judge=contains", "dry_run=true", "dataset=jsonl", "dataset.path=a.jsonl",
               "cluster=local"),
    "status": ("judge=contains", "dataset=jsonl", "dataset.path=a.jsonl"),
    "store": ("action=count",),
}  # fmt: skip
TWICE = (
    ("judge", "store="), ("judge", "store=null"), ("judge", "store='  '"), ("judge", "judge=null"),
    ("judge", "max_cost_usd=-1"), ("judge", "max_cost_usd=nan"), ("judge", "max_cost_usd=-0.01"),
    ("judge", "--config-dir=nowhere"), ("judge", "--config-dir=a.jsonl"), ("judge", "--nonsense"),
    ("judge", "=1"), ("judge", "judge"), ("judge", "judge=[contains"), ("judge", "+new=1"),
    ("judge", "~store"), ("judge", "store=/dev/null/x"), ("judge", "store=a.jsonl"),
    ("judge", "dataset@x=jsonl"), ("judge", "judges.contains=1"), ("judge", "judges=null"),
    ("judge", "judges.contains._target_=os.system"), ("judge", "judges.contains._target_="),
    ("judge", "judges.contains._target_=os"), ("judge", "judges.contains.name="),
    ("judge", "judges.contains.name=null"), ("judge", "hydra.run.dir=/dev/null/x"),
    ("judge", "seats=[contains*0]"), ("judge", "seats=[contains*99999999]"),
    ("judge", "seats=['contains:-1']"), ("judge", "seats=['@']"), ("judge", "shard=1"),
    ("judge", "shards=0"), ("judge", "shards=-3"), ("judge", "shard=0.5"),
    ("status", "store="), ("status", "store=null"), ("status", "--config-dir=nowhere"),
    ("status", "watch=nan"), ("status", "watch=-1"), ("status", "store=/dev/null"),
    ("submit", "cluster.at_once=-1"), ("submit", "logs=/dev/null/x"), ("submit", "shard=0,0"),
    ("store", "store="), ("store", "store=null"), ("store", "store=nowhere"), ("store", "action="),
    ("store", "action=export"), ("store", "action=import"), ("store", "action=nothing"),
    ("analyze", "store="), ("analyze", "analysis.bootstrap.level=2"),
    ("analyze", "analysis.bootstrap.resamples=-1"), ("analyze", "analysis.threshold=nan"),
    ("analyze", "runs=1"), ("analyze", "runs=[null]"), ("analyze", "runs=['']"),
    ("analyze", "runs={a: b}"), ("difference", "replace=1"), ("difference", "replace=[null]"),
    ("difference", "replace={j: null}"), ("difference", "replace={j: [k]}"),
    ("difference", "replace=[contains]"), ("difference", "replace=null"),
    ("difference", "before="), ("difference", "before=v.csv"), ("difference", "prompts=[a]"),
    ("label", "action=nothing"), ("label", "dataset=null"), ("answer", "candidate=[nobody]"),
    ("reproduce", "results="), ("reproduce", "paper=null"), ("reproduce", "stage=plans"),
    ("reproduce", "human={kilt_nq: a.csv}"), ("reproduce", "parts.recorded_nq301=null"),
    ("reproduce", "parts.recorded_nq301=1"), ("reproduce", "parts.recorded_nq301.prompt=nobody"),
    ("reproduce", "parts.recorded_nq301.feeds=[table9]"), ("reproduce", "limit=0"),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("here")
    rows = [{"question": f"q{n}?", "references": ["A"]} for n in range(3)]
    (folder / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    answers = [row | {"answer": "A", "human": 1, "candidate": "m"} for row in rows]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, answers)))
    verdicts = "\n".join(f"q{n},{n % 2},1,{n % 2}" for n in range(6))
    (folder / "v.csv").write_text(f"item_id,human,j,k\n{verdicts}")
    with pytest.MonkeyPatch.context() as patch:  # pages take seconds
        patch.setattr(page, "write", lambda *_: None)
        yield folder


def cases() -> Iterator[tuple[str, str]]:
    """Yield two bad values for each key: where several commands read it, each to another one."""
    readers: dict[str, list[str]] = {}
    for command in COMMANDS:
        for key in keys(command):
            if key.name == "watch":  # some of the values are numbers, with which it never ends
                continue
            readers.setdefault(key.name, []).append(command)
    for number, (key, commands) in enumerate(readers.items()):
        for time in range(2):
            value = BAD[(3 * number + 7 * time) % len(BAD)]
            yield commands[(number + time) % len(commands)], f"{key}={value}"


CASES = [*cases(), *TWICE]


def run(folder: Path, command: str, *given: str) -> Ended:
    replaced = {one.partition("=")[0] for one in given}
    usual = [one for one in COMMANDS[command] if one.partition("=")[0] not in replaced]
    faulthandler.dump_traceback_later(120, exit=True)
    try:
        return ended(folder, command, *usual, *given)
    finally:
        faulthandler.cancel_dump_traceback_later()


def check(done: Ended) -> None:
    assert not done.bug
    assert "Traceback" not in done.err
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == (done.code == 2), done
    if errors:
        assert done.err.splitlines()[-1] == errors[0]  # and nothing after it
        assert len(errors[0]) > 20


def test_there_are_enough_of_them():
    assert len(CASES) + len(FILES) * 2 >= 300


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_value_of_any_key_ends_in_one_line(command: str, folder: Path):
    for given in [given for name, given in CASES if name == command]:
        done = run(folder, command, given)
        assert not done.bug, given
        check(done)


ROW = {"question": "q?", "answer": "A", "references": ["A"], "human": 1, "item_id": "i"}
PAIR = ROW | {"opponent": "o", "opponent_answer": "B", "candidate": "c"}


def lines(*rows: object) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


FILES: dict[str, bytes] = {
    "empty.jsonl": b"", "blank.jsonl": b"\n\n \n", "nul.jsonl": b"\0\0\0", "word.jsonl": b"hello\n",
    "latin.jsonl": b'{"question":"\xe9","answer":"a"}', "list.jsonl": b"[1,2]\n",
    "null.jsonl": b"null\n", "deep.jsonl": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "cut.jsonl": lines(ROW)[:-5], "twice.jsonl": b'{"question":"a","question":"b"}',
    "answers.jsonl": lines(ROW | {"answer": ["a"]}), "word.json": lines(ROW | {"human": "x"}),
    "half.jsonl": lines(ROW | {"human": 0.5}), "huge.jsonl": b'{"human":1%s}' % (b"0" * 5000),
    "infinite.jsonl": b'{"question":"q","answer":"a","human":1e999}', "same.jsonl": lines(ROW, ROW),
    "mixed.jsonl": lines(ROW, PAIR), "mixed_too.jsonl": lines(PAIR, ROW), "no.csv": b"\n\n",
    "columns.csv": b"question,question,answer\na,b,c\n", "nul.csv": b"question,answer\na\0,b\n",
    "wide.csv": b"question,answer\na,b,c,d\n", "x.parquet": b"PAR1garbage", "empty.parquet": b"",
    "x.xlsx": b"PK\x03\x04garbage", "x.json": b"{}", "number.json": b'[{"question": 1}]',
    "code.pkl": b"cos\nsystem\n(S'touch PWNED'\ntR.", "x.jsonl.gz": b"\x1f\x8bbad",
    "code.yaml": b"!!python/object/apply:os.system ['touch PWNED']", "noending.": b"a",
    "off_scale.csv": b"item_id,human,j\na,1,7\n", "no_judge.csv": b"item_id,human\na,1\n",
    "no_rows.csv": b"item_id,human,j\n", "words.csv": b"item_id,human,j\na,x,y\n",
    "half_pairs.csv": b"item_id,candidate,opponent,human,j\nq,a,,1,1\nq,a,b,1,1\n",
}  # fmt: skip


@pytest.mark.parametrize("name", [*FILES, "pipe.jsonl", "folder.csv", "nowhere.csv", "loop.jsonl"])
def test_a_bad_file_ends_in_one_line(name: str, folder: Path):
    path = folder / name
    match name:
        case "pipe.jsonl":
            os.mkfifo(path)
        case "folder.csv":
            path.mkdir()
        case "loop.jsonl":
            path.symlink_to(path)
        case "nowhere.csv":
            pass
        case _:
            path.write_bytes(FILES[name])
    table = run(folder, "analyze", f"dataset.path={name}")
    answers = run(folder, "judge", f"dataset.path={name}")
    for done in (table, answers):
        check(done)
        assert done.code == 2
        assert name.rpartition(".")[0] in done.err
    assert not list(folder.glob("PWNED"))


def test_votes_that_begin_in_a_later_row_are_read(folder: Path):
    """The first row has no human_votes, the others do."""
    rows = [ROW | {"item_id": f"i{n}", "question": f"{n}?"} for n in range(3)]
    rows = [row | ({"human_votes": [1, 0]} if n else {}) for n, row in enumerate(rows)]
    (folder / "late.jsonl").write_bytes(lines(*rows))
    done = run(folder, "judge", "dataset.path=late.jsonl")
    check(done)
    assert done.code == 0
