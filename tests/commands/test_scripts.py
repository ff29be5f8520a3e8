"""The scripts, run as a user runs them, with a real small language model."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from omegaconf import OmegaConf

from conftest import ROOT, Run, options, script
from in_process import completed
from llm_juries.judges.model_files import cache
from llm_juries.store.store import Store
from llm_juries.types import Verdict

# No examples in the prompt: models would compute longer.
SMALL = ("dataset.limit=2", "prompt=zero_shot", "judge=smollm2", "judges.smollm2.threads=1")
TABLES_ONLY = ("figures.draw=none", "analysis.bootstrap.resamples=50")


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str]]:
    """Return the folder of a run that nothing disturbed, and how it ended."""
    folder = tmp_path_factory.mktemp("calm")
    return folder, completed("judge", *options(folder, *SMALL))


def stored(folder: Path) -> list[dict[str, object]]:
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", ["judge", "analyze", "answer", "label"])
def test_help_comes_without_the_heavy_imports(name: str):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", f"scripts/{name}.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"pandas", "numpy", "matplotlib", "wandb", "datasets", "torch"}
    assert "choices: " in done.stdout


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["judge=gpt_5"], "there is no judge=gpt_5"),
        (["judge=smolm2"], "did you mean smollm2"),
        (["dataset=jsonl", "judge=contains"], "dataset.path: is required"),
        (["dataset=jsonl", "judge=contains", "dataset.path=none.jsonl"], "no such file"),
        (["judge=contains", "dataset.limit=some"], "dataset.limit"),
        (["judge=contains", "dataset.limt=3"], "did you mean limit"),
        (["judge=contains", "on_unavailable=perhaps"], "stop, skip"),
        (["judge=contains", "store=README.md"], "is a file"),
        (["judge=[contains"], "no viable alternative at input '[contains'"),
        (["judge=contains", "wandb=ofline"], "did you mean offline"),
        (["judge=smollm2", "judges.smollm2.file.path=README.md"], "sha256 is"),
    ],
)
def test_a_mistake_ends_in_one_line_and_an_exit_code(
    run_script: Run, overrides: list[str], said: str
):
    done = run_script("judge", *overrides)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


def test_a_broken_file_names_its_line_and_field(run_script: Run, tmp_path: Path):
    good = {"question": "Q", "answer": "A", "references": ["A"], "human": 1}
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps(good | {"human": "maybe"}) + "\n")
    done = run_script("judge", "dataset=jsonl", f"dataset.path={path}", "judge=contains")
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"error: dataset: {path}, line 2, field human: 'maybe' is not on the scale"
    )
    assert len(done.stderr.splitlines()) == 1


def test_a_failing_job_of_a_sweep_leaves_the_others_standing(run_script: Run, tmp_path: Path):
    done = run_script(
        "judge", "-m", "judge=contains,token_f1", "dataset.limit=2,0",
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
    )  # fmt: skip
    assert done.returncode == 2
    assert "limit is 0" in done.stderr
    assert {row["judge"] for row in stored(tmp_path / "store")} == {"contains", "token_f1"}


@pytest.mark.model
def test_a_second_run_asks_the_model_nothing(calm: tuple[Path, CompletedProcess[str]]):
    folder, first = calm
    assert first.returncode == 0, first.stderr
    assert "8 model calls made; 0 verdicts of models were in the store" in first.stdout
    before = stored(folder / "store")
    second = completed("judge", *options(folder, *SMALL))
    assert "0 model calls made; 8 verdicts of models were in the store" in second.stdout
    assert stored(folder / "store") == before


@pytest.mark.model
def test_a_kill_loses_no_verdict_and_repeats_none(
    calm: tuple[Path, CompletedProcess[str]], tmp_path: Path
):
    run = subprocess.Popen(
        [*script("judge", tmp_path), *SMALL],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(whole_lines(tmp_path / "store")) < 4:
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    kept = whole_lines(tmp_path / "store")
    again = completed("judge", *options(tmp_path, *SMALL))
    assert f"{8 - len(kept)} model calls made; {len(kept)} verdicts" in again.stdout, again.stderr
    folder, ended = calm
    assert ended.returncode == 0
    disturbed, undisturbed = verdicts(tmp_path / "store"), verdicts(folder / "store")
    assert disturbed.keys() == undisturbed.keys()
    before = {json.loads(line)["key"] for line in kept}
    for key, verdict in undisturbed.items():
        assert disturbed[key].outcome is verdict.outcome
        # After the kill the cached prefix is computed in other pieces, and rounded differently:
        # scores differ by up to 0.05, by where the kill came.
        near = 0.02 if key in before else 0.06
        assert disturbed[key].score == pytest.approx(verdict.score, abs=near)


def whole_lines(store: Path) -> list[str]:
    text = "".join(path.read_text() for path in store.glob("*.jsonl"))
    return text.split("\n")[:-1]


def verdicts(store: Path) -> dict[str, Verdict]:
    keys = [json.loads(line)["key"] for line in whole_lines(store)]
    assert len(keys) == len(set(keys)), "a verdict was asked for twice"
    opened = Store(store)
    return {key: verdict for key in keys if (verdict := opened.get(key)) is not None}


@pytest.mark.model
def test_the_larger_model_judges_better_than_chance(run_script: Run, tmp_path: Path):
    judge = OmegaConf.load(ROOT / "conf" / "judge" / "qwen25_coder.yaml")
    if not list(cache().glob(f"*{judge.file.name}")):
        pytest.skip("its file (1.1 GB) is not in the cache; make quickstart fetches it")
    what = ("dataset.limit=6", "prompt=zero_shot", "judge=qwen25_coder")
    done = run_script("judge", *what)
    assert done.returncode == 0, done.stderr
    done = run_script("analyze", *what, *TABLES_ONLY)
    (row,) = table(tmp_path / "out" / "tables" / "agreement.csv")
    assert row["n"] == "24"
    assert float(row["kappa"]) > 0.3


def test_if_a_model_is_unavailable_the_others_go_on(run_script: Run, tmp_path: Path):
    missing = "judges.qwen25_coder.file.path=/nowhere/model.gguf"
    overrides = ["jury=embedded", missing, "dataset.limit=4"]
    done = run_script("judge", *overrides)
    assert done.returncode == 2
    assert "no such file" in done.stderr
    done = run_script("judge", *overrides, "on_unavailable=skip")
    assert done.returncode == 0
    assert "SKIPPED: judge qwen25_coder: /nowhere/model.gguf" in done.stdout
    done = run_script(
        "analyze", *overrides, *TABLES_ONLY
    )  # is written, but a judge without verdicts is named
    assert done.returncode == 2
    assert "error: qwen25_coder on sample_qa: the store" in done.stderr
    rows = {row["voter"]: row for row in table(tmp_path / "out" / "tables" / "agreement.csv")}
    assert (rows["qwen25_coder"]["n"], rows["qwen25_coder"]["missing"]) == ("0", "16")
    assert int(rows["embedded"]["n"]) + int(rows["embedded"]["missing"]) == 16
    assert "**qwen25_coder** has no votes" in (tmp_path / "out" / "report.md").read_text()


def test_the_analysis_of_recorded_verdicts_writes_all_its_files(run_script: Run, tmp_path: Path):
    done = run_script(
        "analyze", "datasets=[recorded_nq301,recorded_llmbar]", "jury=[nq301_trio,llmbar_trio]",
        "analysis.bootstrap.resamples=50", "wandb=offline", "analysis.search.rules=[majority]",
        # PDFs, which test_drawing_processes.py looks at, take as long again.
        "figures.paper_table1=results/paper/table1_kappa.csv", "figures.formats=[png]",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    rows = {(row["dataset"], row["voter"]): row for row in table(out / "tables" / "agreement.csv")}
    shown = {
        voter: (f"{float(row['kappa']):.3f}", row["missing"])
        for (dataset, voter), row in rows.items()
        if dataset == "recorded_nq301"
    }
    assert shown | {"nq301_trio": None} == {
        "gpt_4": ("0.675", "19"),
        "text_davinci_003": ("0.669", "0"),
        "bem": ("0.633", "3"),
        "contains": ("0.544", "0"),
        "exact_match": ("0.461", "0"),
        "token_f1": ("0.537", "0"),
        "nq301_trio": None,
    }
    for name in ("agreement", "outcomes", "deltas", "against_best", "juries"):
        for ending in ("csv", "md", "tex"):
            assert (out / "tables" / f"{name}.{ending}").stat().st_size > 0
    for name in ("kappa", "kappa_beside_paper", "deltas_recorded_nq301"):
        assert (out / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "figures" / "deltas_recorded_llmbar.png").exists()
    facts = json.loads((out / "provenance.json").read_text())
    assert facts["packages"]["llm-juries"]
    assert OmegaConf.load(out / "config.yaml").analysis.bootstrap.resamples == 50
    assert list((out / "wandb").glob("offline-run-*/run-*.wandb"))


def test_a_users_own_table_of_verdicts_is_analysed_with_no_model(run_script: Run, tmp_path: Path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "item_id,candidate,human,haiku,gpt\n"
        + "".join(f"q{i},m,{i % 2},{i % 2},{'' if i == 3 else 1}\n" for i in range(8))
    )
    done = run_script(
        "analyze", "dataset=verdicts", f"dataset.path={path}",
        "dataset.families={gpt: openai, haiku: anthropic}", *TABLES_ONLY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["voter"]: row for row in table(tmp_path / "out" / "tables" / "agreement.csv")}
    assert (rows["haiku"]["kappa"], rows["haiku"]["missing"]) == ("1.0", "0")
    assert (rows["gpt"]["kappa"], rows["gpt"]["missing"]) == ("0.0", "1")
    assert "haiku (anthropic)" in (tmp_path / "out" / "report.md").read_text()


def test_answers_are_labelled_blind_in_a_sheet_and_measured(run_script: Run, tmp_path: Path):
    sheet, out = tmp_path / "sheet.csv", tmp_path / "labels.csv"
    done = completed("label", "export", "dataset.limit=10", f"sheet={sheet}", "seed=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"40 rows to label in {sheet}: fill the last column with 1")
    assert not (ROOT / "label.log").exists()
    assert completed("label", "export", f"sheet={sheet}").stderr.count("already exists") == 1
    for annotator, words in (("ann", ["1", "0"]), ("ben", ["yes", "no", ""])):
        rows = table(sheet)
        with sheet.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            for at, row in enumerate(rows):
                writer.writerow(row | {"label": words[at % len(words)]})
        said = completed(
            "label", "import", f"sheet={sheet}", "seed=1", f"annotator={annotator}", f"out={out}"
        )
        assert said.returncode == 0, said.stderr
    assert said.stdout == (
        f"27 labels of ben are now in {out}; "
        f"13 rows of {sheet} have no label and were not imported\n"
    )
    done = run_script(
        "analyze",
        "judge=[contains]",
        f"human={out}",
        "adjudicator=ann",
        *TABLES_ONLY,
    )
    assert done.returncode == 0, done.stderr
    assert "labels of ann, ben joined to 40 of 140 items of sample_qa" in done.stderr
    (row,) = table(tmp_path / "out" / "tables" / "agreement.csv")
    assert (row["n"], row["missing"]) == ("40", "0")
    assert not (tmp_path / "out" / "tables" / "annotators.csv").exists()  # one is no agreement
    done = run_script("analyze", "judge=[contains]", f"human={out}", *TABLES_ONLY)
    alpha, kappa = table(tmp_path / "out" / "tables" / "annotators.csv")
    assert (alpha["annotators"], alpha["n"]) == ("all", "27")
    assert (kappa["measure"], kappa["annotators"]) == ("cohen_kappa", "ann, ben")
    report = (tmp_path / "out" / "report.md").read_text()
    assert "Labels: labels.csv (majority of 2 annotators)" in report
    assert "krippendorff_alpha" in report


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["exprot", "sheet=s.csv"], "there are: export, import"),
        (["export"], "sheet: is required"),
        (["export", "sheet=README.csv", "sede=1"], "did you mean seed"),
        (
            ["export", "dataset=recorded_nq301", "sheet=s.csv"],
            "has no text, only recorded verdicts",
        ),
        (["import", "sheet=nowhere.csv", "annotator=ann"], "nowhere.csv: no such file"),
    ],
)
def test_a_mistake_in_labelling_ends_in_one_line(arguments: list[str], said: str):
    done = completed("label", *arguments)
    assert done.returncode == 2
    *notes, line = done.stderr.splitlines()
    assert all(note.startswith("recorded_nq301: judges ") for note in notes)
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_progress_shows_on_a_terminal_only(tmp_path: Path):
    command = [*script("judge", tmp_path), "judge=contains", "dataset.limit=5"]
    quiet = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    ours, theirs = os.openpty()
    shown = subprocess.run(
        [*command, f"store={tmp_path / 'other'}"], cwd=ROOT, stderr=theirs, check=True,
        stdout=subprocess.DEVNULL, env={**os.environ, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    assert shown.returncode == 0
    assert b"contains on sample_qa" in os.read(ours, 65536)
    os.close(ours)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_file_on_a_full_disk_prints_no_traceback(run_process: Run, tmp_path: Path):
    full = "hydra.job_logging.handlers.file.filename=/dev/full"
    done = run_process("judge", "judge=contains", "dataset.limit=2", "hydra.verbose=true", full)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "8 verdicts" in done.stdout
