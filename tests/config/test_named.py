"""Objects by name or yaml, without Hydra, are those that Hydra composes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from llm_juries.config import named
from llm_juries.config.locations import conf_dir
from llm_juries.errors import JuriesError
from llm_juries.prompts.prompt import Prompt

GROUPS = ("judge", "prompt", "dataset")
NAMES = [(group, name) for group in GROUPS for name in named.names(group)]


@cache
def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("judge", list(overrides))


def on_the_command_line(group: str, name: str) -> DictConfig:
    """Return the config of a name; few configs are composed, each of a prompt and a dataset."""
    if group == "judge":
        return composed(f"judge=[{','.join(named.names('judge'))}]").judges[name]
    number = named.names(group).index(name)
    others = {other: named.names(other) for other in ("prompt", "dataset")}
    chosen = (f"{other}={names[number % len(names)]}" for other, names in others.items())
    return composed(*chosen)[group]


@pytest.mark.parametrize(("group", "name"), NAMES)
def test_a_name_means_what_it_means_on_the_command_line(group: str, name: str):
    theirs = on_the_command_line(group, name)
    ours = named.node(group, name)
    assert OmegaConf.to_container(ours) == OmegaConf.to_container(theirs)


@pytest.mark.parametrize("name", [name for name in named.names("judge") if name != "gguf"])
def test_every_judge_loads_by_its_name(name: str):
    assert named.load_judge(name).name == name


def test_objects_load_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert named.load_dataset("recorded_nq301").name == "recorded_nq301"
    assert named.load_jury("nq301_trio").members == ("gpt_4", "text_davinci_003", "bem")
    assert isinstance(named.load_prompt("zero_shot"), Prompt)


def test_a_yaml_of_ones_own_can_build_on_those_of_the_project(tmp_path: Path):
    own = tmp_path / "terse.yaml"
    own.write_text(
        "defaults:\n  - zero_shot\n  - _self_\nname: terse\ninstruction: True or False?\n"
    )
    prompt = named.load_prompt(own)
    assert (prompt.name, prompt.instruction) == ("terse", "True or False?")
    assert prompt.labels == named.load_prompt("zero_shot").labels


def test_a_folder_of_ones_own_comes_first(tmp_path: Path):
    (tmp_path / "judge").mkdir()
    yaml = "_target_: llm_juries.judges.lexical.LexicalJudge\nname: mine\nmeasure: contains\n"
    (tmp_path / "judge" / "mine.yaml").write_text(yaml)
    assert "mine" in named.names("judge", [tmp_path])
    assert named.load_judge("mine", [tmp_path]).name == "mine"
    assert named.load_judge("contains", [tmp_path]).name == "contains"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "is not valid yaml"),
        ("- a", "holds no keys"),
        ("name: x\n", "has no _target_"),
        (
            "_target_: llm_juries.judges.lexical.LexicalJudge\nname: x\nmeasur: contains\n",
            "measur: no such key; did you mean measure?",
        ),
        ("_target_: llm_juries.juries.rules.Jury\nname: x\nmembers: [a]\n", "builds a Jury"),
        ("defaults: [contians]\n", "there is no judge 'contians'; did you mean contains"),
    ],
)
def test_a_mistake_in_a_yaml_is_one_line(tmp_path: Path, text: str, message: str):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(JuriesError) as caught:
        named.load_judge(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_successor_is_a_yaml(tmp_path: Path):
    """Messages send users of a retired model to it."""
    text = "defaults: [gpt_6_luna]\nlifetime: {successor: gpt_6_lunar}\n"
    (tmp_path / "judge").mkdir()
    (tmp_path / "judge" / "mine.yaml").write_text(text)
    with pytest.raises(
        JuriesError,
        match=r"^judge mine\.lifetime\.successor: names no yaml of conf/judge or conf/candidate: "
        r"'gpt_6_lunar'; leave it empty if there is none; did you mean gpt_6_luna",
    ):
        named.load_judge("mine", [tmp_path])
    (tmp_path / "judge" / "gpt_6_lunar.yaml").write_text("name: x\n")
    assert named.load_judge("mine", [tmp_path]).lifetime


def test_an_unknown_name_or_file_is_one_line(tmp_path: Path):
    with pytest.raises(
        JuriesError, match="there is no judge 'gpt_4_turb'; did you mean gpt_4_turbo"
    ):
        named.load_judge("gpt_4_turb")
    with pytest.raises(JuriesError, match="judge gguf: family has no value; set it in a yaml of"):
        named.load_judge("gguf")
    with pytest.raises(JuriesError, match=r"none\.yaml: no such file"):
        named.load_judge(tmp_path / "none.yaml")
