"""Write an analysis as one HTML file: its tables, its figures, and a browser of the items.

The file needs no network and no server: styles, script, figures and data are in it. Model outputs
enter it as data only: JSON without any "<", which the script shows as text, never as markup. The
Content-Security-Policy allows only the script with the given hash to run, and forbids all requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from ...analysis.overview import ACROSS
from ...analysis.run import Results
from ...analysis.tables import TABLES, Table
from ...files import write_text
from ...markdown import numeric, texts
from ...store.store import Store
from ..across import conclusion_across
from ..drawing import not_drawn
from ..figures import Drawn
from ..provenance import provenance
from ..sentences import absence
from ..templates import template
from .columns import Options, browsable
from .headline import headlines

HERE = Path(__file__).parent
MOST_ROWS = 200  # of a table; more would make the page slow to lay out
READ_BY_THE_SCRIPT = "application/json"


def write(
    results: Results,
    store: Store,
    path: Path,
    figures: Drawn | None = None,
    options: Options | None = None,
) -> None:
    """Write an analysis as one self-contained HTML file.

    Parameters
    ----------
    results : Results
    store : Store
        Where the studies' verdicts with their raw replies are.
    path : Path
        The file; its folder is created if missing.
    figures : Drawn, optional
        In the order in which they are shown.
    options : Options, optional
        How many items are included; the page says what is left out.
    """
    data, left_out = browsable(results, store, options or Options())
    style, script = _asset("page.css"), _asset("page.js")
    html = template(HERE / "page.html.jinja").render(
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - a file of this package
        data=Markup(as_data(data)),  # noqa: S704 - no markup is left in it
        data_type=READ_BY_THE_SCRIPT,
        left_out=left_out,
        across=conclusion_across(results.tables),
        datasets=headlines(results),
        tables=[
            _table(table, results.tables[table.name])
            for table in (*ACROSS, *TABLES)
            if not results.tables.get(table.name, pd.DataFrame()).empty
        ],
        absent=[
            (table.title, reason)
            for table in TABLES
            if (reason := absence(table, results.tables.get(table.name, pd.DataFrame())))
        ],
        most_rows=MOST_ROWS,
        figures=[
            {"name": path.stem.replace("_", " "), "shows": shows, "source": _embedded(path)}
            for path, shows in (zip(figures.wait(), figures.shows, strict=True) if figures else ())
        ],
        not_drawn=not_drawn(figures or ()),
        judges=_judges(results),
        bootstrap=results.analysis.bootstrap,
        facts=provenance(),
    )
    write_text(path, html)


def as_data(value: Any) -> str:
    """Return a value as JSON that is safe in an HTML script element: it contains no "<"."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that allows only what is in this file.

    https://www.w3.org/TR/CSP3/ ; the hashes are of the exact bytes between the tags.
    """
    return (
        f"default-src 'none'; img-src data:; style-src '{_sha256(style)}'; "
        f"script-src '{_sha256(script)}'; base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _table(table: Table, rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "look_for": table.look_for,
        "columns": [(str(name), numeric(rows, at)) for at, name in enumerate(rows)],
        "rows": [*zip(*texts(rows.head(MOST_ROWS)), strict=True)],
        "total": len(rows),
    }


def _judges(results: Results) -> list[tuple[str, str, str]]:
    """Return each judge once: name, family and note."""
    found = {
        (plan.voter, plan.judge.family, plan.judge.note)
        for study in results.studies
        for plan in study.plans
    }
    return sorted(found)
