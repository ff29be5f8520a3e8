"""Lexical judges: exact match, containment and token F1, as in SQuAD.

Normalisation and F1 follow the SQuAD v1.1 evaluation (Rajpurkar et al. 2016): lower case, no
punctuation, no articles, single spaces; the best of the references counts. Citations of documents
are words like any other, unless a judge leaves them out.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from ..prompts.parsers import CellReader, Reader
from ..prompts.prompt import Askable
from ..scale import Scale
from ..types import Item, Kind, Order, Reply, Request
from .base import FreeJudge, Limits, key_of

_PUNCTUATION = str.maketrans("", "", string.punctuation)
# [2], [1, 3], Document [2], Documents [1], [2] and [3]; without brackets Document 2 and Documents 1
# and 3. Spaces are single.
_NUMBERS = r"\[\d{1,3}(?: ?[,;–-] ?\d{1,3})*\]"
_CITATION = re.compile(
    rf"(?:\bdocuments? ?)?{_NUMBERS}(?: ?(?:, ?and |, ?|and |& ?)?{_NUMBERS})*"
    r"|\bdocument \d{1,3}\b|\bdocuments \d{1,3}\b(?:, ?\d{1,3}\b)*(?:,? and \d{1,3}\b)?",
    re.IGNORECASE,
)


def normalise(text: str) -> str:
    """Return the text in lower case without punctuation, articles and extra spaces."""
    text = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def without_citations(answer: str) -> str:
    """Return an answer without its citations of documents by number, "(Document [2])" or "[2]".

    A document's number is no part of an answer: in "There are nine (Document [8])" the reference 8
    would be found.
    """
    return _CITATION.sub(" ", " ".join(answer.split()))


def exact_match(answer: str, reference: str) -> float:
    """Return 1.0 if both are the same after normalisation, else 0.0."""
    return float(normalise(answer) == normalise(reference))


def contains(answer: str, reference: str) -> float:
    """Return 1.0 if the answer contains the reference as consecutive whole words, else 0.0.

    No answer contains a reference that normalises to nothing ("The", "?").
    """
    words = normalise(reference)
    return float(bool(words) and f" {words} " in f" {normalise(answer)} ")


def token_f1(answer: str, reference: str) -> float:
    """Return the F1 of the words that answer and reference share, in [0, 1]."""
    said, wanted = normalise(answer).split(), normalise(reference).split()
    if not said or not wanted:
        return float(said == wanted)
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))


MEASURES: dict[str, Callable[[str, str], float]] = {
    "exact_match": exact_match,
    "contains": contains,
    "token_f1": token_f1,
}


class LexicalJudge(FreeJudge):
    """A string measure as a judge: correct where the best reference reaches the threshold.

    Parameters
    ----------
    name : str
    measure : {"exact_match", "contains", "token_f1"}
    threshold : float
        In [0, 1].
    citations : {"keep", "drop"}
        What becomes of an answer's citations before it is compared; see `without_citations`.
    """

    family = "lexical"
    kind: Kind = "lexical"
    note = ""
    limits = Limits(batch=1024)

    def __init__(
        self,
        name: str,
        measure: Literal["exact_match", "contains", "token_f1"],
        threshold: float = 0.5,
        citations: Literal["keep", "drop"] = "keep",
    ) -> None:
        self.name = name
        self.measure = measure
        self.threshold = threshold
        self.citations = citations

    def request(self, item: Item, order: Order, prompt: Askable) -> Request | None:  # noqa: ARG002
        """Key by the answer and its references; None where there is no reference."""
        if not item.references:
            return None
        subject = [item.answer, item.references]
        rule: dict[str, str | int] = {"rule": self.measure, "version": 1}
        if self.citations == "drop":
            rule["citations"] = "drop"
        return Request(key_of(rule, subject), item, order)

    def reader(self, prompt: Askable, order: Order) -> Reader:  # noqa: ARG002
        """Read the measure against the threshold."""
        return CellReader(Scale.binary(), self.threshold)

    async def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """Return the measure against the best reference."""
        return [self._reply(request.item) for request in requests]

    def _reply(self, item: Item) -> Reply:
        measure = MEASURES[self.measure]
        answer = without_citations(item.answer) if self.citations == "drop" else item.answer
        return Reply(repr(max(measure(answer, reference) for reference in item.references)))
