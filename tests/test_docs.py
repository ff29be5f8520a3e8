"""The documentation is right: its Python runs, its commands compose, its links and names exist."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import os
import pkgutil
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib as mpl
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object

import llm_juries
from conftest import ROOT
from llm_juries.analysis.changes import DIFFERENCES
from llm_juries.analysis.overview import ACROSS
from llm_juries.analysis.tables import TABLES
from llm_juries.config.composing import composed

CONF = ROOT / "conf"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "results" / "README.md",
]
COMMANDS = {
    "check",
    "judge",
    "answer",
    "label",
    "analyze",
    "difference",
    "reproduce",
    "atlas",
    "advise",
    "submit",
    "status",
    "store",
}
ACTIONS = {"label", "store"}  # commands whose first word says what to do
FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
FOLDERS = (".ci", "benchmarks", "cluster", "conf", "docs", "notebooks", "requirements")
NAMED = re.compile(
    rf"`((?:{'|'.join(FOLDERS)}|results|scripts|src|tests)/[\w./*-]*|(?:\w+/)+\w+\.py)`"
)
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")
CHOICE = re.compile(rf"`[^`\n]*?(?<![.\w])({'|'.join(GROUPS)})=\[?([a-z0-9_,]+)\]?[^`\n]*`")

KEYS = {
    key
    for path in CONF.rglob("*.yaml")
    for key in re.findall(r"(?:^[ -]*|[{,] *)(?:override )?(\w+):", path.read_text(), re.MULTILINE)
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, its first line's number, what stands after the fence, its text."""

    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, found[1].strip(), found[2])
        for found in FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command of a shell block, continuation lines joined."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line, comments=True):
            yield words


def ours(words: list[str]) -> tuple[str, list[str]] | None:
    """Return a command of this package and its arguments, None for another program."""
    match words:
        case ["llm-juries", name, *rest]:
            return name, rest
        case [python, script, *rest] if re.fullmatch(r"scripts/\w+\.py", script):
            assert Path(python).name == "python"
            return Path(script).stem, rest
    return None


SHELL = [
    block for page in PAGES for block in blocks(page) if block.kind in ("", "bash", "sh", "console")
]
LINES = [
    pytest.param(*found, id=f"{block} {' '.join(words)}"[:120])
    for block in SHELL
    for words in commands(block)
    if (found := ours(words))
]


def jobs(overrides: list[str], sweep: bool) -> Iterator[list[str]]:
    """Yield the overrides of each job, as Hydra's sweeper deals a sweep out."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    swept = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        if sweep and override.is_sweep_override()
        else [text]
        for override, text in zip(parsed, overrides, strict=True)
    ]
    for job in itertools.product(*swept):
        yield list(job)


@cache
def check_composes(command: str, *overrides: str) -> None:
    """Compose a config that several pages name once."""
    assert composed(command, overrides)


@pytest.mark.parametrize(("command", "arguments"), LINES)
def test_every_command_line_composes(command: str, arguments: list[str]):
    assert command in COMMANDS
    flags = [argument for argument in arguments if argument.startswith("-")]
    own = {"--watch"} if command == "status" else set()
    assert set(flags) <= {"-m", "--help", "--config-dir", *own}
    overrides = [argument for argument in arguments if "=" in argument or argument[0] == "~"]
    words = [argument for argument in arguments if argument not in (*flags, *overrides)]
    for launcher in [o for o in overrides if o.startswith("hydra/launcher=")]:
        assert (CONF / "hydra" / "launcher" / f"{launcher.partition('=')[2]}.yaml").exists()
        overrides.remove(launcher)  # its plugin may be installed elsewhere
    if command in ACTIONS and words:
        overrides.insert(0, f"action={words.pop(0)}")
    assert words == []
    sweeps = command in ("submit", "status")  # of their own, without -m
    primary = "submit" if command == "status" and overrides else command
    if primary != command:
        kept = set(yaml.safe_load((CONF / "status.yaml").read_text()))
        overrides = [text for text in overrides if text.partition("=")[0] not in kept]
    for job in jobs(overrides, sweeps or "-m" in flags):
        check_composes(primary, *job)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Blocks of a page share one namespace, in a folder where results/ can be found."""
    mpl.use("Agg")
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    found = blocks(page)
    for block, after in itertools.pairwise([*found, None]):
        if block is None or not block.kind.startswith("python"):
            continue
        if block.kind != "python":  # the reason must be said where the reader of the source sees it
            assert re.fullmatch(r"python no-run: \S.{8,}", block.kind), str(block)
            compile(block.text, str(block), "exec")
            continue
        printed = io.StringIO()
        code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, names)  # noqa: S102
        if printed.getvalue():
            shown = after.text if after is not None and after.kind == "text" else ""
            assert shown == printed.getvalue(), str(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_and_anchor_exists(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", FENCE.sub("", linked.read_text()), re.MULTILINE)
            assert anchor in [slug(head) for head in heads], target


def slug(head: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_module_and_choice_that_is_named_exists(page: Path):
    text = page.read_text()
    for path in NAMED.findall(text):
        pattern = re.sub(r"\b[A-Z]{3,}\b", "*", path)  # conf/judge/NAME.yaml
        places = (ROOT, ROOT / "src" / "llm_juries", ROOT / "conf")
        assert any(next(place.glob(pattern), None) for place in places), path
    styles = {f"llm_juries.{path.stem}" for path in (ROOT / "src/llm_juries").glob("*.mplstyle")}
    for name in set(re.findall(r"\bllm_juries(?:\.\w+)+", text)) - styles:
        get_object(name.removesuffix(".py"))
    for group, chosen in CHOICE.findall(prose(page)):
        for name in filter(None, chosen.split(",")):
            known = re.fullmatch(r"my_\w+|[abxy]", name) or (CONF / group / f"{name}.yaml").exists()
            assert known, f"{group}={name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_key_that_is_named_is_one_of_conf(page: Path):
    nodes = "|".join(sorted(path.parent.name for path in CONF.glob("*/*.yaml")))
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        if (
            code == "key=value" or re.search(r"\(| = |=True", code) or code.endswith(".csv")
        ):  # Python, or a file
            continue
        keys = re.findall(r"(?<![\w./@])([a-z_][\w.]*)=", code)
        if re.fullmatch(rf"(?:{nodes}|page|ranking|search)(?:\.[a-z_]+)+", code):
            keys.append(code)
        for key in keys:
            assert key.rpartition(".")[2] in KEYS, code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_target_extra_script_and_yaml_block_exists(page: Path):
    text = page.read_text()
    makefile = (ROOT / "Makefile").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    for target in re.findall(r"(?:^|`)make ((?:[a-z-]+ ?)+)", text, re.MULTILINE):
        for name in target.split():
            assert re.search(rf"^{name}:", makefile, re.MULTILINE), f"make {name}"
    for extra in re.findall(r"pip install [^\n`]*\[(\w+)\]", text):
        assert f"\n{extra} = [" in project, extra
    for script in re.findall(r"\bpython (benchmarks/\w+\.py|scripts/\w+\.py)", text):
        assert (ROOT / script).exists(), script
    for block in blocks(page):
        if block.kind == "yaml":
            assert yaml.safe_load(block.text), str(block)


def test_the_map_of_the_package_names_every_room():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = pkgutil.iter_modules([os.path.dirname(llm_juries.__file__)])
    for room in (module.name for module in found if module.name[0] != "_"):
        importlib.import_module(f"llm_juries.{room}")
        assert re.search(rf"`{room}/?`", text), room


def test_every_table_of_a_report_is_described_as_the_report_describes_it():
    text = (ROOT / "docs" / "analysis_tables.md").read_text()
    described = dict(re.findall(r"^## (\w+)\n\n(.+)$", text, re.MULTILINE))
    assert described == {
        table.name: f"**{table.title}.** {table.look_for} "
        + ("Always there." if table.applies == "always" else f"Needs {table.applies}.")
        for table in (*ACROSS, *DIFFERENCES, *TABLES)
    }


def test_the_site_has_every_page():
    pages = re.findall(r"\b(\w+\.md)\b", (ROOT / "mkdocs.yml").read_text())
    assert sorted(pages) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))
