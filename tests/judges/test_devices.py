from __future__ import annotations

import pytest

from llm_juries.judges import devices
from llm_juries.judges.devices import Gpu


@pytest.mark.parametrize(
    ("named", "seen"),
    [("0", 1), ("4,7", 2), ("MIG-1,MIG-2", 2), ("", 0), ("-1", 0), ("0,-1,1", 1)],
)
def test_visible_gpus_are_those_that_cuda_would_take(
    named: str, seen: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert devices.gpus_visible() == seen


@pytest.mark.parametrize(("listed", "seen"), [(1, 1), (8, 8), (0, None)])
def test_without_the_variable_all_that_are_listed_are_visible(
    listed: int, seen: int | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "gpus_here", lambda: [Gpu("NVIDIA T4", 16.1)] * listed)
    assert devices.gpus_visible() == seen
