"""Configs are copied fast, and a copy shares nothing that can change."""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ReadonlyConfigError

from llm_juries.config.composing import composed
from llm_juries.config.copies import use_fast_copies


def test_a_copy_of_a_config_has_flags_and_cached_values_of_its_own():
    use_fast_copies()
    OmegaConf.register_new_resolver("counted", lambda _: next(numbers), use_cache=True)
    numbers = iter(range(3))
    config = OmegaConf.create({"a": {"b": 1, "c": "${counted:x}"}})
    try:
        copied = deepcopy(config)
        OmegaConf.set_readonly(copied, True)
        config.a.b = 2
        with pytest.raises(ReadonlyConfigError):
            copied.a.b = 3
        assert copied.a.b == 1
        assert (copied.a.c, config.a.c) == (0, 1)
        assert deepcopy(config).a.c == 1  # already computed
    finally:
        OmegaConf.clear_resolver("counted")


def test_a_yaml_that_changes_is_read_again(tmp_path: Path):
    path = tmp_path / "experiment" / "own.yaml"
    path.parent.mkdir()
    for shards in (2, 3):
        path.write_text(f"# @package _global_\nshards: {shards}\n")
        os.utime(path, ns=(shards, shards))  # of one length, and perhaps of one tick of the clock
        assert composed("judge", ["experiment=own"], tmp_path).shards == shards
