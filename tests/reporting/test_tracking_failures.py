"""What W&B can't take, or a W&B that fails: one line, and everything else is logged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wandb
from test_tracking import told

from conftest import Run
from llm_juries.collect.run import collect
from llm_juries.reporting.tracking import Finished, Tracking
from llm_juries.store.store import Store
from studies import recorded_plans

OFFLINE = Tracking("offline", "study", verdicts=5, export=5)
ODD = {
    "whole numbers": (pd.array([1, None], dtype="Int64"), [1, None]),
    "booleans": (pd.array([True, None], dtype="boolean"), [True, None]),
    "words": (pd.array(["x", None], dtype="string"), ["x", None]),
    "floats": ([0.5, float("nan")], [0.5, None]),
    "infinities": ([float("inf"), -float("inf")], ["inf", "-inf"]),
    "objects": (pd.Series([pd.NA, None], dtype=object), [None, None]),
    "mixed": (pd.Series([1, "x"], dtype=object), [1, "x"]),
    "times": ([pd.Timestamp("2026-01-02", tz="UTC"), pd.NaT], ["2026-01-02 00:00:00+00:00", None]),
    "spans": ([pd.Timedelta("1h"), pd.NaT], ["0 days 01:00:00", None]),
    "categories": (pd.Categorical(["x", None]), ["x", None]),
    "lists": (pd.Series([[1, float("nan")], ("x",)], dtype=object), [[1, None], ["x"]]),
    "paths": (pd.Series([Path("/x"), np.float32(0.5)], dtype=object), ["/x", 0.5]),
    "surrogates": (pd.Series(["\ud800", "y"], dtype=object), ["?", "y"]),
}


def history(path: Path) -> dict[str, Any]:
    wandb.teardown()
    (log,) = path.glob("run-*.wandb")
    found: dict[str, Any] = told(log)["history"]
    return found


def test_every_kind_of_cell_is_logged_as_json(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    tables = {name: pd.DataFrame({"a": cells}) for name, (cells, _) in ODD.items()}
    tables["two of a name"] = pd.DataFrame([[1, 2]], columns=["a", "a"])
    tables["number for a name"] = pd.DataFrame([[1, pd.NA]])
    path = OFFLINE.log(Finished(tmp_path, "analyze", {}, tables))
    assert path is not None
    assert not any("not logged completely" in said for said in caplog.messages)
    logged = history(path)
    for name, (_, expected) in ODD.items():
        text = (path / "files" / logged[f"tables/{name}/path"]).read_text()
        cells = json.loads(text, parse_constant=lambda said: pytest.fail(said))["data"]
        assert cells == [[one] for one in expected], name


def failing(name: str, error: Exception) -> Callable[[pytest.MonkeyPatch], None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        owner, _, method = name.rpartition(".")
        monkeypatch.setattr(wandb if owner == "wandb" else getattr(wandb, owner), method, fail)

    return patch


@pytest.mark.parametrize(
    ("patch", "kept"),
    [
        (failing("wandb.Table", TypeError("no such type")), ["calls"]),
        (failing("Artifact.add_file", OSError(28, "No space left on device")), ["calls"]),
        (failing("Run.log_artifact", RuntimeError("the service\nended")), ["calls"]),
        (failing("Run.finish", RuntimeError("broken")), None),
        (failing("wandb.init", RuntimeError("no service")), None),
    ],
)
def test_a_failure_in_the_middle_is_one_line_and_the_rest_is_logged(
    patch: Callable[[pytest.MonkeyPatch], None], kept: list[str] | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
):  # fmt: skip
    report = tmp_path / "report.md"
    report.write_text("# Report")
    plans = recorded_plans(judges=1, items=5)
    with Store(tmp_path / "store") as store, monkeypatch.context() as patched:
        collect(plans, store)
        patch(patched)
        tables = {"t": pd.DataFrame({"a": [1]})}
        job = Finished(tmp_path, "analyze", {}, tables, metrics={"calls": 3.0}, files=[report])
        path = OFFLINE.log(job, plans, store)
    (line,) = (one for one in caplog.messages if "W&B" in one)
    assert line.startswith("W&B: this run was not logged completely (")
    assert len(line.splitlines()) == 1
    assert "Traceback" not in "".join(capfd.readouterr())
    if kept is not None:
        assert path is not None
        assert set(kept) <= set(history(path))
    wandb.teardown()


@pytest.mark.parametrize("option", ["project=a/b", "tags=['']", f"project={'x' * 200}"])
def test_a_name_that_wandb_refuses_is_one_line(option: str, run_script: Run):
    done = run_script(
        "judge", "judge=contains", "dataset.limit=2", "wandb=offline", f"wandb.{option}"
    )
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("W&B: this run was not logged completely (")
    assert "verdicts of rules and recordings taken" in done.stdout


def test_partly_labelled_data_is_logged(run_script: Run, tmp_path: Path):
    rows = [f"q{n},m,{'' if n % 3 else n % 2},{n % 2},{1 - n % 2}" for n in range(12)]
    table = tmp_path / "verdicts.csv"
    table.write_text("item_id,candidate,human,j1,j2\n" + "\n".join(rows))
    done = run_script(
        "analyze", "dataset=verdicts", f"dataset.path={table}", "wandb=offline",
        "analysis.bootstrap.resamples=50", "figures.draw=none",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "W&B" not in done.stderr
    wandb.teardown()
    (path,) = tmp_path.rglob("run-*.wandb")
    logged = told(path)
    assert logged["exit"] == 0
    assert any(name.startswith("tables/agreement") for name in logged["history"])
    assert {"report", "verdicts"} <= set(logged["artifacts"])
    told_of = {
        key: logged["summary"].get(f"summary/{key}") for key in ("items", "labelled", "missing")
    }
    assert told_of == {"items": 12, "labelled": 4, "missing": 0}
    assert logged["summary"]["summary/best_judge"] == "j1"
