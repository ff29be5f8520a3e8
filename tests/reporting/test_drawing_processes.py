"""Figures are the same whoever draws them, and what goes wrong in another process is said."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llm_juries.errors import JuriesError
from llm_juries.reporting import figures, forked
from llm_juries.reporting.figures import FigureOptions, Order, Planned, drawers, processes

ROWS = pd.DataFrame(
    {
        "dataset": "d",
        "voter": ["a", "b"],
        "kind": "judge",
        "kappa": [0.5, 0.4],
        "ci_low": [0.4, 0.3],
        "ci_high": [0.6, 0.5],
        "n": 10,
        "missing": 0,
    }
)
PLAIN = FigureOptions()


def order(folder: Path, number: int, draw: Any = None, options: FigureOptions = PLAIN) -> Order:
    draw = draw or partial(figures.kappa_per_voter, ROWS, notes={"d": "made up"})
    return Order(
        [Planned(f"kappa_{at}", draw, "a kappa") for at in range(number)], folder, options, "ab"
    )


@pytest.fixture(autouse=True)
def two_cpus(monkeypatch: pytest.MonkeyPatch):
    """Let figures be drawn by two processes beside this one, whatever threads a test run has."""
    monkeypatch.setattr(processes, "cpus", lambda: 2)
    monkeypatch.setattr(forked, "cpus", lambda: 2)
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def test_other_processes_draw_the_same_figures_in_order(tmp_path: Path):
    alone, beside = (order(tmp_path / name, 3) for name in ("alone", "beside"))
    alone.draw()
    with drawers(PLAIN) as others:
        assert [*others.begin(beside)] == beside.paths
        assert [*others.begin(order(tmp_path / "none", 0))] == []
    for one, two in zip(alone.paths, beside.paths, strict=True):
        assert one.name == two.name
        for ending in (".png", ".pdf"):
            assert one.with_suffix(ending).read_bytes() == two.with_suffix(ending).read_bytes()


def test_all_that_was_begun_is_drawn_in_the_end(tmp_path: Path):
    with drawers(PLAIN) as others:
        drawn = others.begin(order(tmp_path, 2))
    assert all(path.is_file() for path in drawn)


def _fail() -> Any:
    raise JuriesError("figures: not today")


def _die() -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def test_mistakes_and_ends_of_the_other_process_are_errors_of_this_one(tmp_path: Path):
    with drawers(PLAIN) as others:
        with pytest.raises(JuriesError, match="not today"):
            others.begin(order(tmp_path, 2, _fail)).wait()
        wrong = FigureOptions(font="No Such Font")
        with pytest.raises(JuriesError, match=r"figures\.font: this machine has no 'No Such Font'"):
            others.begin(order(tmp_path, 1, options=wrong)).wait()
        killed = others.begin(order(tmp_path, 1, _die))
        with pytest.raises(JuriesError, match=r"was killed, perhaps .* set figures\.draw=main"):
            killed.wait()
        with pytest.raises(JuriesError, match="was killed"):
            others.begin(order(tmp_path, 1))


@pytest.mark.parametrize("reason", ["threads", "one CPU", "nothing to draw"])
def test_figures_are_drawn_here_where_another_process_is_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
):
    def fork(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(processes, "Forked", fork)
    if reason == "threads":
        monkeypatch.setattr(threading, "active_count", lambda: 2)
    if reason == "one CPU":
        monkeypatch.setattr(forked, "cpus", lambda: 1)
    options = FigureOptions(draw="none") if reason == "nothing to draw" else PLAIN
    with drawers(options) as others:
        assert len(others.begin(order(tmp_path, 1))) == 1
