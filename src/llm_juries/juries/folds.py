"""Cross-fitting by question: what decides an item was not fitted on labels of its question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import JuriesError
from ..metrics.arrays import Mask
from .pooling import Context


@dataclass(frozen=True)
class Folds:
    """How human labels are used by the rules that learn from them.

    Parameters
    ----------
    number : int
        How many folds the labelled questions are split into. Each fold is decided by what was
        learnt on the others, questions without a label by what was learnt on all.
    seed : int
        Of the split.
    questions : int, optional
        Learn from the labels of this many questions only, drawn at random; all by default. A larger
        number adds questions to those of a smaller one.
    """

    number: int = 5
    seed: int = 0
    questions: int | None = None

    def __post_init__(self) -> None:
        if self.number < 2:
            raise JuriesError(f"folds: number is {self.number}; set 2 or more")
        if self.questions is not None and self.questions < 2:
            raise JuriesError(f"folds: questions is {self.questions}; set 2 or more, or null")

    def split(self, context: Context, jury: str) -> Iterator[tuple[Mask, Mask]]:
        """Yield pairs of masks: the units to learn from, and those to decide by it.

        Every unit is decided once, and no question is on both sides of a pair. The order of the
        units does not matter.

        Raises
        ------
        JuriesError
            If fewer than two questions have a human label.
        """
        names, index = np.unique(np.asarray(context.questions), return_inverse=True)
        known = ~np.isnan(context.human)
        order = np.random.default_rng(self.seed).permutation(np.unique(index[known]))
        order = order[: self.questions]
        if len(order) < 2:
            raise JuriesError(
                f"jury {jury}: {len(order)} questions have a human label, it needs 2 or more; "
                "label some items, or use rule majority"
            )
        fold_of = np.full(len(names), -1)
        fold_of[order] = np.arange(len(order)) % self.number
        fold = fold_of[index]
        for number in np.unique(fold):
            yield known & (fold >= 0) & (fold != number), fold == number
