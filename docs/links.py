"""Links out of docs/ in the site: pictures are copied; other files are named, being elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

LINK = re.compile(r"(!?)\[([^\]]*)\]\(\.\./([^)#\s]+)(#[^)]*)?\)")
PICTURES = "pictures"


def on_files(files: Any, config: Any) -> Any:
    """Add the pictures that pages show from other folders."""
    root = Path(config.docs_dir).parent
    for page in list(files.documentation_pages()):
        for picture, _, path, _ in LINK.findall(page.content_string):
            name = f"{PICTURES}/{path}"
            if picture and files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the links that lead out of docs/."""
    return LINK.sub(_placed, markdown)


def _placed(found: re.Match[str]) -> str:
    picture, text, path, _ = found.groups()
    if picture:
        return f"![{text}]({PICTURES}/{path})"
    return f"`{path}`" if text in (path, Path(path).name) else f"{text} (`{path}`)"
