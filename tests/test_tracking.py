"""What W&B is told, read back from an offline run's own file."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from llm_juries.tracking import Tracking

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
    """Return the config, history and summary of an offline run."""
    found: dict[str, Any] = {"config": {}, "history": {}, "summary": {}}
    for record in records(path):
        match record.WhichOneof("record_type"):
            case "run":
                found |= {"project": record.run.project, "job": record.run.job_type}
                found |= {"group": record.run.run_group, "tags": list(record.run.tags)}
                updates, where = record.run.config.update, "config"
            case "config":
                updates, where = record.config.update, "config"
            case "history":
                updates, where = record.history.item, "history"
            case "summary":
                updates, where = record.summary.update, "summary"
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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    picture = folder / "kappa.png"
    Image.new("RGB", (4, 3)).save(picture)
    import wandb

    tracking = Tracking("offline", "study", group="sweep", tags=("nq",))
    path = tracking.log(
        folder, "analyze", {"seed": 3}, {"agreement": TABLE}, [picture], {"calls": 12}
    )
    # W&B's own process may still hold records when a run is finished; it writes them as it ends.
    wandb.teardown()
    assert path is not None
    return path


def test_a_disabled_run_writes_nothing(tmp_path: Path):
    assert Tracking().log(tmp_path / "out", "judge", {}, {"t": TABLE}) is None
    assert list(tmp_path.iterdir()) == []


def test_an_offline_run_holds_config_summary_and_labels(run: Path):
    (path,) = run.glob("run-*.wandb")
    found = told(path)
    assert (found["project"], found["job"], found["group"]) == ("study", "analyze", "sweep")
    assert found["tags"] == ["nq"]
    assert found["config"]["seed"] == 3
    assert found["summary"]["calls"] == 12
    assert found["exit"] == 0


def test_an_offline_run_holds_the_tables(run: Path):
    (path,) = run.glob("run-*.wandb")
    history = told(path)["history"]
    assert history["tables/agreement/_type"] == "table-file"
    table = json.loads((run / "files" / history["tables/agreement/path"]).read_text())
    assert table == {"columns": ["voter", "kappa"], "data": [["haiku", 0.6], ["jury", 0.7]]}


def test_an_offline_run_holds_the_figures(run: Path):
    (path,) = run.glob("run-*.wandb")
    history = told(path)["history"]
    with Image.open(run / "files" / history["figures/kappa/path"]) as picture:
        assert picture.size == (4, 3)
