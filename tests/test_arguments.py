"""What a notebook passes is checked: a wrong type is one line that names the argument."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import llm_juries as lj

FRAME = pd.DataFrame(
    {"item_id": list("abcd"), "human": [1, 0, 1, 0], "ada": [1, 0, 0, 0], "bob": [1, 1, 0, 0]}
)


@pytest.fixture(scope="module")
def panel() -> lj.Panel:
    return lj.read_verdicts(FRAME)


WRONG: list[tuple[Callable[[Any], object], str]] = [
    (lambda _: lj.agreement(FRAME), r"^agreement: panel: got DataFrame .*; give a Panel$"),
    (lambda _: lj.compare(3), "^compare: panel: got int 3; give a Panel$"),
    (lambda p: lj.agreement(p, bootstrap=3), "^agreement: bootstrap: got int 3; give a Bootstrap$"),
    (lambda p: lj.dependence(p, "x"), "^dependence: bootstrap: got str 'x'; give a Bootstrap$"),
    (lambda p: lj.search_juries(p, "any"), r"rules: got str 'any'; give a list: rules=\['any'\]$"),
    (lambda p: lj.report(p, 3), "^report: folder: got int 3; give a text or a Path$"),
    (lambda _: lj.read_verdicts(FRAME, scale=3), "scale: got int 3; give a Scale"),
    (lambda _: lj.read_verdicts(FRAME, judges=3), "judges: got int 3; give a list or a dict"),
    (lambda _: lj.judge(FRAME, ["contains"], policy=3), "policy: got int 3; give a Policy"),
    (lambda p: p.add(3), "^add: 3 is not a jury; give one: "),
    (lambda p: p.add(lj.Jury), "is not a jury; give one: "),
    (lambda p: p.cut("x"), "^cut: threshold: got str 'x'; give a number$"),
    (lambda _: lj.Jury("trio", "ada"), r"got str 'ada'; give a list: members=\['ada'\]$"),
    (lambda _: lj.Jury("trio", ["ada"], quorum="x"), "quorum: got str 'x'; give a whole number"),
    (lambda _: lj.Bootstrap(resamples=1.5), "resamples: got float 1.5; give a whole number"),
    (lambda _: lj.Scale.interval("a", 3), "^scale: low: got str 'a'; give a number$"),
    (lambda _: lj.Jury("j", ["a"], "plurality", weights={"a": "1"}), "weights.a: got str '1'"),
    (lambda p: lj.search_juries(p, dollars={"ada": "1"}), "dollars.ada: got str '1'; give a num"),
    (lambda _: lj.Scale.ordinal(levels="ab", numbers=[0, "x"]), r"^scale: numbers\.2: got str 'x'"),
    (lambda _: lj.read_verdicts(FRAME, columns={"human": None}), "^columns: human is None; give"),
    (lambda _: lj.read_verdicts(FRAME, judges=[1]), "has no judge 1; there are: ada, bob"),
    (lambda _: lj.read_verdicts(FRAME, judges={"ada": 1}), "^judges.ada: got 1; give the column's"),
    (lambda p: lj.search_juries(p, coverage=2), "^coverage: 2 must be between 0 and 1"),
    (lambda _: lj.Scale("nom"), "^scale: there is no kind 'nom'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_type_is_one_line_that_says_what_to_give(
    panel: lj.Panel, call: Callable[[Any], object], said: str
) -> None:
    with pytest.raises(lj.JuriesError, match=said) as raised:
        call(panel)
    assert "\n" not in str(raised.value)


def test_numbers_of_numpy_and_tuples_are_taken(panel: lj.Panel) -> None:
    few = lj.Bootstrap(resamples=np.int64(100), level=np.float64(0.9))
    pair = lj.Jury("pair", ("ada", "bob"), ties="positive", quorum=np.int64(1))
    assert len(lj.agreement(panel.add(pair), few)) == 3


@pytest.mark.parametrize("folder", ["taken", "taken/below"])
def test_a_folder_that_can_not_be_written_is_one_line(
    panel: lj.Panel, folder: str, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(lj.JuriesError, match=r"^report: .*taken.*; choose another folder$"):
        lj.report(panel, tmp_path / folder, lj.Bootstrap(resamples=50))
