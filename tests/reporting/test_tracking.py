"""What W&B is told, read back from an offline run's own file."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import struct
import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from conftest import Run
from llm_juries.collect.run import collect
from llm_juries.reporting import forked, tracking
from llm_juries.reporting.tracking import Finished, Tracking, agreement_metrics, tally_metrics
from llm_juries.store.store import Store
from studies import recorded_plans

BLOCK, HEAD = 32768, 7
WHOLE, LAST = 1, 4  # kinds of a piece that end a record


def records(path: Path) -> Iterator[Any]:
    """Yield the records of a .wandb file: a 7-byte header, then a LevelDB log of protobufs.

    https://github.com/google/leveldb/blob/main/doc/log_format.md
    """
    from wandb.proto import wandb_internal_pb2

    data = path.read_bytes()
    assert data[:4] == b":W&B"
    at, record = 7, b""
    while at + HEAD <= len(data):
        if BLOCK - at % BLOCK < HEAD:
            at += BLOCK - at % BLOCK
            continue
        checksum, size, kind = struct.unpack("<IHB", data[at : at + HEAD])
        if not (size or kind):
            break
        piece = data[at + HEAD : at + HEAD + size]
        assert zlib.crc32(bytes([kind]) + piece) == checksum
        at += HEAD + size
        record += piece
        if kind in (WHOLE, LAST):
            message = wandb_internal_pb2.Record()
            message.ParseFromString(record)
            record = b""
            yield message


def told(path: Path) -> dict[str, Any]:
    """Return the labels, config, history, summary and artifacts of an offline run."""
    found: dict[str, Any] = {"config": {}, "history": {}, "summary": {}, "artifacts": {}}
    for record in records(path):
        match record.WhichOneof("record_type"):
            case "run":
                found |= {"project": record.run.project, "job": record.run.job_type}
                found |= {"group": record.run.run_group, "tags": list(record.run.tags)}
                found |= {"name": record.run.display_name}
                updates, where = record.run.config.update, "config"
            case "config":
                updates, where = record.config.update, "config"
            case "history":
                updates, where = record.history.item, "history"
            case "summary":
                updates, where = record.summary.update, "summary"
            case "artifact":
                artifact = record.artifact
                found["artifacts"][artifact.type] = {
                    "metadata": json.loads(artifact.metadata or "{}"),
                    "files": {one.path: one.local_path for one in artifact.manifest.contents},
                }
                continue
            case "exit":
                found["exit"] = record.exit.exit_code
                continue
            case _:
                continue
        for update in updates:
            name = update.key or "/".join(update.nested_key)
            found[where][name] = json.loads(update.value_json)
    return found


TABLE = pd.DataFrame({"voter": ["haiku", "jury"], "kappa": [0.6, 0.7]})


def judged(folder: Path) -> Finished:
    return Finished(folder, "judge", {}, {"t": TABLE})


OFFLINE = Tracking("offline", "study", name="first", tags=("nq",), verdicts=10, export=50)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Log a run with all there is; return its folder."""
    folder = tmp_path_factory.mktemp("run")
    picture = folder / "figures" / "kappa.png"
    picture.parent.mkdir()
    Image.new("RGB", (4, 3)).save(picture)
    (folder / "report.md").write_text("# Report")
    import wandb

    plans = recorded_plans(judges=3, items=41)
    with Store(folder / "store") as store:
        collect(plans, store)
        job = Finished(
            folder,
            "analyze",
            {"seed": 3, "judges": {"a": {"api_key": "sk-123"}}},
            {"agreement": TABLE, "nothing": pd.DataFrame()},
            [picture],
            {"kappa/nq/jury": 0.7, "calls": 12, "kappa/nq/absent": math.nan},
            group="quickstart",
            files=[folder / "report.md", folder / "figures", folder / "not_written.html"],
        )
        path = OFFLINE.log(job, plans, store)
    # W&B's own process may still hold records when a run is finished; it writes them as it ends.
    wandb.teardown()
    assert path is not None
    return path


@pytest.fixture(scope="module")
def found(run: Path) -> dict[str, Any]:
    (path,) = run.glob("run-*.wandb")
    return told(path)


def table_in(run: Path, found: dict[str, Any], name: str) -> pd.DataFrame:
    assert found["history"][f"{name}/_type"] == "table-file"
    table = json.loads((run / "files" / found["history"][f"{name}/path"]).read_text())
    return pd.DataFrame(table["data"], columns=table["columns"])


def test_a_disabled_run_writes_nothing(tmp_path: Path):
    assert Tracking().log(judged(tmp_path / "out")) is None
    assert list(tmp_path.iterdir()) == []


def test_an_offline_run_holds_labels_and_config(found: dict[str, Any]):
    assert (found["project"], found["job"], found["group"]) == ("study", "analyze", "quickstart")
    assert (found["name"], found["tags"]) == ("first", ["nq"])
    assert found["config"]["seed"] == 3
    assert found["config"]["judges"] == {"a": {"api_key": "(redacted)"}}
    assert found["exit"] == 0


def test_numbers_are_in_history_and_summary_and_what_is_none_in_neither(found: dict[str, Any]):
    for where in ("history", "summary"):
        assert found[where]["calls"] == 12
        assert found[where]["kappa/nq/jury"] == 0.7
        assert "kappa/nq/absent" not in found[where]


def test_an_offline_run_holds_the_tables_and_the_figures(run: Path, found: dict[str, Any]):
    pd.testing.assert_frame_equal(table_in(run, found, "tables/agreement"), TABLE)
    assert not any(name.startswith("tables/nothing") for name in found["history"])
    with Image.open(run / "files" / found["history"]["figures/kappa/path"]) as picture:
        assert picture.size == (4, 3)


def test_the_table_of_verdicts_is_a_capped_sample_and_the_beginning_of_the_export(
    run: Path, found: dict[str, Any]
):
    shown = table_in(run, found, "verdicts/sample")
    exported = pd.read_parquet(run.parent.parent / "verdicts.parquet")
    assert (len(shown), len(exported), found["summary"]["verdicts"]) == (10, 50, 120)
    about = ["item_id", "judge", "outcome", "reply"]
    pd.testing.assert_frame_equal(shown[about], exported[about].head(10))
    artifact = found["artifacts"]["verdicts"]
    assert artifact["metadata"] == {"rows": 50, "of": 120, "seed": 0}
    assert list(artifact["files"]) == ["verdicts.parquet"]


def test_the_report_is_an_artifact_without_what_was_not_written(found: dict[str, Any]):
    files = found["artifacts"]["report"]["files"]
    assert sorted(files) == ["figures/kappa.png", "report.md"]


def test_the_command_line_is_not_sent(run: Path):
    assert not list(run.rglob("wandb-metadata.json"))


def test_a_group_of_the_config_goes_before_the_jobs_own(tmp_path: Path):
    import wandb

    path = replace(OFFLINE, group="mine").log(replace(judged(tmp_path), group="quickstart"))
    wandb.teardown()
    assert path is not None
    (log,) = path.glob("run-*.wandb")
    assert told(log)["group"] == "mine"


def test_numbers_are_named_for_plots_over_runs():
    row = {"dataset": "nq", "voter": "jury", "kind": "jury", "n": 5, "missing": 1, "kappa": 0.5}
    row |= {"ci_low": 0.1, "ci_high": 0.8, "accuracy": 0.9}
    named = agreement_metrics(pd.DataFrame([row]))
    assert (named["kappa/nq/jury"], named["missing/nq/jury"]) == (0.5, 1)
    collected = pd.DataFrame({"dataset": ["nq"] * 2, "judge": ["a", "b"], "usd": [0.5, 0.25]})
    counted = tally_metrics(collected)
    assert counted == {"usd/nq/a": 0.5, "usd/nq/b": 0.25, "total/usd": 0.75}


def without_login(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("NETRC", str(home / "none"))


def warned(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = (one for one in caplog.records if one.name == "llm_juries.reporting.tracking")
    assert record.levelno == logging.WARNING
    (line,) = record.getMessage().splitlines()
    assert line.startswith("W&B: this run was not logged completely (")
    return line


def test_no_login_is_one_line_and_no_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    without_login(monkeypatch, tmp_path)
    assert Tracking("online").log(judged(tmp_path)) is None
    assert "no login: run `wandb login`, set WANDB_API_KEY, or wandb=offline" in warned(caplog)


def test_a_broken_installation_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert OFFLINE.log(judged(tmp_path)) is None
    assert "wandb" in warned(caplog)


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").write_text("")
    assert OFFLINE.log(judged(tmp_path / "file")) is None
    assert "FileExistsError" in warned(caplog)


def test_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    plans = recorded_plans(judges=1, items=3)
    with Store(tmp_path / "store") as store:
        collect(plans, store)
        logged = OFFLINE.log(judged(tmp_path), plans, store)
    assert logged is not None
    assert "No space left on device" in warned(caplog)


@pytest.mark.parametrize("case", ["killed", "broken"])
def test_a_process_that_fails_to_log_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, case: str
):
    def start(*_: object) -> None:
        if case == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueError(case)

    monkeypatch.setattr(forked, "cpus", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(tracking, "_import_all", lambda: None)
    monkeypatch.setattr(Tracking, "start", start)
    with Store(tmp_path / "store") as store, OFFLINE.beside([], store) as logged:
        logged.begin(judged(tmp_path))
        assert logged.end(judged(tmp_path)) is None
    assert case in warned(caplog)


@pytest.mark.parametrize("case", ["no login", "no network"])
def test_a_script_goes_on_when_the_server_cannot_be_had(
    run_process: Run, tmp_path: Path, case: str
):
    environment = {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none"), "WANDB_API_KEY": ""}
    environment["WANDB_CONFIG_DIR"] = str(tmp_path)
    if case == "no network":
        environment |= {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    done = run_process(
        "judge", "judge=contains", "dataset.limit=2", "wandb=online", "wandb.timeout_s=3",
        **environment,
    )  # fmt: skip
    assert done.returncode == 0
    assert "verdicts of rules and recordings taken" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("W&B: this run was not logged")
