"""LLMBar: pairs of outputs to an instruction, with the one that humans prefer.

Zeng et al., "Evaluating Large Language Models at Evaluating Instruction Following" (ICLR 2024). One
JSON file a subset: an object a pair with input, output_1, output_2 and label, 1 or 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import JuriesError, nearest
from ...types import Item, Order
from ..dataset import UNNAMED, Dataset
from ..downloads import PublicFile, find
from ..tables import field, rows

PREFERRED = {1: 1.0, 2: 0.0}


def load(
    name: str,
    home: str,
    files: Mapping[str, PublicFile],
    folder: str | None = None,
    subsets: Sequence[str] | None = None,
    labels: str = "",
    note: str = "",
    limit: int | None = None,
    seed: int | None = None,
) -> Dataset:
    """Load pairs, to be shown in both orders.

    Parameters
    ----------
    name, labels, note : str
        See `Dataset`.
    home, folder
        Where the files are; see `public_files.find`.
    files : mapping of str to PublicFile
        The file of each subset.
    subsets : sequence of str, optional
        Those to load; all by default.
    limit, seed : int, optional
        See `Dataset.sample`.

    Raises
    ------
    JuriesError
        Naming the file, and the row and field where there is one.
    """
    items = []
    for subset in files if subsets is None else subsets:
        if subset not in files:
            raise JuriesError(f"subsets: there is no {subset!r}{nearest(subset, files)}")
        path = find(files[subset], home, folder)
        for number, (at, row) in enumerate(rows(path)):
            place = f"{path}, {at}"
            label = field(row, "label", place)
            if label not in PREFERRED:
                raise JuriesError(f"{place}, field label: is {label!r}; it is 1 or 2")
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
    return Dataset(name, tuple(items), labels, note, both).sample(limit, seed)
