"""Read judgments that Arena-Hard, MT-Bench, AlpacaEval, lm-eval and Inspect write.

Each becomes a table of verdicts as `data.verdicts` reads it, in terms of the model that was judged:

* Arena-Hard (gen_judgment.py, v0.1 and v2): a row a model and question with two games. In the first
  the baseline is answer A, in the second the model is.
* MT-Bench (FastChat's gen_judgment.py): pairs with the winner of both games, or single answers with
  a score from 1 to 10, where -1 says that none was found.
* AlpacaEval (annotations.json): `preference` goes from 1, the reference generator_1 wins, to 2, the
  model generator_2 wins; 1.5 (in old files 0) is a tie. The model's share of the win is one less.
* lm-eval (samples_TASK_DATE.jsonl of --log_samples): a row a document and filter; its metrics are
  voters, those of 0 and 1 if no others are named.
* Inspect (logs in .json): scorers are voters; C, P, I and N are Inspect's correct, partially
  correct, incorrect and no answer, which it counts as incorrect.
"""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...errors import JuriesError
from ...scale import Scale
from ...types import Order
from ..dataset import AS_GIVEN, About, Dataset
from ..tables import Row, Table, field, located, rows
from ..verdicts import LEVELS, Layout, RecordedColumn, Scales, Voters, described, read

log = logging.getLogger(__name__)
Kind = Literal["arena_hard", "mt_bench", "alpaca_eval", "lm_eval", "inspect"]
SAMPLES = re.compile(r"samples_(.+)_\d{4}-\d\d-\d\dT[^_]*\.jsonl")
INSPECT_LEVELS = Scale.ordinal(levels=("I", "P", "C"), numbers=(0, 0.5, 1), words={"N": "I"})
INSPECT_WORDS = {"C": 1.0, "I": 0.0, "N": 0.0}


@dataclass(frozen=True)
class _Judgments:
    """The rows of all files, and how they are to be read."""

    rows: list[Row]
    scales: Scales
    words: Mapping[str, float]
    judges: Mapping[str, RecordedColumn] | None


def load(
    kind: Kind,
    paths: Sequence[str],
    name: str,
    about: About = AS_GIVEN,
    baseline: str | None = None,
    judges: Mapping[str, RecordedColumn] | tuple[str, ...] | None = None,
    families: Mapping[str, str] | None = None,
    prompts: Sequence[str] | None = None,
    scale: Scale | None = None,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load judgments that another project wrote.

    Parameters
    ----------
    kind : {"arena_hard", "mt_bench", "alpaca_eval", "lm_eval", "inspect"}
    paths : sequence of str
        Files or patterns such as "model_judgment/gpt-4.1/*.jsonl"; all are one dataset.
    name : str
        The dataset's name in tables.
    about : About
    baseline : str, optional
        The model that Arena-Hard's files of v0.1 compare with and do not name.
    judges, families, prompts
        See `verdicts.load`.
    scale : Scale, optional
        Of lm-eval's metrics and Inspect's scores that are not right or wrong; name them in judges.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and field where there is one.
    """
    files = [located(path) for pattern in paths for path in sorted(glob.glob(pattern)) or [pattern]]
    if not files:
        raise JuriesError("paths: is empty; name a file")
    found = _read(kind, files, baseline, scale, described(judges))
    digest = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files))
    table = Table(str(files[0]) if len(files) == 1 else name, lambda: iter(found.rows))
    voters = Voters(found.judges, families or {}, tuple(prompts or ()))
    layout = Layout(words=found.words, empty="unparsed")
    recognised = read(table, digest.hexdigest(), name, layout, voters, found.scales, about)
    log.info("%s", recognised)
    return recognised.dataset.sample(limit, seed)


def _read(
    kind: Kind,
    files: Sequence[Path],
    baseline: str | None,
    scale: Scale | None,
    judges: dict[str, RecordedColumn] | None,
) -> _Judgments:
    match kind:
        case "arena_hard":
            made = _each(files, lambda place, row: _arena_hard(row, place, baseline))
            return _Judgments(made, Scales(pairs=True, verdicts=LEVELS), {}, judges)
        case "mt_bench":
            made = _each(files, _mt_bench)
            pairs = any("opponent" in row for _, row in made)
            graded = Scale.preference() if pairs else Scale.interval(1, 10)
            return _Judgments(made, Scales(pairs=pairs, verdicts=graded), {}, judges)
        case "alpaca_eval":
            made = _each(files, _alpaca_eval)
            named = judges or {str(row["judge"]): RecordedColumn() for _, row in made}
            halves = {
                judge: RecordedColumn(facts.family, facts.kind, facts.threshold or 0.5)
                for judge, facts in named.items()
            }
            return _Judgments(made, Scales(pairs=True), {}, halves)
        case "lm_eval":
            return _lm_eval(files, scale, judges)
        case "inspect":
            made = [row for file in files for row in _inspect(file)]
            partial = any(cell == "P" for _, row in made for cell in row.values())
            if scale is None and partial:
                scale = INSPECT_LEVELS
                scorers = _scorers(made)
                judges = judges or {one: RecordedColumn() for one in scorers}
            words = INSPECT_WORDS if scale is None else {}
            return _Judgments(made, Scales(verdicts=scale), words, judges)


def _each(
    files: Sequence[Path], convert: Callable[[str, Mapping[str, Any]], Iterator[dict[str, Any]]]
) -> list[Row]:
    """Return the verdicts of all rows of all files, with their places."""
    several = len(files) > 1
    return [
        (f"{file}, {place}" if several else place, made)
        for file in files
        for place, row in rows(file)
        for made in convert(f"{file}, {place}", row)
    ]


def _arena_hard(
    row: Mapping[str, Any], place: str, baseline: str | None
) -> Iterator[dict[str, Any]]:
    model, opponent = field(row, "model", place), row.get("baseline") or baseline
    if opponent is None:
        raise JuriesError(
            f"{place}: does not name the baseline; set dataset.baseline, for v0.1 gpt-4-0314"
        )
    games = field(row, "games", place)
    for game, order in zip(games, (Order.SWAPPED, Order.ORIGINAL), strict=False):
        score = (game or {}).get("score")
        value = LEVELS.value_at(score, f"{place}, field games.score")
        if value is not None and order is Order.SWAPPED:
            value = LEVELS.mirrored(value)  # A is the baseline there
        yield {
            "item_id": row.get("uid") or field(row, "question_id", place),
            "candidate": model,
            "opponent": opponent,
            "subset": row.get("category"),
            "judge": field(row, "judge", place),
            "order": order,
            "label": value,
        }


def _mt_bench(place: str, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    question = field(row, "question_id", place)
    judge, prompt = row.get("judge"), ""
    if isinstance(judge, list):
        judge, prompt = judge[0], "/".join(map(str, judge[1:]))
    base = {
        "item_id": f"{question}-{row.get('turn') or 1}",
        "cluster": question,
        "judge": judge,
        "prompt": prompt,
    }
    if "model_1" not in row:
        score = field(row, "score", place)
        label = None if score == -1 else score
        yield {**base, "candidate": field(row, "model", place), "label": label}
        return
    winners = {"model_1": "a", "model_2": "b", "tie": "tie", "error": None}
    for name, order in (("g1_winner", Order.ORIGINAL), ("g2_winner", Order.SWAPPED)):
        if name not in row:
            continue
        winner = row[name]
        if winner not in winners:
            raise JuriesError(
                f"{place}, field {name}: {winner!r} is not a winner; it is model_1, model_2, tie "
                "or error"
            )
        yield {
            **base,
            "candidate": row["model_1"],
            "opponent": field(row, "model_2", place),
            "order": order,
            "label": winners[winner],
        }


def _alpaca_eval(place: str, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    instruction, preference = field(row, "instruction", place), field(row, "preference", place)
    if preference == 0:
        preference = 1.5  # old files write ties so
    if preference is not None and not 1 <= float(preference) <= 2:
        raise JuriesError(f"{place}, field preference: {preference!r} is not between 1 and 2")
    text = f"{row.get('dataset')}/{instruction}"
    yield {
        "item_id": hashlib.sha256(text.encode()).hexdigest()[:16],
        "candidate": field(row, "generator_2", place),
        "opponent": field(row, "generator_1", place),
        "subset": row.get("dataset"),
        "question": instruction,
        "answer": row.get("output_2"),
        "opponent_answer": row.get("output_1"),
        "judge": field(row, "annotator", place),
        "label": None if preference is None else float(preference) - 1,
    }


def _lm_eval(
    files: Sequence[Path], scale: Scale | None, judges: dict[str, RecordedColumn] | None
) -> _Judgments:
    made: list[Row] = []
    for file in files:
        task = match[1] if (match := SAMPLES.fullmatch(file.name)) else file.stem
        for place, row in rows(file):
            where = f"{file}, {place}"
            made += [
                (
                    where if len(files) > 1 else place,
                    _lm_eval_verdict(row, where, task, file.parent.name, metric),
                )
                for metric in field(row, "metrics", where)
            ]
    binary = {
        metric: all(row["label"] in (0, 1) for _, row in made if row["judge"] == metric)
        for metric in dict.fromkeys(str(row["judge"]) for _, row in made)
    }
    if judges is None:
        judges = {
            metric: RecordedColumn("lexical", "lexical")
            for metric, right_or_wrong in binary.items()
            if right_or_wrong or scale is not None
        }
        others = [metric for metric in binary if metric not in judges]
        if others:
            log.info("%s: metrics that are not 0 or 1, not used: %s", files[0], ", ".join(others))
        if not judges:
            raise JuriesError(
                f"{files[0]}: has no metric of 0 and 1, only {', '.join(binary)}; set scale and "
                "judges"
            )
    kept = [(place, row) for place, row in made if row["judge"] in judges]
    return _Judgments(kept, Scales(verdicts=scale), {}, judges)


def _lm_eval_verdict(
    row: Mapping[str, Any], place: str, task: str, model: str, metric: str
) -> dict[str, Any]:
    answers = row.get("resps") or row.get("filtered_resps") or [""]
    while isinstance(answers, list) and answers:
        answers = answers[0]
    arguments = (row.get("arguments") or {}).get("gen_args_0") or {}
    return {
        "item_id": f"{task}/{field(row, 'doc_id', place)}",
        "candidate": model,
        "subset": task,
        "question": arguments.get("arg_0"),
        "answer": answers if isinstance(answers, str) else json.dumps(answers),
        "references": None if row.get("target") is None else [str(row["target"])],
        "judge": metric,
        "prompt": row.get("filter"),
        "label": field(row, metric, place),
    }


def _inspect(file: Path) -> Iterator[Row]:
    if file.suffix != ".json":
        raise JuriesError(
            f"{file}: only Inspect's logs in .json are read; convert it: inspect log convert "
            f"{file.name} --to json --output-dir logs_json"
        )
    try:
        found = json.loads(file.read_bytes())
    except ValueError as error:
        raise JuriesError(f"{file}: not JSON ({error})") from None
    samples = found.get("samples") if isinstance(found, dict) else None
    if not samples:
        raise JuriesError(f"{file}: has no samples; it is not a log of Inspect, or an empty one")
    model = found["eval"]["model"]
    several = len({sample["epoch"] for sample in samples}) > 1
    for number, sample in enumerate(samples, 1):
        target = sample["target"]
        scores = {name: score["value"] for name, score in (sample.get("scores") or {}).items()}
        yield (
            f"sample {number}",
            {
                "item_id": f"{sample['id']}/{sample['epoch']}" if several else str(sample["id"]),
                "cluster": str(sample["id"]),
                "candidate": model,
                "subset": found["eval"].get("task"),
                "question": _said(sample["input"]),
                "answer": sample.get("output", {}).get("completion") or "",
                "references": [target] if isinstance(target, str) else target,
                **{name: None if isinstance(v, dict | list) else v for name, v in scores.items()},
            },
        )


def _said(conversation: str | list[dict[str, Any]]) -> str:
    """Return the text of a sample's input, which may be a list of messages."""
    if isinstance(conversation, str):
        return conversation
    return "\n".join(str(message.get("content")) for message in conversation)


def _scorers(made: Sequence[Row]) -> list[str]:
    """Return the scorers whose every value is on Inspect's own scale."""
    known = {"item_id", "cluster", "candidate", "subset", "question", "answer", "references"}
    names = dict.fromkeys(name for _, row in made for name in row if name not in known)
    return [
        name
        for name in names
        if all(row.get(name) in (None, "C", "P", "I", "N") for _, row in made)
    ]
