"""LaTeX tables with hostile names, compiled by a real LaTeX: `make test-latex` installs one."""

from __future__ import annotations

import math
import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from llm_juries.reporting.tables import latex

HOSTILE = (
    "a & b",
    "100%",
    "$x$ and $",
    "#1",
    "a_b^c",
    "{x",
    "x}",
    "\\input{/etc/passwd}",
    "\\",
    "a\\\\b",
    "~",
    "[0.5, 0.6]",
    "*",
    "*[x]",
    "two\nlines",
    "two\r\n\nparagraphs",
    "tab\there",
    "nul\x00bell\x07",
    "line\u2028separator",
    "A>>B < C",
    "``quotes'' \"and\" 'more'",
    "--- a|b",
    "模型甲",
    "مُحَكِّم",
    "naïve café",
    "e\u0301 \u200bzero",
    "🏅",
    "%" * 50,
    "long " * 60,
    "\\end{tabular}\\end{document}",
    "^^5cinput",
    "=cmd|' /C calc'!A0",
)

if not os.environ.get("LLM_JURIES_LATEX"):
    pytest.skip("no LaTeX is asked for; make test-latex sets one up", allow_module_level=True)

ROOT = Path(__file__).parents[2]
DOCUMENT = """\\documentclass{article}
\\usepackage{booktabs,dcolumn}
\\begin{document}
\\ttfamily\\tiny
TABLES
\\end{document}
"""


def compiled(folder: Path, *tables: str) -> str:
    """Compile a document of some tables, and return LaTeX's log."""
    (folder / "t.tex").write_text(DOCUMENT.replace("TABLES", "\n\n".join(tables)), "utf-8")
    done = subprocess.run(
        ["lualatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert (folder / "t.pdf").stat().st_size > 0
    return done.stdout


def test_hostile_names_compile_in_every_place_of_a_table(tmp_path: Path):
    tables = [pd.DataFrame({"voter": HOSTILE, "note": HOSTILE, "kappa": [0.5] * len(HOSTILE)})]
    tables += [pd.DataFrame({name: [name], f"{name} n": [1.0]}) for name in HOSTILE]
    log = compiled(tmp_path, *map(latex, tables))
    assert "Output written" in log


def test_bold_and_decimals_compile(tmp_path: Path):
    table = pd.DataFrame({"voter": HOSTILE, "kappa": [0.1 * n - 1 for n in range(len(HOSTILE))]})
    compiled(tmp_path, latex(table, {HOSTILE[0]: "GPT-4"}), latex(table.assign(kappa=math.nan)))


def test_the_tables_of_the_reproduction_compile(tmp_path: Path):
    tables = [path.read_text("utf-8") for path in ROOT.glob("results/reproduction/tables/*.tex")]
    assert tables
    compiled(tmp_path, *tables)
