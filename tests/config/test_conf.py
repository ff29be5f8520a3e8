"""Every yaml in conf/ composes and builds what it says."""

from __future__ import annotations

import inspect
import re
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from conftest import ROOT
from llm_juries.answers.rounds import Answering
from llm_juries.config import composing
from llm_juries.config.build import build, pick
from llm_juries.config.keys import LOADER, commands, keys
from llm_juries.config.seating import shared_weights
from llm_juries.config.study import studies
from llm_juries.data.annotation_sheets import Task
from llm_juries.data.dataset import Dataset
from llm_juries.errors import JuriesError
from llm_juries.prompts.prompt import Prompt
from llm_juries.reporting.tracking import Tracking
from llm_juries.scale import Scale
from llm_juries.seats import seat_of
from llm_juries.types import Reply

CONF = ROOT / "conf"
STUDIES = ("judge", "analyze", "reproduce")  # the scripts about verdicts
REPRODUCE_GROUPS = (
    "candidate", "answering", "retrieval", "judge", "jury", "figures", "wandb", "experiment",
)  # fmt: skip
PROTOCOLS = ("recorded", "paper", "paper_2026")  # experiments of reproduce
ANSWER_GROUPS = ("dataset", "answering", "retrieval", "candidate")
LISTED = ("judge", "jury", "candidate")  # several of a group at once


SETS = ("paper", "paper_2026")  # of candidates, each named by a list


def names(group: str) -> list[str]:
    found = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    return [name for name in found if group != "candidate" or name not in SETS]


@cache
def composed(primary: str, *overrides: str) -> DictConfig:
    """Return a composed config, composed once and so not to be changed; a test may copy it."""
    cfg = composing.composed(primary, overrides)
    OmegaConf.set_readonly(cfg, True)
    return cfg


def changeable(node: DictConfig) -> DictConfig:
    copied = node.copy()
    OmegaConf.set_readonly(copied, False)
    return copied


def every(group: str) -> str:
    """Return the override that selects all yamls of a group that takes several."""
    return f"{group}=[{','.join(names(group))}]"


@cache
def overrides(primary: str) -> list[tuple[str, ...]]:
    """Return what selects the yamls that a script takes, in few configs.

    All of a group that takes several are selected at once. The first of the other groups are in one
    config, the second in the next. That goes on to the last under `judge` and `answer`; `analyze`
    and `reproduce` read the same groups, so one of each is enough, but for experiments, which set
    keys of the script's own, and choose of other groups: each has a config to itself.
    """
    groups: dict[str, list[str]] = {}
    for path in sorted(CONF.glob("*/*.yaml")):
        if path.stem in names(path.parent.name):
            groups.setdefault(path.parent.name, []).append(path.stem)
    own = [name for name in groups["experiment"] if (name in PROTOCOLS) == (primary == "reproduce")]
    groups["experiment"] = own
    if primary == "reproduce":
        groups = {group: groups[group] for group in REPRODUCE_GROUPS}
    drawn = () if primary in ("analyze", "reproduce") else ("figures",)
    for group in ("backend", "base", "cluster", *drawn, *ANSWER_GROUPS[1:]):
        if primary == "reproduce" or (primary == "answer" and group in ANSWER_GROUPS):
            continue
        groups.pop(group, None)
    if primary == "answer":
        groups = {group: groups[group] for group in ANSWER_GROUPS}
    alone, together = [], []
    for group, stems in groups.items():
        chosen = [f"{group}={stem}" for stem in stems]
        if group in LISTED:
            alone.append((every(group),))
        elif group == "experiment":
            alone += [(one,) for one in chosen]
        else:
            together.append(chosen if primary in ("judge", "answer") else chosen[:1])
    return alone + [tuple(filter(None, row)) for row in zip_longest(*together)]


@pytest.mark.parametrize(
    ("primary", "row"),
    [(primary, row) for primary in (*STUDIES, "answer") for row in overrides(primary)],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:60],
)
def test_every_yaml_composes_under_the_scripts_that_take_it(primary: str, row: tuple[str, ...]):
    assert composed(primary, *row)


def selected(primary: str, group: str, name: str) -> DictConfig:
    """Return a yaml's config from among those of `overrides`."""
    (row,) = (row for row in overrides(primary) if f"{group}={name}" in row)
    node: DictConfig = composed(primary, *row)[group]
    return node


@pytest.mark.parametrize("name", names("dataset"))
def test_every_dataset_yaml_composes_under_the_script_for_labels(name: str):
    cfg = composed("label", "action=export", "sheet=sheet.csv", f"dataset={name}")
    assert cfg.dataset._target_
    assert pick(cfg, Task) == Task("export", "sheet.csv")


@pytest.mark.parametrize("name", names("judge"))
def test_a_judge_yaml_builds_a_judge_of_its_own_name(name: str):
    node = composed("judge", every("judge")).judges[name]
    if wanted := sorted(OmegaConf.missing_keys(node)):
        with pytest.raises(JuriesError, match=rf"^{wanted[0]}: is required; set {wanted[0]}="):
            build(node, f"judges.{name}")
        return
    judge = build(node, f"judges.{name}")
    assert judge.name == name
    assert judge.family


@cache
def with_defaults(path: Path) -> dict[str, Any]:
    """Return a yaml's keys with those of the yamls that it is built on."""
    node = yaml.load(path.read_text(), Loader=LOADER)  # noqa: S506 - a safe one
    for default in node.get("defaults", []):
        base = default if isinstance(default, str) else ""
        if base.endswith("@_here_"):
            name = base.removeprefix("/").removesuffix("@_here_")
            node = with_defaults(CONF / f"{name}.yaml") | node
        elif base not in ("", "_self_") and not base.startswith("/"):  # of the same group
            node = with_defaults(path.parent / f"{base}.yaml") | node
    return dict(node)


HOSTED = [
    (command, group, name)
    for command, group in (("judge", "judge"), ("answer", "candidate"))
    for name in names(group)
    if with_defaults(CONF / group / f"{name}.yaml").get("lifetime")  # null of what runs here
]


@pytest.mark.parametrize(("command", "group", "name"), HOSTED)
def test_a_hosted_model_has_a_lifetime_and_a_dated_price_with_a_link(
    command: str, group: str, name: str
):
    model = build(composed(command, every(group))[f"{group}s"][name], name)
    life, price = model.lifetime, model.price
    assert life.model == model.model
    assert life.link.startswith("https://")
    assert model.vendor
    assert model.family not in ("", model.vendor)
    if life.served_until is not None:
        assert life.successor in names(group)
    if price is None:
        assert "price: null         # none was found" in (CONF / group / f"{name}.yaml").read_text()
        return
    assert price.model == model.model
    assert price.link.startswith("https://")
    assert price.source


def test_only_hosted_models_have_lifetimes_and_all_of_them():
    texts = {path.stem: path.read_text() for path in (CONF / "judge").glob("*.yaml")}
    asked = {
        name
        for name, text in texts.items()
        if "HttpJudge" in text or ("DecisionJudge" in text and "//127.0.0.1" not in text)
    }
    assert {name for _, group, name in HOSTED if group == "judge"} == asked


@pytest.mark.parametrize("name", names("candidate"))
def test_a_candidate_yaml_builds_a_model_that_answers_in_text(name: str):
    node = composed("answer", every("candidate")).candidates[name]
    judge = build(node, f"candidates.{name}")
    assert judge.name == name
    assert judge.decoding.verdict_by == "text"
    assert judge.decoding.max_tokens >= 256
    assert "jur" not in judge.note
    long = composed("answer", every("candidate"), "answering=open_book_long").candidates[name]
    assert long.decoding.max_tokens >= 512
    assert f"candidate={name}" in (CONF / "candidate" / f"{name}.yaml").read_text()


def answering_models(name: str) -> dict[str, Any]:
    nodes = composed("answer", f"candidate={name}", "allow_retired=true").candidates
    return {key: build(node, key) for key, node in nodes.items()}


def test_the_seven_models_of_the_paper_are_named_at_once_with_prices_of_its_time():
    found = answering_models("paper")
    assert set(found) == {
        "command_r", "command_r_plus", "gpt_35_turbo", "gpt_4", "claude_3_haiku",
        "claude_3_sonnet", "mistral_large",
    }  # fmt: skip
    assert all(model.lifetime.served_until and model.lifetime.successor for model in found.values())
    assert {model.price.as_of for model in found.values()} == {"2024-04"}


def test_seven_models_of_today_are_named_at_once_four_families_and_the_jury_among_them():
    found = answering_models("paper_2026")
    assert len(found) == 7
    assert len({model.vendor for model in found.values()}) >= 4
    assert not any(model.lifetime.served_until for model in found.values())
    assert all(model.price.as_of >= "2026-11" for model in found.values())
    jury = build(composed("judge", "jury=poll_2026").juries.poll_2026, "jury")
    assert set(jury.members) < set(found)


@pytest.mark.parametrize("name", names("answering"))
def test_an_answering_yaml_builds_a_way_of_its_own_name_and_begins_with_its_command(name: str):
    answering = build(selected("answer", "answering", name), "answering")
    assert isinstance(answering, Answering)
    assert answering.name == name
    assert f"answering={name}" in (CONF / "answering" / f"{name}.yaml").read_text()[:200]


@pytest.mark.parametrize("name", names("retrieval"))
def test_a_retrieval_yaml_builds_or_asks_for_its_path(name: str):
    node = changeable(selected("answer", "retrieval", name))
    if name in ("bm25", "bm25_disk"):
        with pytest.raises(JuriesError, match=r"^retrieval: path: missing"):
            build(node, "retrieval")
        node.path = "passages.jsonl"
    assert build(node, "retrieval")
    assert f"retrieval={name}" in (CONF / "retrieval" / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", names("jury"))
def test_a_jury_yaml_builds_a_jury_and_brings_its_judges(name: str):
    cfg = composed("judge", f"jury={name}")
    jury = build(cfg.juries[name], name)
    assert callable(jury.decide)
    assert jury.name == name
    recorded = not cfg.judges  # its judges come with a dataset of recorded verdicts
    assert recorded or {seat_of(member).judge for member in jury.members} <= set(cfg.judges)


@pytest.mark.parametrize("name", ["poll_2026", "open_16gb", "open_24gb", "open_80gb", "poll_paper"])
def test_the_juries_of_different_models_are_of_different_families_and_vendors(name: str):
    cfg = composed("judge", f"jury={name}")
    judges = {key: build(node, key) for key, node in cfg.judges.items()}
    jury = build(cfg.juries[name], name)
    assert len(jury.members) == 3
    assert list(shared_weights(jury, judges)) == []


@pytest.mark.parametrize("name", names("prompt"))
def test_a_prompt_yaml_builds_a_prompt_of_its_own_name(name: str):
    prompt = build(selected("judge", "prompt", name), "prompt")
    assert isinstance(prompt, Prompt)
    assert prompt.name == name


@pytest.mark.parametrize("name", names("dataset"))
def test_a_dataset_yaml_loads_or_asks_for_its_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    node = changeable(selected("judge", "dataset", name))
    source = node.get("source", {})
    if "repo" in source:  # tests/data/test_hub.py loads those of the hub
        return
    if OmegaConf.is_missing(node, "path") or OmegaConf.is_missing(node, "paths"):
        with pytest.raises(JuriesError, match=r"dataset\.paths?: is required"):
            build(node, "dataset")
        return
    if "home" in source:  # downloaded on first use: tests/data/test_public_sets.py builds these
        source.folder = str(tmp_path)
        with pytest.raises(JuriesError, match=r"has neither "):
            build(node, "dataset")
        return
    dataset = build(node, "dataset")
    assert isinstance(dataset, Dataset)
    assert dataset.name == name
    assert dataset.labels


def test_no_yaml_makes_a_multirun():
    """Hydra would compose each config twice to see it; `hydra_app.ComposedOnce` does not."""
    texts = [path.read_text() for path in CONF.rglob("*.yaml")]
    nodes = [yaml.load(text, Loader=LOADER) or {} for text in texts]  # noqa: S506 - a safe one
    assert not any("mode" in (node.get("hydra") or {}) for node in nodes)


@pytest.mark.parametrize("name", names("wandb"))
def test_a_wandb_yaml_builds_its_mode(name: str):
    tracking = build(selected("judge", "wandb", name), "wandb")
    assert isinstance(tracking, Tracking)
    assert tracking.mode == name


@pytest.mark.parametrize("name", names("experiment"))
def test_an_experiment_says_how_it_is_begun(name: str):
    assert f"experiment={name}" in (CONF / "experiment" / f"{name}.yaml").read_text()[:700]


@pytest.mark.parametrize("primary", ["judge", "analyze"])
def test_the_quickstart_describes_studies(primary: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    found = studies(composed(primary, "experiment=quickstart"))
    assert all(study.plans for study in found)


BUILT = [
    path
    for path in sorted(CONF.glob("*/*.yaml"))
    if path.stem in names(path.parent.name) and "_target_" in with_defaults(path)
]
LEFT_OUT = {
    "prompt": {
        "system",
        "scale",
        "criteria",
        "least_mass",
        "decision",
    },  # most have none; labels say the scale
    "dataset": {  # of another kind of table
        "answered",
        "baseline",
        "columns",
        "criteria",
        "empty",
        "families",
        "human_scale",
        "lengths",
        "orders",
        "pairs",
        "prompts",
        "scale",
        "words",
    },
    "jury": {"criteria", "fallback", "iterations", "weights"},
    "retrieval": {"source"},  # only of collections that are downloaded
}


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
def test_a_yaml_names_every_option_of_its_target_and_no_other(path: Path):
    node = with_defaults(path)
    named = set(node) - {"_target_", "defaults", "resources"}
    options = set(inspect.signature(get_object(node["_target_"])).parameters)
    assert named <= options
    assert options - named <= LEFT_OUT.get(path.parent.name, set())


def test_a_scale_is_set_in_a_yaml_or_on_the_command_line(tmp_path: Path):
    table = tmp_path / "t.csv"
    table.write_text("item_id,human,a\nq1,4,5\nq2,1,2\n")
    cfg = composed(
        "analyze",
        "dataset=verdicts",
        f"dataset.path={table}",
        "dataset.judges={a: {}}",
        "dataset.scale={kind: ordinal, low: 1, high: 5}",
        "analysis.threshold=4",
    )
    (study,) = studies(cfg)
    assert study.dataset.label_scale == Scale.ordinal(1, 5)
    assert [item.human for item in study.dataset.items] == ["4", "1"]
    cfg = changeable(cfg)
    cfg.dataset.scale = {"kind": "ordinal", "low": 5, "high": 1}
    with pytest.raises(JuriesError, match=r"dataset\.scale: scale: low is 5 and high is 1"):
        studies(cfg)
    node = {
        "_target_": "llm_juries.prompts.prompt.Prompt",
        "name": "claim",
        "template": "{{ answer }}",
        "scale": {"kind": "nominal", "values": ["supported", "refuted"]},
    }
    prompt = build(OmegaConf.create(node), "prompt")
    assert prompt.choices == ("supported", "refuted")
    assert prompt.reader.read(Reply("Refuted.")).value == "refuted"


def test_a_jury_brings_its_members_and_they_can_be_set_by_name():
    cfg = composed("judge", "jury=[embedded,poll_paper]", "judges.contains.threshold=0.5")
    members = {*cfg.juries.embedded.members, *cfg.juries.poll_paper.members}
    assert set(cfg.judges) == members
    assert cfg.judges.contains.threshold == 0.5


def test_a_jury_of_a_users_own_brings_judges_of_conf_and_of_theirs(tmp_path: Path):
    for group in ("judge", "jury"):
        (tmp_path / group).mkdir()
    judge = (CONF / "judge" / "contains.yaml").read_text().replace("contains\n", "mine\n")
    (tmp_path / "judge" / "mine.yaml").write_text(judge)
    jury = (CONF / "jury" / "embedded.yaml").read_text()
    jury = jury.replace("juries.embedded", "juries.own").replace("qwen25_coder,", "mine,")
    (tmp_path / "jury" / "own.yaml").write_text(jury)
    cfg = composing.composed("judge", ["jury=own"], tmp_path)
    assert set(cfg.judges) == {"mine", "contains", "token_f1"}


@pytest.mark.parametrize(
    ("command", "override", "said"),
    [
        ("judge", "+stroe=x", "stroe: no such key of judge; did you mean store?"),
        ("analyze", "+mode=batch", "mode: no such key of analyze"),
        ("label", "+store=x", "store: no such key of label"),
        ("judge", "dataset=[sample_qa,recorded_nq301]", "set datasets=[sample_qa,recorded_nq301]"),
        ("judge", "prompt=[zero_shot,pairwise]", "set prompts=[zero_shot,pairwise]"),
        ("judge", "wandb=[online,offline]", "wandb=[online,offline]: takes one name"),
        ("label", "dataset=[sample_qa,jsonl]", "dataset=[sample_qa,jsonl]: takes one name"),
        ("judge", "datasets=[sample_q]", "datasets: there is no dataset 'sample_q'; did you mean"),
        ("judge", "datasets=[jsonl]", "write datasets=[{jsonl: {path: VALUE}}]"),
        ("judge", "datasets=sample_qa", "datasets: is not a list; write datasets=[sample_qa]"),
        ("judge", "datasets=[{a: {}, b: {}}]", "names several"),
    ],
)
def test_a_key_that_nothing_reads_and_a_wrong_list_are_refused_in_one_line(
    command: str, override: str, said: str
):
    needed = ["action=export", "sheet=x"] if command == "label" else []
    with pytest.raises(JuriesError) as caught:
        composed(command, *needed, override)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["datasets=[sample_qa]", "dataset.limit=3"], "dataset.limit=3: is not used, as datasets="),
        (["prompts=[zero_shot]", "prompt=pairwise"], "prompt=pairwise: is not used, as prompts="),
    ],
)
def test_one_name_beside_the_list_that_replaces_it_is_refused(overrides: list[str], said: str):
    with pytest.raises(JuriesError, match=re.escape(said)):
        composed("judge", *overrides)


def test_an_experiment_may_set_keys_of_several_commands_but_none_that_no_command_has(
    tmp_path: Path,
):
    (tmp_path / "experiment").mkdir()
    for name, key in (("shared", "watch: 3"), ("typo", "serach: {rules: [any]}")):
        text = f"# @package _global_\n{key}\n"
        (tmp_path / "experiment" / f"{name}.yaml").write_text(text)
    assert composing.composed("judge", ["experiment=shared"], tmp_path)
    with pytest.raises(JuriesError, match="serach: no such key of judge"):
        composing.composed("judge", ["experiment=typo"], tmp_path)


def test_lists_name_yamls_files_and_keys_and_give_a_study_for_each_dataset_and_prompt(
    tmp_path: Path,
):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "q?", "answer": "a", "references": ["a"], "human": 1}\n')
    cfg = composed(
        "judge",
        f"datasets=[{path},{{sample_qa: {{limit: 2}}}}]",
        "prompts=[zero_shot,few_shot_standard]",
        "judge=smollm2",
    )
    found = studies(cfg)
    assert [study.dataset.name for study in found] == [
        "mine@zero_shot", "mine@few_shot_standard",
        "sample_qa@zero_shot", "sample_qa@few_shot_standard",
    ]  # fmt: skip
    assert {plan.dataset.name for study in found for plan in study.plans} == {"mine", "sample_qa"}
    assert len(list(found[2].dataset.items)) == 8  # two questions to four candidates
    assert [plan.prompt.name for study in found for plan in study.plans] == [
        "zero_shot", "few_shot_standard",
    ] * 2  # fmt: skip


@pytest.mark.parametrize("command", commands())
def test_every_key_has_a_comment_and_is_one_of_the_composed_config(command: str):
    for key in keys(command):
        assert key.comment, key.name
    if command in ("label", "store"):
        overrides = ["action=export", *(["sheet=x"] if command == "label" else [])]
    else:
        overrides = []
    composed_keys = set(composed(command, *overrides))
    named = {key.name.partition(".")[0] for key in keys(command)} - {"judge", "jury", "candidate"}
    assert composed_keys == named - {"experiment"}


def test_judges_select_by_list_and_join_those_of_a_jury():
    cfg = composed("judge", "judge=[smollm2,contains]", "jury=embedded")
    assert set(cfg.judges) == {"smollm2", "qwen25_coder", "contains", "token_f1"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["jury=embedded", "juries.embedded.members=[qwen25_code]"], "mean qwen25_coder"),
        (["jury=embedded", "juries.embedded.rule=mojority"], "majority, plurality, any, margin"),
        (["jury=nq301_trio"], "there is no judge"),
        (["judge=contains", "prompt.template='{{ anser }}'"], "did you mean answer"),
        (["judge=contains", "~prompt.labels.False"], "two different values"),
        (["judge=contains", "prompt.shots.0.question=1"], "prompt.shots[0].question"),
        (["judge=smollm2", "judges.smollm2._target_=llm_juries.nothing"], "cannot be imported"),
        (["judge=smollm2", "dataset=recorded_nq301"], "has nothing to judge"),
        (["datasets=[sample_qa,sample_qa]"], "two datasets"),
        (["judge=gpt_4_turbo", "prompt=pairwise"], "holds single ones; take one that does not"),
    ],
)
def test_a_wrong_config_ends_in_one_line_before_anything_is_asked(
    overrides: list[str], said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    with pytest.raises(JuriesError) as caught:
        studies(composed("judge", *overrides))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pairs_are_not_judged_under_a_prompt_of_single_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "pairs.csv"
    path.write_text("question,answer,opponent_answer,references\nq,a,b,a\n")
    given = ["dataset=jsonl", f"dataset.path={path}"]
    with pytest.raises(JuriesError, match=r"few_shot_standard: shows one answer.*prompt=pairwise"):
        studies(composed("judge", *given, "judge=gpt_4_turbo"))
    studies(composed("judge", *given, "judge=gpt_4_turbo", "prompt=pairwise"))
    studies(composed("judge", *given, "judge=contains"))  # a rule sees no prompt


def test_labels_of_your_own_go_to_the_dataset_and_not_to_further_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    own = ["datasets=[recorded_nq301]", "jury=[nq301_trio]"]
    (before,) = studies(composed("analyze", *own))
    item = next(iter(before.dataset.items))
    path = tmp_path / "labels.csv"
    path.write_text(f"item_id,candidate,human\n{item.item_id},{item.candidate},1\n")
    both = ["datasets=[recorded_nq301,sample_qa]", "jury=[nq301_trio]", "judge=contains"]
    mine, other = studies(composed("analyze", *both, f"human={path}"))
    assert [i.item_id for i in mine.dataset.items if i.human is not None] == [item.item_id]
    assert all(i.human is not None for i in other.dataset.items)
