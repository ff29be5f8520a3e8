"""Earlier runs side by side: the panels in the folders of analyses, and of sweeps of them."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import JuriesError
from ..files import file_name
from ..juries.panel import Panel
from ..juries.votes_file import identities, read, write

log = logging.getLogger(__name__)
VOTES = "votes"
"""The folder of an analysis that holds its votes, a file a dataset."""
JOB = ".hydra"
"""The folder that Hydra writes for each job of a sweep before it begins."""


def keep(panels: Sequence[Panel], folder: Path) -> None:
    """Write the votes of panels into the folder of their analysis, in place of earlier ones."""
    for old in (folder / VOTES).glob("*.parquet"):
        old.unlink()
    for place, panel in enumerate(panels):
        write(panel, folder / VOTES / f"{file_name(panel.dataset.name)}.parquet", place)


def read_run(folder: Path) -> list[Panel]:
    """Read the panels that an analysis has written to its folder.

    Raises
    ------
    JuriesError
        If the folder does not exist or holds no analysis with votes, or a file is damaged.
    """
    if not folder.is_dir():
        what = "is a file; name the folder of a run" if folder.exists() else "there is no such run"
        raise JuriesError(f"{folder}: {what}")
    panels = read(folder / VOTES)
    if not panels:
        raise JuriesError(
            f"{folder}: holds no votes of an analysis; analyze again (runs keep their votes since "
            "this version), or name a run's folder, such as outputs/analyze/DATE"
        )
    return panels


def runs_in(folder: Path) -> list[Path]:
    """Return the folder of a run, or those of the runs of a sweep (-m) in a folder.

    Jobs of a sweep without votes, such as one that failed, are left out with a warning.
    """
    if (folder / VOTES).is_dir() or not folder.is_dir():
        return [folder]
    within = sorted(folder.iterdir(), key=lambda one: _natural(one.name))
    found = [one for one in within if (one / VOTES).is_dir()]
    failed = [one.name for one in within if (one / JOB).is_dir() and one not in found]
    if found and failed:
        log.warning("%s: left out, as they hold no votes: %s", folder, ", ".join(failed))
    return found or [folder]


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key under which 2 comes before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def side_by_side(runs: Sequence[tuple[str, Sequence[Panel]]]) -> list[Panel]:
    """Return the panels of several runs, each under a name of its own.

    Runs of one dataset on the same items, whose voters are others or have the same votes, are one
    panel: the parts of a sweep over judges. Else the dataset is called DATASET@RUN.

    Parameters
    ----------
    runs : sequence of (name, panels)
        Each run under its own name: see `run_names`.
    """
    named: dict[str, list[tuple[str, Panel]]] = {}
    for run, panels in runs:
        for panel in panels:
            group = named.setdefault(panel.dataset.name, [])
            for at, (first, other) in enumerate(group):
                if (joined := _joined(other, panel)) is not None:
                    group[at] = first, joined
                    break
            else:
                group.append((run, panel))
    return [
        panel if len(group) == 1 else _called(panel, f"{name}@{run}")
        for name, group in named.items()
        for run, panel in group
    ]


def read_runs(folders: Sequence[Path]) -> list[Panel]:
    """Read the panels of several runs or sweeps, side by side.

    Raises
    ------
    JuriesError
        As `read_run` and `run_names` do.
    """
    found = [run for folder in folders for run in runs_in(folder)]
    names = run_names(found)
    return side_by_side([(name, read_run(run)) for name, run in zip(names, found, strict=True)])


def matched(
    before: Sequence[Panel], after: Sequence[Panel]
) -> tuple[list[tuple[Panel, Panel]], list[str]]:
    """Return the panels of two runs that are about the same dataset, a pair each, and the others.

    Datasets have one name, or one name before the @ of a prompt or run, or are the only ones. Of
    those that only one run has the names are returned.

    Raises
    ------
    JuriesError
        If there is no such pair.
    """
    if len(before) == len(after) == 1:
        return [(before[0], after[0])], []
    exact = {panel.dataset.name: panel for panel in after}
    rough: dict[str, list[Panel]] = {}
    for panel in after:
        rough.setdefault(_base(panel), []).append(panel)
    pairs = []
    for panel in before:
        alike = rough.get(_base(panel), [])
        other = exact.get(panel.dataset.name) or (alike[0] if len(alike) == 1 else None)
        if other is not None:
            pairs.append((panel, other))
    taken = {id(panel) for pair in pairs for panel in pair}
    alone = [one.dataset.name for one in (*before, *after) if id(one) not in taken]
    if not pairs:
        raise JuriesError(
            f"no dataset is in both runs: {', '.join(alone)}; compare runs on the same datasets"
        )
    return pairs, alone


def _base(panel: Panel) -> str:
    return panel.dataset.name.partition("@")[0]


def _called(panel: Panel, name: str) -> Panel:
    return replace(panel, dataset=replace(panel.dataset, name=name))


def _joined(first: Panel, second: Panel) -> Panel | None:
    """Return two panels of the same items as one, None where a voter has other votes in each."""
    if first.scale != second.scale or first.threshold != second.threshold:
        return None
    if list(identities(first)) != list(identities(second)):
        return None
    if not np.array_equal(first.preferences, second.preferences, equal_nan=True):
        return None
    there = set(first.votes.names)
    shared = [name for name in second.votes.names if name in there]
    for name in shared:
        own, other = (panel.votes.columns((name,)) for panel in (first, second))
        if not np.array_equal(own.labels, other.labels, equal_nan=True) or not np.array_equal(
            own.outcomes, other.outcomes
        ):
            return None
    new = tuple(name for name in second.votes.names if name not in there)
    known = {jury.name for jury in first.juries}
    more = tuple(jury for jury in second.juries if jury.name not in known)
    votes = first.votes.joined(second.votes.columns(new))
    ordered = sorted(votes.voters, key=lambda voter: voter.kind == "jury")
    votes = votes.columns(tuple(voter.name for voter in ordered))
    return replace(first, votes=votes, juries=(*first.juries, *more))


def run_names(folders: Sequence[Path]) -> list[str]:
    """Return a short name for each folder: the last parts of its path that tell it from the others.

    Raises
    ------
    JuriesError
        If a folder is named twice.
    """
    whole = [folder.resolve().parts for folder in folders]
    for at, parts in enumerate(whole):
        if parts in whole[:at]:
            raise JuriesError(f"{folders[at]}: is named twice; name each run once")
    for length in range(1, max(map(len, whole), default=0) + 1):
        names = ["/".join(parts[-length:]) for parts in whole]
        if len(set(names)) == len(names):
            return names
    return ["/".join(parts) for parts in whole]
