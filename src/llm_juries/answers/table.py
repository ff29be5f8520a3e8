"""The table of answers that judges are then asked about, and the summary of an answering run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..collect.tally import Tally
from ..data.tables import rows
from ..errors import MOST_NAMED, JuriesError
from ..files import write_text
from ..types import Outcome
from .rounds import Answer

NOT_ASKED = "not_asked"


def write(path: Path, answers: Sequence[Answer], answering: str) -> int:
    """Write the answers to a .jsonl file; return how many rows it has.

    All rows of these candidates are replaced, those of others are kept. Rows are in the order of
    the dataset, then of the candidates; kept rows about other questions come last. A killed run
    leaves the old file or the new one.

    Raises
    ------
    JuriesError
        If the file can't be read or written.
    """
    asked = dict.fromkeys(answer.item.item_id for answer in answers)
    places = {item_id: number for number, item_id in enumerate(asked)}
    named = {answer.candidate for answer in answers}
    kept = [row for row in _earlier(path) if row.get("candidate") not in named]
    made = [_row(answer, answering) for answer in answers if answer.outcome is Outcome.OK]
    table = sorted(
        [*made, *kept],
        key=lambda row: (places.get(row["item_id"], len(places)), row["item_id"], row["candidate"]),
    )
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table)
    try:
        write_text(path, text)
    except OSError as error:
        raise JuriesError(f"answers={path}: can't write ({error.strerror})") from None
    return len(table)


def _row(answer: Answer, answering: str) -> dict[str, Any]:
    return {
        "item_id": answer.item.item_id,
        "candidate": answer.candidate,
        "question": answer.item.question,
        "answer": answer.text,
        "references": list(answer.item.references),
        "documents": list(answer.documents),
        "answering": answering,
    }


def check_path(path: Path) -> None:
    """Raise JuriesError if a path is not .jsonl, or a file there is not a table of answers."""
    if path.suffix.lower() != ".jsonl":
        raise JuriesError(f"answers={path}: unknown file extension {path.suffix!r}; use .jsonl")
    _earlier(path)


def _earlier(path: Path) -> list[dict[str, Any]]:
    """Return the rows of an existing table of answers."""
    if not path.exists():
        return []
    found = []
    for place, row in rows(path):
        for field in ("item_id", "candidate", "answering"):
            if not isinstance(row.get(field), str):
                raise JuriesError(
                    f"answers={path}, {place}, field {field}: is {row.get(field)!r}, so this is "
                    "not a table of answers; name another file"
                )
        found.append(row)
    return found


def summary(answers: Sequence[Answer], tallies: Sequence[Tally]) -> pd.DataFrame:
    """Return a row a candidate: questions, answers, the outcomes of the others, tokens and dollars.

    `calls` counts the model calls of this run, `stored` the stored replies, both over all rounds.
    `usd` sums the replies whose cost is known, `unpriced` counts the others; both columns are left
    out if they are zero.
    """
    outcomes = Counter((a.candidate, str(a.outcome or NOT_ASKED)) for a in answers)
    odd = sorted({outcome for _, outcome in outcomes} - {Outcome.OK})
    found = []
    for name in dict.fromkeys(answer.candidate for answer in answers):
        mine = [tally for tally in tallies if tally.judge == name]
        found.append(
            {
                "candidate": name,
                "questions": sum(answer.candidate == name for answer in answers),
                "answers": outcomes[name, Outcome.OK],
                **{outcome: outcomes[name, outcome] for outcome in odd},
                "calls": sum(tally.asked for tally in mine),
                "stored": sum(tally.kept for tally in mine),
                "input_tokens": sum(tally.input_tokens for tally in mine),
                "output_tokens": sum(tally.output_tokens for tally in mine),
                "usd": round(sum(tally.cost_usd for tally in mine), 4),
                "unpriced": sum(tally.unpriced for tally in mine),
            }
        )
    table = pd.DataFrame(found)
    return table.drop(columns=[name for name in ("usd", "unpriced") if not table[name].any()])


def failures(answers: Sequence[Answer]) -> list[str]:
    """Return a line for each missing answer, two dozen at most."""
    failed = [answer for answer in answers if answer.outcome is not Outcome.OK]
    lines = [
        f"NO ANSWER: {a.candidate} on {a.item.dataset} item {a.item.item_id}: "
        f"{a.outcome or NOT_ASKED}"
        for a in failed[:MOST_NAMED]
    ]
    more = len(failed) - MOST_NAMED
    return [*lines, f"NO ANSWER: {more} more"] if more > 0 else lines


def check_complete(answers: Sequence[Answer]) -> None:
    """Raise JuriesError if answers are missing from the table."""
    missing = Counter(str(a.outcome or NOT_ASKED) for a in answers if a.outcome is not Outcome.OK)
    if not missing:
        return
    counts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(missing.items()))
    # Those that failed or were not asked are asked for again without an option.
    final = sorted(set(missing) - {NOT_ASKED, Outcome.FAILED})
    how = f", with again=[failed,{','.join(final)}] to ask for those too" if final else ""
    raise JuriesError(f"{missing.total()} answers are missing ({counts}); run again{how}")
