"""Seats in a config: which answers of which judges a run asks for, under which prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_juries.cluster.coverage import coverage
from llm_juries.cluster.grid import grid, merged, subject
from llm_juries.cluster.submit import workloads
from llm_juries.collect.policy import Policy
from llm_juries.config.composing import composed
from llm_juries.config.named import load_judge
from llm_juries.config.seating import Seating, shared_weights, voters_of
from llm_juries.config.study import studies
from llm_juries.errors import JuriesError
from llm_juries.judges.http.judge import HttpJudge
from llm_juries.juries.rules import Jury
from llm_juries.store.store import Store

SAMPLED = ("dataset.limit=2",)
JUDGE: dict[str, Any] = {
    "_target_": "llm_juries.judges.http.judge.HttpJudge",
    "family": "mock",
    "wire": "openai",
    "server": {"base_url": "http://127.0.0.1:9", "key_env": ""},
    "decoding": {"temperature": 0.7},
}
JURY: dict[str, Any] = {"_target_": "llm_juries.juries.rules.Jury"}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A user's own folder: the judges mock and other, and juries of their seats."""
    write(tmp_path, "judge", "mock", JUDGE | {"model": "m"})
    write(tmp_path, "judge", "other", JUDGE | {"model": "o"})
    write(tmp_path, "judge", "twin", JUDGE | {"model": "m"})
    for name, members in {
        "thrice": ["mock*3"],
        "prompts": ["mock@few_shot_standard", "mock@zero_shot", "other:2"],
        "typo": ["mock*many"],
        "recorded": ["gpt_4*2", "bem"],
    }.items():
        write(tmp_path, "jury", name, JURY | {"members": members})
    return tmp_path


def write(folder: Path, group: str, name: str, node: dict[str, Any]) -> None:
    path = folder / group / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    package = {"judge": "judges", "jury": "juries"}[group]
    text = yaml.safe_dump({"_target_": node["_target_"], "name": name} | node)
    path.write_text(f"# @package {package}.{name}\n{text}")


def voters(mine: Path, *overrides: str) -> list[list[str]]:
    cfg = composed("judge", [*SAMPLED, *overrides], mine)
    found = [[plan.voter for plan in study.plans] for study in studies(cfg)]
    asked = {voter for names in found for voter in names}
    assert asked <= voters_of(cfg) or cfg.dataset.name == "recorded_nq301"
    return found


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["judge=mock"], ["mock"]),
        (["seats=[mock]"], ["mock"]),
        (["seats=[mock:1]"], ["mock"]),
        (["seats=[mock*3]"], ["mock", "mock:2", "mock:3"]),
        (["judge=mock", "seats=[mock*3]"], ["mock", "mock:2", "mock:3"]),
        (["judge=[mock,other]", "seats=[mock:2]"], ["mock:2", "other"]),
        (["seats=[mock@zero_shot*2,mock]"], ["mock", "mock@zero_shot", "mock@zero_shot:2"]),
        (["seats=[mock@zero_shot*2]", "prompt=zero_shot"], ["mock", "mock:2"]),
        (["jury=thrice"], ["mock", "mock:2", "mock:3"]),
        (["jury=prompts"], ["mock", "mock@zero_shot", "other:2"]),
        (["jury=prompts", "prompt=no_instruction"],
         ["mock@few_shot_standard", "mock@zero_shot", "other:2"]),
        (["jury=[thrice,prompts]", "seats=[contains]"],
         ["contains", "mock", "mock:2", "mock:3", "mock@zero_shot", "other:2"]),
    ],
)  # fmt: skip
def test_a_run_asks_the_seats_that_are_named_and_a_judge_without_any_once(
    mine: Path, overrides: list[str], expected: list[str]
):
    assert voters(mine, *overrides) == [expected]


def test_a_jury_names_its_seats_as_the_run_does(mine: Path):
    for prompt, members in {
        "few_shot_standard": ("mock", "mock@zero_shot", "other:2"),
        "zero_shot": ("mock@few_shot_standard", "mock", "other:2"),
    }.items():
        (study,) = studies(composed("judge", ["jury=prompts", f"prompt={prompt}"], mine))
        assert study.juries[0].members == members


def test_under_several_prompts_a_seat_is_named_by_its_prompt_where_that_is_another(mine: Path):
    overrides = ["seats=[mock,mock@zero_shot]", "prompts=[zero_shot,few_shot_standard]"]
    assert voters(mine, *overrides) == [["mock"], ["mock", "mock@zero_shot"]]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["seats=[smolm2]"], "seats: smolm2: there is no judge 'smolm2'; did you mean smollm2"),
        (["seats=mock*3"], "seats: is not a list; write seats=[mock*3]"),
        (["seats=[mock,mock:1]"], "mock is named twice"),
        (["seats=[mock*0]"], "'0' is not a number of answers"),
        (["seats=[mock@zeroshot]"], "there is no prompt 'zeroshot'; did you mean zero_shot"),
        (["seats=[contains*2]"], "seat contains:2: would be a copy of contains: contains always"),
        (["seats=[smollm2*2]"], "smollm2 scores tokens"),
        (["seats=[claude_3_haiku:2]"], "claude_3_haiku has temperature 0; set its decoding"),
        (["judge=[mock,twin]"], "judges mock and twin: have the same model and decoding"),
        (["jury=typo"], "there is no judge 'mock*many'"),
        (["dataset=recorded_nq301", "jury=recorded"], "jury recorded: gpt_4:2: gpt_4 is recorded"),
        (["dataset=recorded_nq301", "seats=[gpt_4:2]"], "seats: gpt_4:2: gpt_4 is recorded"),
        (["seats=[mock,mock@zero_shot]", "prompt=zero_shot", "prompt.instruction=Else"],
         "seat mock@zero_shot: another prompt is called zero_shot too"),
        (["seats=[mock@pairwise]"], "prompt pairwise: compares two answers"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_before_anything_is_asked(
    mine: Path, overrides: list[str], said: str
):
    with pytest.raises(JuriesError) as error:
        voters(mine, *overrides)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_sweep_counts_the_verdicts_of_each_cells_seats(mine: Path, tmp_path: Path):
    swept = ["seats=[mock*3],[mock@zero_shot],[other]", *SAMPLED]
    cells = grid("submit", [*swept, f"store={tmp_path / 'store'}"], mine)
    assert len({subject(cell.cfg) for cell in cells}) == 1
    (together,) = merged(cell.cfg for cell in cells).values()
    assert together.seats == ["mock", "mock:2", "mock:3", "mock@zero_shot", "other"]
    with Store(tmp_path / "store") as store:
        found = workloads(cells, store, Policy())
        (covered,) = coverage((cell.cfg for cell in cells), store).values()
    assert [one.judges for one in found] == ["mock, mock:2, mock:3", "mock@zero_shot", "other"]
    assert [one.verdicts for one in found] == [24, 8, 8]
    assert [one.missing for one in found] == [24, 8, 8]
    assert sorted(one.judge for one in covered) == sorted(
        part.voter for one in found for part in one.parts
    )


@pytest.mark.parametrize("name", ["", " ", " a", "a:2", "a*3", "a@zero_shot", "a@zero_shot:2"])
def test_a_judges_name_is_not_blank_and_not_another_judges_seat(name: str):
    with pytest.raises(JuriesError, match=r"set a name|of the judge a; choose a name"):
        Seating({name: load_judge("contains")})


@pytest.mark.parametrize("name", ["llama3:8b", "gpt-4.1", "裁判", "$a$", "a:0", "j" * 300])
def test_a_judges_name_may_hold_what_names_no_seat(name: str):
    assert Seating({name: load_judge("contains")}).judges


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ([("x", "v"), ("y", "w"), ("z", "")], []),
        (
            [("x", "v"), ("x", "w"), ("y", "u")],
            ["jury j: a and b have the same base weights (x), so they err alike"],
        ),
        (
            [("x", "v"), ("y", "v"), ("unknown", "")],
            [
                "jury j: a and b are of one vendor (v), so they may err alike; the base weights of "
                "c are unknown"
            ],
        ),
        (
            [("unknown", ""), ("unknown", ""), ("x", "v")],
            ["jury j: the base weights of a and b are unknown"],
        ),
    ],
)
def test_a_jury_of_one_family_says_so(facts: list[tuple[str, str]], said: list[str]):
    judges = {
        name: HttpJudge(name, family, "openai", name, vendor=vendor)
        for name, (family, vendor) in zip("abc", facts, strict=True)
    }
    assert list(shared_weights(Jury("j", ("a", "b", "c")), judges)) == said


def test_several_answers_of_one_judge_are_meant_to_be_of_one_family():
    judges = {"a": HttpJudge("a", "unknown", "openai", "a")}
    assert list(shared_weights(Jury("j", ("a", "a:2", "a:3")), judges)) == []
