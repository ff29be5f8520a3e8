"""The files that must say the same thing say it."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from hydra.utils import get_object

import llm_juries
from conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_yml_asks_for_what_pyproject_does():
    extras = PROJECT["optional-dependencies"]
    names = ("api", "local", "retrieval", "aggregation", "cluster", "dev")
    taken = [name for extra in names for name in extras[extra]]
    wanted = {*PROJECT["dependencies"], *taken, "-e ."}
    *_, last = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert set(last["pip"]) == wanted


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "ray.txt"])
def test_lock_files_pin_and_hash_every_package_and_name_no_host(lock: str):
    text = (ROOT / "requirements" / lock).read_text()
    assert "://" not in text
    packages = re.split(r"\n(?=[a-z0-9])", text, flags=re.IGNORECASE)[1:]
    assert len(packages) > 50
    for package in packages:
        assert re.match(r"[\w.\[\]-]+==\S+", package), package.splitlines()[0]
        assert "--hash=sha256:" in package


def test_the_version_is_the_same_everywhere():
    assert llm_juries.__version__ == PROJECT["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", ["Dockerfile", "cluster/llm-juries.def"])
def test_images_take_the_lock_file_the_lowest_python_and_the_extras_version_of_vllm(path: str):
    text = (ROOT / path).read_text()
    (version,) = re.findall(r"^from:? python:([\d.]+)-slim$", text, re.MULTILINE | re.IGNORECASE)
    assert PROJECT["requires-python"] == f">={version}"
    assert f"--python-version {version}" in (ROOT / "Makefile").read_text()
    assert "pip install --no-cache-dir --require-hashes -r requirements/dev.txt" in text
    assert "pip install --no-cache-dir --no-deps --no-build-isolation -e ." in text
    (vllm,) = PROJECT["optional-dependencies"]["vllm"]
    assert vllm.partition(";")[0] in text
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    for wanted in PROJECT["optional-dependencies"]["cluster"]:
        assert f"\n{wanted.partition('>')[0]}==" in locked


def test_what_git_ignores_of_environments_is_kept_out_of_images():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv*", "outputs"} <= set(ignored)


def test_a_target_can_be_imported_as_hydra_does():
    assert get_object("llm_juries.juries.rules.Jury") is not None


def test_prices_of_the_papers_judges_add_up_to_the_printed_cost():
    rows = (ROOT / "results" / "paper" / "cost_per_million_tokens.csv").read_text().splitlines()
    printed = {row.split(",")[0].split(" (")[0]: row.split(",")[1:3] for row in rows[1:]}

    def price(name: str) -> dict[str, float]:
        return yaml.safe_load((ROOT / "conf" / "judge" / f"{name}.yaml").read_text())["price"]

    jury = [price(name) for name in ("command_r", "claude_3_haiku", "gpt_35_turbo")]
    assert sum(p["input_usd"] for p in jury) == pytest.approx(float(printed["PoLL"][0]))
    assert sum(p["output_usd"] for p in jury) == pytest.approx(float(printed["PoLL"][1]))
    large = price("gpt_4_turbo")
    assert [large["input_usd"], large["output_usd"]] == [float(x) for x in printed["GPT-4 Turbo"]]
