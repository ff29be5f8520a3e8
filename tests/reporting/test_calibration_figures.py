"""What the figures of probabilities and of power draw."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from llm_juries.reporting.figures import (
    FigureOptions,
    detectable_differences,
    reliability_diagram,
    save,
)


def test_a_reliability_diagram_has_each_voters_bins_and_their_intervals():
    rows = pd.DataFrame(
        {
            "dataset": "d", "voter": ["a", "a", "b"], "kind": ["judge", "judge", "jury"],
            "low": [0.0, 0.9, 0.4], "high": [0.1, 1.0, 0.5], "n": [5, 20, 7],
            "probability": [0.04, 0.95, 0.45], "positive": [0.2, 0.7, 0.5],
            "ci_low": [0.0, 0.5, 0.2], "ci_high": [0.5, 0.9, 0.8],
        }
    )  # fmt: skip
    axis = reliability_diagram(rows)
    lines = {line.get_label(): line.get_xydata().tolist() for line in axis.lines}
    assert lines["a"] == [[0.04, 0.2], [0.95, 0.7]]
    assert lines["b"] == [[0.45, 0.5]]
    segments = [one for part in axis.collections if hasattr(part, "get_segments")
                for one in part.get_segments()]  # fmt: skip
    assert [[0.95, 0.5], [0.95, 0.9]] in [one.tolist() for one in segments]


def test_detectable_differences_fall_with_the_root_of_the_questions():
    rows = pd.DataFrame(
        {
            "dataset": "d", "voter": ["trio"], "first": ["trio"], "second": ["best"],
            "measure": "kappa", "questions": [100], "difference": [0.02], "detectable": [0.1],
        }
    )  # fmt: skip
    axis = detectable_differences(rows)
    (curve,) = [line for line in axis.lines if line.get_label() == "trio beside best"]
    x, y = curve.get_xydata().T
    np.testing.assert_allclose(y, 0.1 * np.sqrt(100 / x))
    assert [100.0, 0.02] in [point for line in axis.lines for point in line.get_xydata().tolist()]


def test_an_axis_of_powers_of_ten_has_plain_numbers_and_room(tmp_path: Path):
    rows = pd.DataFrame(
        {
            "dataset": "d", "voter": ["trio"], "first": ["trio"], "second": ["best"],
            "measure": "kappa", "questions": [301], "difference": [0.02], "detectable": [0.047],
        }
    )  # fmt: skip
    with FigureOptions().look(), warnings.catch_warnings():
        warnings.simplefilter("error")
        axis = detectable_differences(rows, note="made up")
        save(axis, tmp_path, "power")
    shown = [text.get_text() for text in (*axis.get_xticklabels(), *axis.get_yticklabels())]
    assert {"50", "1,000", "0.02", "0.1"} <= set(shown)
