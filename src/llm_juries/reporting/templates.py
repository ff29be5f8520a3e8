"""The HTML templates of this package's pages."""

from __future__ import annotations

from pathlib import Path

import jinja2

from .. import escaping


def template(path: Path) -> jinja2.Template:
    """Return a template whose texts are escaped, and in which a missing value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        autoescape=True,
        finalize=lambda value: escaping.html(value) if type(value) is str else value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name)
