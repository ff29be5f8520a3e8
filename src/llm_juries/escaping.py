"""Texts of others in the media that tables are written in: one function a medium.

Markup is escaped by Jinja (see `reporting.templates`).
"""

from __future__ import annotations

import math
import re
import unicodedata

_FORMULA = "=+-@\t\r\n＝＋－＠"  # what spreadsheets take for the beginning of a formula
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+"
)  # of lines, of terminals and of a text's direction
_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
)


def terminal(text: str) -> str:
    """Return a line for a terminal or a log: control characters are escaped."""
    if text.isprintable():
        return text
    plain = (c.isprintable() or unicodedata.category(c) == "Zs" for c in text)
    return "".join(c if shown else ascii(c)[1:-1] for c, shown in zip(text, plain, strict=True))


def html(text: str) -> str:
    """Return a text for Jinja to escape: on one line, without the control characters HTML bans."""
    return _CONTROLS.sub(" ", text)


def spreadsheet(text: str) -> str:
    """Return a cell of a CSV file: with an apostrophe before what would be a formula."""
    return f"'{text}" if text[:1] in _FORMULA and text and not _is_number(text) else text


def markdown(text: str) -> str:
    """Return a cell of a Markdown table: on one line, without HTML, links, math or more columns.

    One dollar sign is an amount of money; what two enclose would be shown as a formula.
    """
    text = _CONTROLS.sub(" ", text)
    text = text.replace("|", r"\|").replace("<", r"\<").replace("](", r"]\(")
    return text.replace("$", r"\$") if text.count("$") > 1 else text


def image(text: str) -> str:
    """Return the text of an image in Markdown: on one line, which it cannot end."""
    return re.sub(r"([\\\[\]<`$])", r"\\\1", _CONTROLS.sub(" ", text))


def latex(text: str) -> str:
    """Return a cell of a LaTeX table: on one line, without commands."""
    text = _CONTROLS.sub(" ", text).translate(_LATEX)
    # After the end of a row, these would be an argument of it.
    return f"{{{text[0]}}}{text[1:]}" if text[:1] in ("[", "*") else text


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False
