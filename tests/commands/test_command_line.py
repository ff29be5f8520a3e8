"""How the commands end: on mistakes, interrupts and closed pipes, always without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import in_process
from llm_juries import __main__
from llm_juries.commands import endings

LEXICAL = "_target_: llm_juries.judges.lexical.LexicalJudge\nname: mine\nmeasure: contains\n"


def ended(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[object, str]:
    """Run the console program in this process; return its exit code and its errors."""
    monkeypatch.setattr(sys, "argv", ["llm-juries", *arguments])
    with pytest.raises(SystemExit) as caught:
        __main__.main()
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jugde"], "jugde: no such command; did you mean judge?"),
        (["judge", "--jude=x"], "unrecognized arguments: --jude=x; see llm-juries judge --help"),
        (["submit", "-m", "judge=contains"], "unrecognized arguments: -m; see"),
        (["submit", "--config-dir", "nowhere"], "--config-dir nowhere: there is no such folder"),
        (["judge", "judge"], "judge: is not KEY=VALUE; see --help for the keys"),
        (["judge", "judge=[a"], "judge=[a: can't be read (no viable alternative at input '[a');"),
        (["judge", "judge=3"], "there is no judge=3; there are: claude_3_haiku, "),
        (["judge"], "judge: none is named; set some, such as judge=[contains]"),
        (
            ["judge", "judges.contains.name=x"],
            "judges.contains: judge=contains is not chosen; add judge=contains",
        ),
        (["judge", "dataset.limt=1"], "dataset.limt: no such key; did you mean limit?"),
        (["judge", "dataset.zzz=1"], "there are: path, name, about, limit, seed"),
        (["judge", "juries=3"], "juries: takes keys with values, not 3"),
        (["judge", "+juries.mine=3"], "juries.mine: takes keys with values, not 3"),
        (["judge", "judge=contains", "shards=4"], "shards: is 4 without shard; set shard=0"),
        (["judge", "judge=contains", "max_cost_usd=-1"], "max_cost_usd: is -1.0; must be 0 or"),
        (["analyze", "+stroe=x", "--cfg", "job"], "stroe: no such key of analyze; did you mean"),
        (["analyze", "+analysis.boostrap.seed=1"], "analysis.boostrap: no such key; did you mean"),
        (["analyze", "analysis.bootstrap=3"], "analysis.bootstrap: takes {KEY: VALUE}, not 3"),
        (["analyze", "dataset=jsonl", "dataset.path=docs"], "dataset: docs: is a folder; name a"),
        (["label"], "action: is required; set one of export, import"),
        (["label", "export", "sheet=/dev/null/s.csv"], "/dev/null: can't be used (file exists)"),
        (["status", "foo=1"], "foo: no such key of status; there are: dataset, "),
        (["status", "dataset=sample_qa"], "dataset=sample_qa: says what a sweep judges, and no"),
    ],
)
def test_a_mistake_ends_in_one_line(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    root: Path,
):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(root / "docs")
    code, errors = ended(capsys, monkeypatch, *arguments)
    assert code == 2
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize(
    ("command", "said"), [("status", "0 of 140 verdicts done"), ("submit", "1 jobs would be")]
)
def test_a_sweep_needs_no_output_folder_of_a_run(command: str, said: str, tmp_path: Path):
    place = [f"store={tmp_path}/store", "judge=contains", "dataset=sample_qa"]
    if command == "submit":
        place += ["cluster=local", "dry_run=true"]
    done = in_process.ended(tmp_path, command, *place)
    assert (done.code, said in done.out) == (0, True), done.err


def test_an_output_folder_that_cannot_be_made_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    code, errors = ended(capsys, monkeypatch, "judge", "judge=contains", "hydra.run.dir=file")
    assert (code, errors) == (
        2,
        "error: file: can't be used (file exists); check the path and its permissions\n",
    )


def test_a_judges_yaml_needs_no_package_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my" / "judge").mkdir(parents=True)
    (tmp_path / "my" / "judge" / "mine.yaml").write_text(LEXICAL)
    monkeypatch.setattr(
        sys, "argv", ["llm-juries", "judge", "--config-dir", "my", "judge=mine", "dataset.limit=1"]
    )
    __main__.main()
    assert "4 verdicts of rules and recordings taken" in capsys.readouterr().out
    (tmp_path / "my" / "judge" / "mine.yaml").write_text("- 1\n")
    code, errors = ended(capsys, monkeypatch, "judge", "--config-dir", "my", "judge=mine")
    assert code == 2
    assert errors.endswith("/my/judge/mine: holds no keys; write KEY: VALUE lines\n")


@pytest.mark.parametrize("where", ["override", "yaml"])
def test_a_user_may_make_a_multirun_without_a_flag(where: str, tmp_path: Path):
    (tmp_path / "my" / "experiment").mkdir(parents=True)
    yaml = "# @package _global_\nhydra:\n  mode: MULTIRUN\n"
    (tmp_path / "my" / "experiment" / "many.yaml").write_text(yaml)
    given = (
        ["--config-dir", "my", "experiment=many"] if where == "yaml" else ["hydra.mode=MULTIRUN"]
    )
    swept = ["judge=contains,token_f1", "dataset.limit=1", "hydra.sweep.dir=runs"]
    done = in_process.ended(tmp_path, "judge", *given, *swept)
    assert done.code == 0, done
    assert {path.name for path in (tmp_path / "runs").iterdir()} >= {"0", "1"}


@pytest.mark.parametrize("arguments", [["--help"], ["judge", "--help"]])
def test_a_closed_pipe_ends_quietly(arguments: list[str]):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "llm_juries", *arguments], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (endings.CLOSED_PIPE, b"")


def test_an_interrupt_ends_in_one_line_also_while_modules_are_imported(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit) as caught:
        endings.guarded(lambda: signal.raise_signal(signal.SIGINT))
    assert caught.value.code == 130
    assert capsys.readouterr().err == "stopped; every reply received so far is stored\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        endings.guarded(lambda: print(1 / 0))
    with pytest.raises(ConnectionResetError):  # an OSError, but of no file
        endings.guarded(lambda: (_ for _ in ()).throw(ConnectionResetError("gone")))
