"""Configs that are composed by shortcuts are those of Hydra itself."""

from __future__ import annotations

import os
from copy import deepcopy
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from omegaconf.errors import ReadonlyConfigError

from llm_juries.config.composing import composed, register


def test_a_copy_of_a_config_has_flags_and_cached_values_of_its_own():
    register()
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


def test_a_default_may_be_chosen_by_others(tmp_path: Path):
    register()
    for group, names in {"db": "ab", "server": "x", "both": ("a_x", "b_x")}.items():
        (tmp_path / group).mkdir()
        for name in names:
            (tmp_path / group / f"{name}.yaml").write_text(f"name: {name}\n")
    own = "defaults: [db: a, server: x, both: '${db}_${server}', _self_]\n"
    (tmp_path / "main.yaml").write_text(own)
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        assert compose("main").both.name == "a_x"
        assert compose("main", ["db=b"]).both.name == "b_x"
