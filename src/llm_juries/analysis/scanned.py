"""Panels read from a store column by column, for millions of verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import Dataset
from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.stored import NOT_ASKED, Inconsistent, pool
from ..juries.votes import Voter, Votes
from ..scale import Scale, is_number
from ..seats import Seat, seat_of
from ..store.scan import APART, Wanted, parts, under_prompts
from ..types import Outcome


def panel(
    store: Path,
    dataset: Dataset,
    prompt: str,
    voters: Sequence[Voter] | None = None,
    scale: Scale | None = None,
    inconsistent: Inconsistent = "missing",
) -> Panel:
    """Read judges' votes on a dataset as they were stored.

    Unlike `panels.read_panel` it finds verdicts by item, not by text: an item has no vote if its
    verdict was stored under another item with the same text. Replies are not parsed again with a
    prompt's current parser.

    Parameters
    ----------
    store : Path
    dataset : Dataset
        All of its items are held; of the verdicts, a label, a score and an outcome each.
    prompt : str
        The prompt's name.
    voters : sequence of Voter, optional
        By default all judges that the store has on the dataset, and their repeats.
    scale : Scale, optional
        Of the prompt's verdicts; by default right or wrong, of pairs a preference.
    inconsistent : {"missing", "tie", "mean"}
        See `juries.stored`.

    Raises
    ------
    JuriesError
        If the store has nothing on the dataset under the prompt, nothing of a voter, or two
        verdicts of a judge on one item: its model or decoding changed, and only a judge's yaml
        can tell which is meant.
    """
    import pyarrow as pa

    dataset = dataset.loaded()
    scale = scale or (Scale.preference() if dataset.pairwise else Scale.binary())
    items = pa.array(
        (
            APART.join((item.item_id, item.candidate, item.opponent, item.criterion))
            for item in dataset.items
        ),
        pa.string(),
    )
    orders = {str(order): at for at, order in enumerate(dataset.orders)}
    shape = len(items), len(orders)
    asked = tuple(voter.name for voter in voters or ())
    wanted = Wanted((dataset.name,), tuple(dict.fromkeys(seat_of(name).judge for name in asked)))
    labels: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    outcomes: dict[str, Any] = {}
    names = (
        *("item_id", "candidate", "opponent", "criterion", "order"),
        *("outcome", "value", "score", "reader", "prompt"),
    )
    prompts: set[str] = set()
    codes = pa.array([NOT_ASKED, *map(str, Outcome)])
    for part in parts(store, (*names, "repeat"), wanted):
        prompts.update(part.rows["prompt"].unique().to_pylist())
        rows = under_prompts(part.rows, Wanted(prompts=(prompt,)))
        for repeat, one in _by_repeat(rows):
            name = str(Seat(part.judge, "", repeat))
            if asked and name not in asked:
                continue
            at = _rows_of(one, items, orders)
            known = at >= 0
            column = outcomes.setdefault(name, np.zeros(shape, np.uint8))
            column = column.reshape(-1)
            at = at[known]
            if column[at].any() or len(np.unique(at)) < len(at):
                raise JuriesError(
                    f"store {store}: has two verdicts of judge {name!r} on an item of "
                    f"{dataset.name} under prompt {prompt}, since its model or decoding has "
                    "changed; use llm-juries analyze, which tells them apart"
                )
            column[at] = _codes(one["outcome"], codes)[known]
            found = {"label": _encoded(one["value"], scale, part.judge)}
            found["score"] = _scores(one, scale)
            for what, into in (("label", labels), ("score", scores)):
                into.setdefault(name, np.full(shape, np.nan)).reshape(-1)[at] = found[what][known]
    _check_there(store, dataset.name, prompt, prompts, voters, outcomes)
    voters = voters or [Voter(name, "judge", "unknown") for name in sorted(outcomes)]
    texts = np.array(codes.to_pylist())

    def stacked(columns: dict[str, Any]) -> Any:
        return np.stack([columns[voter.name] for voter in voters], axis=1)

    pooled = pool(stacked(labels), stacked(scores), texts[stacked(outcomes)], inconsistent, scale)
    return Panel(dataset, Votes(tuple(voters), *pooled, scale), scale=scale)


def _by_repeat(rows: Any) -> Iterator[tuple[int, Any]]:
    """Yield the rows of each answer to the same request, by its number."""
    import pyarrow.compute as pc

    for repeat in sorted(rows["repeat"].unique().to_pylist()):
        yield repeat, rows.filter(pc.equal(rows["repeat"], repeat))


def _encoded(values: Any, scale: Scale, judge: str) -> Any:
    """Return the codes of a column of values, NaN where there is none."""
    column = values.dictionary_encode()
    try:
        codes = np.array([scale.encode(value) for value in column.dictionary.to_pylist()], float)
    except JuriesError as error:
        raise JuriesError(
            f"judge {judge}: a stored value {error}; give its prompt's scale"
        ) from None
    at = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.append(codes, np.nan)[at]


def _scores(rows: Any, scale: Scale) -> Any:
    """Return a column of scores as numbers of the scale.

    Parsers before format 2 gave those of preferences as means of the verdict words' own numbers,
    which the scale knows as spellings (see `prompts.prompt.scale_of`).
    """
    scores = rows["score"].to_numpy(zero_copy_only=False).astype(float)
    former = scale.kind == "preference" and np.array(
        [str(reader).startswith(("label1:", "label2:")) for reader in rows["reader"].to_pylist()]
    )
    if not np.any(former):
        return scores
    ends = [float(word) for word in scale.words if is_number(word)] or [np.nan]
    low, high = min(ends), max(ends)
    return np.where(former, (scores - low) / (high - low), scores)


def _check_there(
    store: Path,
    dataset: str,
    prompt: str,
    prompts: set[str],
    voters: Sequence[Voter] | None,
    found: dict[str, Any],
) -> None:
    if not prompts:
        raise JuriesError(f"store {store}: has no verdicts on {dataset} of those judges")
    if prompt not in prompts:
        raise JuriesError(
            f"store {store}: has nothing under prompt {prompt!r} on {dataset}"
            f"{nearest(prompt, prompts)}"
        )
    for voter in voters or ():
        if voter.name not in found:
            raise JuriesError(
                f"store {store}: has no verdicts of judge {voter.name!r} on {dataset} under prompt "
                f"{prompt}"
            )


def _rows_of(rows: Any, items: Any, orders: dict[str, int]) -> Any:
    """Return the cell of each verdict: item by item, its orders beside each other; -1 for none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    identities = pc.binary_join_element_wise(
        rows["item_id"], rows["candidate"], rows["opponent"], rows["criterion"], APART
    )
    item = pc.fill_null(pc.index_in(identities, items), -1).to_numpy(zero_copy_only=False)
    order = _codes(rows["order"], pa.array(list(orders)))
    return np.where((item >= 0) & (order >= 0), item.astype(np.int64) * len(orders) + order, -1)


def _codes(column: Any, values: Any) -> Any:
    """Return the number of each value among some, -1 where it is none of them."""
    import pyarrow.compute as pc

    return pc.fill_null(pc.index_in(column, values), -1).to_numpy(zero_copy_only=False)
