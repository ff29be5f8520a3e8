"""The merged page: what each part feeds, and why other parts are absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..reporting import paper
from ..store.store import Store
from . import materials
from .judging import Seated
from .protocol import Part, Protocol


def merged(
    protocol: Protocol,
    parts: Sequence[Seated],
    absent: Mapping[str, str],
    store: Store,
    settings: paper.Settings,
) -> paper.Reproduction:
    """Measure the parts of an experiment whose answers are there. Calls no model.

    Parameters
    ----------
    protocol : Protocol
    parts, absent
        See `judging.seated`.
    store : Store
    settings : paper.Settings
    """
    places: dict[str, tuple[str, ...]] = {}
    for part in protocol.parts:
        if part.options.stands_for:
            known = places.get(part.options.stands_for, ())
            places[part.options.stands_for] = (*known, _name(part))
    missing: dict[str, str] = {}
    for part in protocol.parts:
        if part.name in absent:
            for place in filter(None, (part.options.stands_for, *part.options.feeds)):
                missing.setdefault(place, absent[part.name])
    for name, stands_for in protocol.left_out.items():
        places.setdefault(stands_for, ())
        missing.setdefault(stands_for, absent[name])
    return paper.reproduce(
        [_source(protocol, one) for one in parts],
        store,
        settings.standing(places),
        missing,
    )


def _source(protocol: Protocol, one: Seated) -> paper.Source:
    part, options = one.part, one.part.options
    made = materials.written(protocol, part) if part.written else None
    answers = str(made) if made else ""
    if options.answers is not None:
        answers = f"answers of your own, {Path(options.answers).name}"
    limit = part.dataset.get("limit")
    sample = ""
    if limit is not None and (options.questions is None or limit < options.questions):
        of = f" of {options.questions:,}" if options.questions else ""
        sample = f"{of}, drawn with seed {part.dataset.get('seed')}"
    return paper.Source(
        one.study,
        options.feeds,
        options.stands_for,
        part.ranking,
        part.inconsistent,
        one.variants,
        part.prompt.name if one.variants else "",
        "" if options.answers is not None else sample,
        answers,
    )


def _name(part: Part) -> str:
    """Return what a part's dataset is called in tables."""
    own = part.written or part.options.answers is not None
    return part.name if own else str(part.dataset.get("name") or part.name)
