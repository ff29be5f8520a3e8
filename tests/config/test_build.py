"""A wrong config is told in one line that names the key, before anything is built."""

from __future__ import annotations

from typing import Any

import pytest
from omegaconf import OmegaConf

from llm_juries.collect.policy import Policy
from llm_juries.config.build import build, pick
from llm_juries.errors import JuriesError
from llm_juries.judges.lexical import LexicalJudge
from llm_juries.judges.model_files import ModelFile
from llm_juries.juries.rules import Jury
from llm_juries.prompts.prompt import Prompt, Shot
from llm_juries.types import Outcome

JURY = {"_target_": "llm_juries.juries.rules.Jury", "name": "trio", "members": ["a", "b", "c"]}
LEXICAL = {
    "_target_": "llm_juries.judges.lexical.LexicalJudge",
    "name": "contains",
    "measure": "contains",
    "threshold": 1.0,
}
SHOT = {"question": "Q", "answer": "A", "label": "True"}
PROMPT = {
    "_target_": "llm_juries.prompts.prompt.Prompt",
    "name": "p",
    "template": "{{ answer }}",
    "labels": {"True": 1, "False": 0},
}
SMALL = {
    "_target_": "llm_juries.judges.llamacpp.LlamaCppJudge",
    "name": "small",
    "family": "f",
    "file": {"name": "x.gguf", "sha256": "00", "size": 1},
}


API = {
    "_target_": "llm_juries.judges.http.judge.HttpJudge",
    "name": "a",
    "family": "f",
    "wire": "openai",
    "model": "m",
}


def test_a_jury_is_built_from_its_node():
    built = build(OmegaConf.create(JURY | {"rule": "any"}), "juries.trio")
    assert built == Jury("trio", ("a", "b", "c"), "any")


def test_nested_nodes_become_their_types():
    node = OmegaConf.create(PROMPT | {"shots": [SHOT | {"references": ["A"]}]})
    built = build(node, "prompt")
    assert isinstance(built, Prompt)
    assert built.shots == (Shot("Q", "A", "True", ("A",)),)


def test_a_class_is_built_by_its_constructors_signature():
    judge = build(OmegaConf.create(LEXICAL), "judges.contains")
    assert isinstance(judge, LexicalJudge)
    assert judge.threshold == 1.0


def test_a_nested_dataclass_is_built_with_its_defaults():
    assert build(OmegaConf.create(SMALL), "judges.small").file == ModelFile("x.gguf", "00", 1)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (JURY | {"rul": "any"}, "here.rul: no such key; did you mean rule"),
        (JURY | {"zzz": 1}, "here.zzz: no such key; there are: name, members"),
        (JURY | {"rule": "mojority"}, "here.rule: there is no 'mojority'"),
        (JURY | {"rule": "mojority"}, "there are: majority, plurality, any, margin"),
        (JURY | {"quorum": "two"}, "here.quorum: takes a whole number or null, not 'two'"),
        (JURY | {"quorum": 1.5}, "here.quorum: "),
        (
            JURY | {"members": "abc"},
            "here.members: takes a list, not 'abc'; write here.members=[abc]",
        ),
        (JURY | {"members": ["a", 2]}, "here.members[1]: "),
        (JURY | {"members": "???"}, "here.members: is required; set here.members=VALUE"),
        ({"_target_": JURY["_target_"], "name": "trio"}, "here.members: is required"),
        (JURY | {"members": []}, "here: jury trio: has no members"),
        (LEXICAL | {"threshold": "high"}, "here.threshold: takes a number, not 'high'"),
        (LEXICAL | {"measure": "bleu"}, "exact_match, contains, token_f1"),
        (LEXICAL | {"threshhold": 1}, "did you mean threshold"),
        (PROMPT | {"shots": [SHOT | {"question": 1}]}, "here.shots[0].question: "),
        (
            PROMPT | {"shots": [SHOT, {"question": "Q", "label": "True"}]},
            "here.shots[1].answer: is required",
        ),
        (PROMPT | {"labels": {"True": "one"}}, "here.labels"),
        (SMALL | {"file": SMALL["file"] | {"size": "1 GB"}}, "here.file.size: "),
        (
            SMALL | {"file": {"name": "x"}},
            "here.file: incomplete; set path, or the name, sha256 and size",
        ),
        (
            API | {"server": {"batch": "foo"}},
            "here.server.batch: there is no 'foo'; there are: openai, azure, together, mistral",
        ),
        (
            API | {"lifetime": {"model": "m", "served_until": "soon"}},
            "here.lifetime.served_until: 'soon' is not a date; write one as 2026-11-26",
        ),
        (
            API | {"lifetime": {"model": "m", "served_until": 2026}},
            "here.lifetime.served_until: takes a day, as 2026-11-26 or null, got ",
        ),
        ({"name": "x"}, "here: has no _target_"),
        (
            {"_target_": "llm_juries.juries.rules.Jurry"},
            "here._target_: 'llm_juries.juries.rules.Jurry'",
        ),
        ({"_target_": "no_such_package.thing"}, "here._target_: 'no_such_package.thing'"),
        ({"_target_": "llm_juries.juries.rules"}, "here._target_: 'llm_juries.juries.rules'"),
        ({"_target_": "Jury"}, "here._target_: 'Jury'"),
    ],
)
def test_a_wrong_node_ends_in_one_line(node: dict[str, Any], said: str):
    with pytest.raises(JuriesError) as caught:
        build(OmegaConf.create(node), "here")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (PROMPT | {"shots": [SHOT | {"reference": ["A"]}]}, "did you mean references"),
        (SMALL | {"file": SMALL["file"] | {"hub_rep": "x/y"}}, "did you mean hub_repo"),
    ],
)
def test_an_unknown_key_of_a_nested_node_is_told_too(node: dict[str, Any], said: str):
    with pytest.raises(JuriesError) as caught:
        build(OmegaConf.create(node), "here")
    assert said in str(caught.value)


def test_a_nested_value_that_is_missing_is_named():
    node = OmegaConf.create(SMALL | {"file": SMALL["file"] | {"sha256": "???"}})
    with pytest.raises(JuriesError, match=r"here\.file\.sha256: is required"):
        build(node, "here")


def test_interpolations_are_resolved_before_types_are_checked():
    cfg = OmegaConf.create({"level": 0.7, "judge": LEXICAL | {"threshold": "${level}"}})
    assert build(cfg.judge, "judge").threshold == 0.7


def test_a_dataclass_is_picked_from_the_top_of_a_config():
    cfg = OmegaConf.create({"again": ["failed", "unparsed"], "store": "elsewhere"})
    assert pick(cfg, Policy).again == (Outcome.FAILED, Outcome.UNPARSED)


def test_a_wrong_choice_at_the_top_names_its_key_and_the_choices():
    cfg = OmegaConf.create({"on_unavailable": "perhaps"})
    with pytest.raises(JuriesError, match=r"^on_unavailable: .*stop, skip"):
        pick(cfg, Policy)
