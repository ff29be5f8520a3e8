"""A sweep's grid: overrides to cells, cells to what their jobs need."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from conftest import ROOT
from llm_juries.cluster.grid import expand, grid, merged, needs, without
from llm_juries.config.build import build
from llm_juries.config.composing import composed
from llm_juries.config.resources import Resources
from llm_juries.errors import JuriesError
from llm_juries.types import Item, Order

CONF = ROOT / "conf"


def config(*overrides: str) -> DictConfig:
    return composed("judge", overrides)


@cache
def every_judge() -> DictConfig:
    names = [path.stem for path in (CONF / "judge").glob("*.yaml")]
    return config(f"judge=[{','.join(names)}]").judges


def test_a_grid_is_the_product_of_what_is_swept_over():
    jobs = expand(["judge=a,b", "shard=range(3)", "shards=3", "jury=[x,y]", "dataset.path='a,b'"])
    assert len(jobs) == 6
    assert {tuple(job[:2]) for job in jobs} == {
        (f"judge={j}", f"shard={s}") for j, s in product("ab", range(3))
    }
    assert all(job[2:] == ["shards=3", "jury=[x,y]", "dataset.path='a,b'"] for job in jobs)


def test_keys_of_the_submission_are_no_part_of_a_jobs_overrides():
    given = ["judge=smollm2", "cluster=local", "cluster.at_once=2", "+cluster.x=1", "clusters=1"]
    assert without(given, ("cluster",)) == ["judge=smollm2", "clusters=1"]
    cells = grid("submit", ["judge=smollm2,contains", "cluster=local"], own=("cluster",))
    assert [cell.overrides for cell in cells] == [("judge=smollm2",), ("judge=contains",)]
    assert [list(cell.cfg.judges) for cell in cells] == [["smollm2"], ["contains"]]


def test_a_users_own_yamls_are_found(tmp_path: Path):
    folder = tmp_path / "judge"
    folder.mkdir()
    text = (CONF / "judge" / "contains.yaml").read_text().replace("contains", "mine")
    (folder / "mine.yaml").write_text(text)
    (cell,) = grid("submit", ["judge=mine"], tmp_path)
    assert list(cell.cfg.judges) == ["mine"]


def test_a_job_of_several_judges_needs_the_most_of_each():
    assert needs(config("judge=contains")) == Resources()
    cfg = config("judge=[llama33_70b,qwen3_4b,contains]", "judges.qwen3_4b.resources.minutes=600")
    assert needs(cfg) == Resources(gpus=4, gpu_gb=80, cpus=16, memory_gb=200, minutes=600)


def test_gpus_follow_how_a_model_is_split():
    cfg = config("judge=command_r_35b", "judges.command_r_35b.engine.tensor_parallel=1")
    assert needs(cfg).gpus == 1


def test_all_copies_of_a_model_and_all_its_stages_have_gpus():
    name = "judges.command_r_35b"
    cfg = config("judge=command_r_35b", f"{name}.engine.data_parallel=3")
    assert needs(cfg).gpus == 6
    cfg = config("judge=command_r_35b", f"{name}.engine.pipeline_parallel=2")
    assert needs(cfg).gpus == 4
    elsewhere = [f"{name}.backend=server", f"{name}.runtime.base_url=http://127.0.0.1:8000/v1"]
    cfg = config("judge=command_r_35b", *elsewhere, f"{name}.resources.gpus=0")
    assert needs(cfg).gpus == 0
    assert build(cfg.judges.command_r_35b, name).launch.runtime.base_url


@pytest.mark.parametrize("path", sorted((CONF / "judge").glob("*.yaml")), ids=lambda p: p.stem)
def test_a_model_that_runs_on_the_machine_says_what_its_job_needs(path: Path):
    text = path.read_text()
    local = "vllm@_here_" in text or "LlamaCppJudge" in text
    assert local == ("resources" in yaml.safe_load(text))
    node = every_judge()[path.stem]
    need = needs(OmegaConf.create({"judges": {path.stem: node}}))
    engine = node.get("engine", {})
    copies = engine.get("tensor_parallel", 0) * engine.get("data_parallel", 0)
    assert need.gpus == (copies if node.get("device") == "gpu" else 0)
    if need.gpus:
        assert need.minutes > 10  # else submitit takes every preemption for a time-out


def test_what_a_job_needs_decides_on_no_verdict():
    keys = set()
    for change in ([], ["judges.qwen3_4b.resources.gpus=8"], ["~judges.qwen3_4b.resources"]):
        cfg = config("judge=qwen3_4b", *change)
        judge = build(cfg.judges.qwen3_4b, "judges.qwen3_4b")
        prompt = build(cfg.prompt, "prompt")
        item = Item("d", "1", "m", "Q?", "A", ("A",))
        keys.add(judge.request(item, Order.ORIGINAL, prompt).key)
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+judges.smollm2.resources.gpu=1", "resources.gpu: no such key; did you mean gpus"),
        ("judges.smollm2.resources.cpus=0", "resources: cpus: is 0; must be 1 or more"),
        ("judges.smollm2.resources.minutes=long", "resources.minutes: takes a whole number"),
    ],
)
def test_a_wrong_need_is_told_in_one_line(override: str, said: str):
    with pytest.raises(JuriesError) as caught:
        needs(config("judge=smollm2", override))
    assert said in str(caught.value)
    assert str(caught.value).startswith("judges.smollm2.")


def test_judges_and_shards_of_one_dataset_are_looked_at_together():
    cfgs = [
        config("judge=smollm2", "shard=0", "shards=2"),
        config("judge=contains"),
        config("judge=smollm2", "prompt=zero_shot"),
        config("jury=embedded"),
    ]
    one, other = merged(cfgs).values()
    assert set(one.judges) == {"smollm2", "contains", "qwen25_coder", "token_f1"}
    assert (one.shard, one.shards, one.juries) == (None, 1, {})
    assert set(other.judges) == {"smollm2"}
    assert cfgs[0].shard == 0  # what was given is left alone
