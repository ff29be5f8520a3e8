"""How commands end where nothing usable came of them: one line, and the documented exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conftest import Run
from faulty_api import Fault, FaultyApi, in_a_thread

FAST = ("figures.draw=none", "analysis.bootstrap.resamples=50")


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with in_a_thread(FaultyApi()) as server:
        yield server


def write_judge(folder: Path, file: str, package: str = "", **options: object) -> str:
    """Write a judge's yaml; return the flag that has it found."""
    (folder / "conf" / "judge").mkdir(parents=True, exist_ok=True)
    node = {"_target_": "llm_juries.judges.http.judge.HttpJudge", "family": "f", "wire": "openai"}
    text = yaml.safe_dump({**node, **options})
    (folder / "conf" / "judge" / f"{file}.yaml").write_text(f"{package}\n{text}")
    return f"--config-dir={folder / 'conf'}"


def answers(folder: Path, rows: int = 30) -> list[str]:
    made = ({"question": f"Q{n}?", "answer": f"A{n}", "human": n % 2} for n in range(rows))
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, made)))
    return ["dataset=jsonl", f"dataset.path={folder / 'mine.jsonl'}", "prompt=zero_shot"]


def server(api: FaultyApi) -> dict[str, str]:
    return {"base_url": f"{api.base_url}/v1", "key_env": ""}


@pytest.mark.parametrize("kind", ["length", "prose", "refusal"])
def test_a_run_without_a_usable_vote_and_its_analysis_end_with_2(
    kind: str, api: FaultyApi, run_script: Run, tmp_path: Path
):
    api.faults = [Fault(kind, always=True)]
    flag = write_judge(tmp_path, "a", name="a", model="a", server=server(api))
    data = answers(tmp_path)
    done = run_script("judge", flag, "judge=a", *data)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    expected = {
        "length": "error: incomplete: a (its first 20 replies hold no verdict (20 truncated); ",
        "prose": "error: incomplete: a (its first 20 replies hold no verdict (20 unparsed); ",
        "refusal": "error: a on mine: no usable verdict (30 refused); ask another judge",
    }
    assert line.startswith(expected[kind])
    read = run_script("analyze", flag, "judge=a", *data, *FAST)
    assert read.returncode == 2
    (line,) = read.stderr.splitlines()
    assert line.startswith("error: nothing to analyze: a on mine: no usable verdict (")


def test_an_analysis_of_what_is_not_there_says_what_is(
    api: FaultyApi, run_script: Run, tmp_path: Path
):
    flag = write_judge(tmp_path, "a", name="a", model="a", server=server(api))
    data = answers(tmp_path)
    assert run_script("judge", flag, "judge=a", *data).returncode == 0
    other = run_script("analyze", flag, "judge=a", *data, "prompt=single_point_reference", *FAST)
    (line,) = other.stderr.splitlines()
    assert (other.returncode, line.startswith("error: nothing to analyze: a on mine: ")) == (
        2,
        True,
    )
    assert "has no verdict under prompt single_point_reference; it has 30 of a on mine" in line
    empty = run_script("analyze", flag, "judge=a", *data, *FAST, f"store={tmp_path / 'none'}")
    assert empty.returncode == 2
    assert "it is empty; collect verdicts with llm-juries judge, or set store=" in empty.stderr
    # Who has votes is reported all the same; the exit code tells of who has none.
    write_judge(tmp_path, "b", name="b", model="b", server=server(api))
    both = run_script("analyze", flag, "judge=[a,b]", *data, *FAST)
    assert (both.returncode, both.stdout.count("report:")) == (2, 1)
    assert both.stderr.startswith("error: b on mine: the store ")


@pytest.mark.parametrize("human", ["human,", ""])
def test_verdicts_without_human_labels_have_the_tables_that_need_none(
    human: str, run_script: Run, tmp_path: Path
):
    rows = [f"q{n},m{n % 2},{human and ','}{n % 2},{n % 3 // 2}" for n in range(12)]
    table = tmp_path / "verdicts.csv"
    table.write_text(f"item_id,candidate,{human}j1,j2\n" + "\n".join(rows))
    done = run_script("analyze", "dataset=verdicts", f"dataset.path={table}", *FAST)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("none, so no voter is measured against humans") == 1
    assert "ci_low" not in done.stdout
    tables = {path.stem for path in (tmp_path / "out" / "tables").glob("*.csv")}
    assert {"outcomes", "between_judges"} <= tables


@pytest.mark.parametrize("label", ["1", "0"])
def test_where_all_humans_say_the_same_nobody_is_best_by_kappa(
    label: str, run_script: Run, tmp_path: Path
):
    right, wrong = label, str(1 - int(label))
    rows = [f"q{n},{label},{right},{right if n % 2 else wrong},{wrong}" for n in range(12)]
    table = tmp_path / "verdicts.csv"
    table.write_text("item_id,human,j1,j2,j3\n" + "\n".join(rows))
    done = run_script(
        "analyze", "dataset=verdicts", f"dataset.path={table}", *FAST,
        "analysis.search.rules=[majority]",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "out" / "report.md").read_text()
    assert report.count("All human labels are the same, so kappa says nothing") == 1
    assert "Right most often: **j1**, accuracy 1.000." in report
    assert "Best single judge" not in report


def test_a_judges_name_may_differ_from_its_key(api: FaultyApi, run_script: Run, tmp_path: Path):
    known = {"name": "gpt-4.1", "model": "m", "server": server(api)}
    for file, package in (
        ("plain", ""),
        ("gpt-4.1", ""),
        ("headed", "# @package judges.gpt_41"),
    ):
        flag = write_judge(tmp_path / file, file, package, **known)
        data = answers(tmp_path / file, 3)
        done = run_script("judge", flag, f"judge={file}", *data, "dry_run=true")
        assert "3 calls; cost of gpt-4.1 unknown" in done.stdout, done.stderr
    flag = write_judge(tmp_path, "plain", **known)
    data = answers(tmp_path, 3)
    for seat in ("plain@single_point_reference", "gpt-4.1@single_point_reference"):
        done = run_script("judge", flag, "judge=plain", *data, f"seats=[{seat}]", "dry_run=true")
        assert "cost of gpt-4.1@single_point_reference unknown" in done.stdout, done.stderr
    dotted = write_judge(tmp_path, "dotted", "# @package judges.gpt-4.1", **known)
    done = run_script("judge", dotted, "judge=dotted", *data, "dry_run=true")
    assert done.returncode == 2
    assert done.stderr.startswith("error: judges.gpt-4.1: a key can't hold a dot; ")
