"""LLMBar: pairs of outputs to an instruction, with the output that humans prefer.

Zeng et al., "Evaluating Large Language Models at Evaluating Instruction Following" (ICLR 2024). One
JSON file per subset, one object per pair: input, output_1, output_2 and label, 1 or 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import JuriesError, nearest
from ...types import Item, Order
from ..dataset import NOTHING_KNOWN, UNNAMED, About, Dataset
from ..downloads import PublicFiles
from ..tables import field, rows

PREFERRED = {1: "a", 2: "b"}


def load(
    source: PublicFiles,
    name: str,
    subsets: Sequence[str] | None = None,
    about: About = NOTHING_KNOWN,
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load pairs, to be shown in both orders.

    Parameters
    ----------
    source : PublicFiles
        The file of each subset.
    name : str
        The dataset's name in tables.
    subsets : sequence of str, optional
        The subsets to load; all by default.
    about : About
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and field where there is one.
    """
    items = []
    for subset in source.files if subsets is None else subsets:
        if subset not in source.files:
            raise JuriesError(f"subsets: no subset {subset!r}{nearest(subset, source.files)}")
        path = source.find(subset)
        for number, (at, row) in enumerate(rows(path)):
            place = f"{path}, {at}"
            label = field(row, "label", place)
            if label not in PREFERRED:
                raise JuriesError(
                    f"{place}, field label: {label!r} is not 1 or 2; use the published file"
                )
            items.append(
                Item(
                    dataset=name,
                    item_id=f"{subset}/{number}",
                    candidate=UNNAMED[0],
                    question=str(field(row, "input", place)),
                    answer=str(field(row, "output_1", place)),
                    opponent=UNNAMED[1],
                    opponent_answer=str(field(row, "output_2", place)),
                    human=PREFERRED[label],
                )
            )
    both = (Order.ORIGINAL, Order.SWAPPED)
    return Dataset(name, tuple(items), about.labels, about.note, both).sample(limit, seed)
