"""What `llm-juries store` does with a store of verdicts, and the text it prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import JuriesError
from ..files import check_path

if TYPE_CHECKING:
    from ..store.compaction import Compacted
    from ..store.imports import Imported
    from ..store.verify import Verified

NAMED = 3  # keys named in a summary


@dataclass(frozen=True)
class StoreAction:
    """What to do with a store.

    Parameters
    ----------
    action : {"verify", "compact", "count", "export", "import", "merge"}
    store : str
        The store's folder.
    out : str, optional
        Where to write an export: a folder that does not exist yet.
    sources : tuple of str
        What to import (folders of exports, .jsonl, .parquet) or merge (other stores).
    licence : str
        Of an export, as the Hugging Face Hub names it.
    no_writers : bool
        See `compaction.compact`.
    """

    action: Literal["verify", "compact", "count", "export", "import", "merge"]
    store: str
    out: str | None = None
    sources: tuple[str, ...] = ()
    licence: str = "unknown"
    no_writers: bool = False

    def __post_init__(self) -> None:
        check_path(self.store, "store")
        if self.action == "export" and not self.out:
            raise JuriesError("out: needed to export; set out=FOLDER")
        if self.action in ("import", "merge") and not self.sources:
            raise JuriesError(f"sources: needed to {self.action}; set sources=[PATH]")


def run(wanted: StoreAction) -> str:
    """Do what is wanted with a store; return what was done, as text.

    Raises
    ------
    JuriesError
        If the store does not exist (except to import and merge) or is damaged, or a source or the
        place of an export is unusable.
    """
    store = Path(wanted.store)
    sources = [Path(source).expanduser() for source in wanted.sources]
    if wanted.action not in ("import", "merge") and not store.is_dir():
        raise JuriesError(f"store: there is no folder {store}")
    match wanted.action:
        case "verify":
            from ..store.verify import verify

            return _verified(verify(store))
        case "compact":
            from ..store.compaction import compact

            return _compacted(compact(store, no_writers=wanted.no_writers))
        case "count":
            from ..markdown import markdown
            from ..store.scan import outcome_counts

            return markdown(outcome_counts(store))
        case "export":
            from ..store.exports import export

            rows = export(store, Path(str(wanted.out)).expanduser(), wanted.licence)
            return f"{rows:,} verdicts in {wanted.out}: load it with datasets.load_dataset"
        case "import":
            from ..store.imports import import_files

            return _imported(import_files(store, sources))
        case "merge":
            from ..store.imports import merge

            return _imported(merge(store, sources))


def _verified(found: Verified) -> str:
    named = ", ".join(found.conflicts[:NAMED])
    lines = [
        f"{found.keys:,} verdicts by their keys",
        f"{found.rows:,} in {found.files} Parquet files of snapshot {found.snapshot}, all intact",
        f"{found.lines:,} complete lines in {found.segments} segments, {found.torn} incomplete "
        "last lines",
        f"{found.repeated} keys stored again, {len(found.conflicts)} of them with another value"
        + (f" ({named} ...)" if named else ""),
    ]
    if found.uncompared:
        lines.append(_uncompared(found.uncompared))
    if found.obsolete:
        lines.append(f"{found.obsolete} Parquet files that a later compaction deletes")
    return "\n".join(lines)


def _compacted(done: Compacted) -> str:
    if done.lost_race:
        return "another compaction finished first; this one changed nothing"
    left = f"; {done.left} may still be written to or hold a damaged line" if done.left else ""
    return (
        f"{done.moved:,} verdicts moved into Parquet, which holds {done.rows:,} in {done.files} "
        f"files; {done.retired} segments deleted{left}"
    )


def _imported(done: Imported) -> str:
    text = (
        f"{done.read:,} verdicts read: {done.new:,} new, {done.known:,} known, {done.better:,} "
        "instead of one that counts less"
    )
    if done.conflicts:
        named = ", ".join(sorted(done.conflicts)[:NAMED])
        text += f"\n{len(done.conflicts)} keys with two values, the earlier counts: {named}"
    if done.uncompared:
        text += f"\n{_uncompared(sorted(done.uncompared))}"
    return text


def _uncompared(keys: Sequence[str]) -> str:
    return (
        f"{len(keys)} keys with two replies parsed in different ways, whose values cannot be "
        f"compared; the earlier counts: {', '.join(keys[:NAMED])}"
    )
