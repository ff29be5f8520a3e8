"""Ways of pooling votes beside majority: weights, label models, vetoes, stacking, recusal.

Majority stays the default: none of these is known to beat it on new data, and the label models can
do much worse where judges err together (see docs/aggregation.md). Each is a jury like `Jury`: it
has a name and members, and gives the votes of one voter. Some need more than votes (a few human
labels, the questions, the makers of the answers), which a `Context` holds.

Rules that learn from human labels are cross-fitted by question: no item is decided by numbers that
were fitted on a label of its own question.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from ..errors import JuriesError, nearest
from ..metrics.arrays import Array, Mask, Names
from ..types import Item
from .rules import COUNTED_AS, Jury, Rule, decision, majority
from .votes import DECIDED, NO_QUORUM, TIE, Voter, Votes

log = logging.getLogger(__name__)
Ties = Literal["missing", "positive", "negative", "half"]
TOLERANCE = 1e-12  # two sides that differ by rounding alone are tied


@dataclass(frozen=True)
class Context:
    """What is known of the n units besides the votes.

    Attributes
    ----------
    human : array of shape (n,)
        The human labels, 1.0 or 0.0, NaN where there are none: they may be few. Of a tie (0.5)
        stacking learns nothing.
    questions : sequence of n str
        The question of each unit. Units of one question are never fitted and decided apart.
    candidates, opponents : sequence of n str
        Who gave each answer and, in a pair, the other one ("" where there is no pair).
    candidate_families : mapping of str to str
        The family of each candidate, in the words of the judges' families; "" for none.
    """

    human: Array
    questions: Sequence[str]
    candidates: Sequence[str] = ()
    opponents: Sequence[str] = ()
    candidate_families: Mapping[str, str] = field(default_factory=dict)


def context_of(
    items: Iterable[Item], candidate_families: Mapping[str, str] | None = None
) -> Context:
    """Return what items say of themselves; the families of candidates come from the caller."""
    items = tuple(items)
    human = [np.nan if item.human is None else item.human for item in items]
    pairs = any(item.opponent for item in items)
    return Context(
        np.array(human, float),
        tuple(item.drawn_with for item in items),
        tuple(item.candidate for item in items),
        tuple(item.opponent for item in items) if pairs else (),
        candidate_families or {},
    )


class Pooling(Protocol):
    """Anything that makes one vote of its members' votes, given what is known of the items."""

    @property
    def name(self) -> str:
        """The jury's name."""

    @property
    def members(self) -> tuple[str, ...]:
        """The judges' names, a seat each."""

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter."""


def decide(jury: Jury | Pooling, votes: Votes, context: Context | None = None) -> Votes:
    """Let any jury decide: a plain one needs no context."""
    return jury.decide(votes) if isinstance(jury, Jury) else jury.decide(votes, context)


@dataclass(frozen=True)
class Folds:
    """How human labels are used by the rules that learn from them.

    Parameters
    ----------
    number : int
        Parts that the labelled questions are dealt into; each is decided by what was learnt on the
        others, questions without a label by what was learnt on all.
    seed : int
        Of the dealing.
    questions : int, optional
        Use the labels of this many questions only (random ones, more with a larger number); all by
        default.
    """

    number: int = 5
    seed: int = 0
    questions: int | None = None

    def __post_init__(self) -> None:
        if self.number < 2:
            raise JuriesError(f"folds: number is {self.number}; take 2 or more")
        if self.questions is not None and self.questions < 2:
            raise JuriesError(f"folds: questions is {self.questions}; take 2 or more, or null")

    def split(self, context: Context, jury: str) -> Iterator[tuple[Mask, Mask]]:
        """Yield pairs of masks: the units to learn from, and those to decide by it.

        Every unit is decided once, and no pair has a question on both sides. Nothing depends on the
        order of the units.

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
                f"jury {jury}: {len(order)} questions have a human label, it learns from 2 at "
                "least; label some items or take rule majority"
            )
        fold_of = np.full(len(names), -1)
        fold_of[order] = np.arange(len(order)) % self.number
        fold = fold_of[index]
        for number in np.unique(fold):
            yield known & (fold >= 0) & (fold != number), fold == number


@dataclass(frozen=True)
class Weighted:
    """The side with more than half of the weight of all seats, those without a vote among them.

    With equal weights this is the majority over seats. Weights that are learnt are the log-odds of
    each judge's accuracy: the best ones where judges err independently (Nitzan and Paroush 1982);
    a judge that is wrong more often than right counts against what it says. The accuracy is taken
    over its votes on items with a human label, as (right + 1) / (votes + 2).

    Parameters
    ----------
    name, members
        See `Jury`.
    weights : mapping of str to float, optional
        A weight of 0 or more for each member; learnt from the human labels by default.
    ties : {"missing", "positive", "negative", "half"}
        See `Jury`.
    folds : Folds
        How weights are learnt.
    """

    name: str
    members: tuple[str, ...]
    weights: Mapping[str, float] | None = None
    ties: Ties = "missing"
    folds: Folds = field(default_factory=Folds)

    def __post_init__(self) -> None:
        _check_members(self.name, self.members)
        if self.weights is None:
            return
        for member in self.members:
            if member not in self.weights:
                raise JuriesError(f"jury {self.name}: weights lacks {member!r}; give it a number")
        for member, weight in self.weights.items():
            if member not in self.members:
                known = nearest(member, self.members)
                raise JuriesError(f"jury {self.name}: weights has {member!r}, no member{known}")
            if not (np.isfinite(weight) and weight >= 0):
                raise JuriesError(
                    f"jury {self.name}: the weight of {member!r} is {weight}; take 0 or more"
                )
        if not any(self.weights.values()):
            raise JuriesError(f"jury {self.name}: all weights are 0; give a member more")

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter."""
        labels = votes.columns(self.members).labels
        weights = np.empty(labels.shape)
        if self.weights is not None:
            weights[:] = [self.weights[member] for member in self.members]
        else:
            context = _needed(context, self.name)
            for learn, apply in self.folds.split(context, self.name):
                weights[apply] = log_odds(labels[learn], context.human[learn])
        decided, outcomes = heavier(labels, weights)
        if self.ties != "missing":
            decided = np.where(outcomes == TIE, COUNTED_AS[self.ties], decided)
            outcomes = np.where(outcomes == TIE, DECIDED, outcomes)
        return _votes(self.name, self.members, decided, outcomes)


def log_odds(labels: Array, human: Array) -> Array:
    """Return the log-odds of each voter's accuracy, of shape (k,), from n labelled items.

    With one right and one wrong vote added, so that no weight is infinite and a voter with no vote
    weighs nothing.
    """
    cast = ~np.isnan(labels) & ~np.isnan(human)[:, None]
    right = ((labels == human[:, None]) & cast).sum(axis=0)
    wrong = cast.sum(axis=0) - right
    weights: Array = np.log((right + 1) / (wrong + 1))
    return weights


def heavier(labels: Array, weights: Array) -> tuple[Array, Names]:
    """Return the label with more than half of the weight of all seats, and why there is none.

    `labels` and `weights` have the shape (n, k); a vote with a negative weight counts, as much as
    its size, for the other side.
    """
    size = np.abs(weights)
    sides = np.where(weights < 0, 1 - labels, labels)
    decided = np.full(len(labels), np.nan)
    half = size.sum(axis=1) / 2
    for value in (1.0, 0.0, 0.5):
        own = np.where(sides == value, size, 0.0).sum(axis=1)
        decided[own - half > TOLERANCE * half] = value
    none = np.where(np.isnan(labels).any(axis=1), NO_QUORUM, TIE)
    return decided, np.where(np.isnan(decided), none, DECIDED)


@dataclass(frozen=True)
class Veto:
    """Negative if a judge with a veto votes negative; otherwise what the majority of seats says.

    Meant for judges that wave too much through (Jain et al. 2025, arXiv 2510.11822).

    Parameters
    ----------
    name, members
        See `Jury`.
    vetoers : tuple of str
        The members with a veto; all of them by default.
    missing : {"undecided", "passes", "vetoes"}
        What the missing vote of a judge with a veto does where no other vetoes: leaves the jury
        without a decision, leaves it to the majority, or counts as a veto.
    """

    name: str
    members: tuple[str, ...]
    vetoers: tuple[str, ...] = ()
    missing: Literal["undecided", "passes", "vetoes"] = "undecided"

    def __post_init__(self) -> None:
        _check_members(self.name, self.members)
        for vetoer in self.vetoers:
            if vetoer not in self.members:
                raise JuriesError(
                    f"jury {self.name}: vetoers has {vetoer!r}, no member"
                    f"{nearest(vetoer, self.members)}"
                )

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:  # noqa: ARG002
        """Return the jury's decisions as the votes of one voter."""
        seats = votes.columns(self.members)
        heard = seats.columns(self.vetoers or self.members).labels
        labels, outcomes = majority(seats.labels)
        absent = np.isnan(heard).any(axis=1)
        vetoed = (heard == 0).any(axis=1)
        if self.missing == "vetoes":
            vetoed |= absent
        elif self.missing == "undecided":
            waiting = absent & (labels != 0)
            labels = np.where(waiting, np.nan, labels)
            outcomes = np.where(waiting, NO_QUORUM, outcomes)
        labels = np.where(vetoed, 0.0, labels)
        return _votes(self.name, self.members, labels, np.where(vetoed, DECIDED, outcomes))


@dataclass(frozen=True)
class LabelModel:
    """A model of judges' errors, fitted by crowd-kit to the votes alone, on all items at once.

    "dawid_skene": each judge has a rate of error on right and on wrong answers (Dawid and Skene
    1979). "glad": each judge has an ability and each item a difficulty (Whitehill et al. 2009).
    Both take judges to err independently and the consensus for the truth. The likeliest label is
    the decision, its score the probability of the positive one (of a pair, with half of that of
    neither). A missing vote is absent from the fit.

    Parameters
    ----------
    name, members
        See `Jury`.
    model : {"dawid_skene", "glad"}
    quorum : int, optional
        How many votes a decision needs; by default more than half of the seats.
    iterations : int
        Of expectation-maximisation, at most.
    """

    name: str
    members: tuple[str, ...]
    model: Literal["dawid_skene", "glad"] = "dawid_skene"
    quorum: int | None = None
    iterations: int = 100

    def __post_init__(self) -> None:
        _check_members(self.name, self.members)
        _check_quorum(self.name, self.members, self.quorum)

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:  # noqa: ARG002
        """Return the jury's decisions as the votes of one voter."""
        labels = votes.columns(tuple(sorted(self.members))).labels
        chances = posterior(labels, self.model, self.iterations)
        enough = (~np.isnan(labels)).sum(axis=1) >= (self.quorum or len(self.members) // 2 + 1)
        ranked = np.sort(chances, axis=1)
        tied = enough & (ranked[:, -1] - ranked[:, -2] <= TOLERANCE)
        likeliest = np.argmax(chances, axis=1) / 2
        return _votes(
            self.name,
            self.members,
            np.where(enough & ~tied, likeliest, np.nan),
            np.where(tied, TIE, np.where(enough, DECIDED, NO_QUORUM)),
            np.where(enough, chances @ [0.0, 0.5, 1.0], np.nan),
        )


def posterior(labels: Array, model: Literal["dawid_skene", "glad"], iterations: int = 100) -> Array:
    """Return the probabilities of the labels 0, 0.5 and 1 of n items, NaN where none voted.

    Items are handed over in the order of their votes, so that the order of rows changes nothing,
    not even in the last digit.

    Raises
    ------
    JuriesError
        If crowd-kit is not installed.
    """
    import pandas as pd

    try:
        from crowdkit.aggregation import GLAD, DawidSkene
    except ImportError:
        raise JuriesError(
            f"{model}: needs the extra 'aggregation' (pip install 'llm-juries[aggregation]')"
        ) from None

    filled = np.nan_to_num(labels, nan=-1.0)
    order = np.lexsort(filled.T[::-1])
    task, worker = np.nonzero(filled[order] >= 0)
    found = np.zeros((len(labels), 3))
    found[np.asarray(np.isnan(labels)).all(axis=1)] = np.nan
    cast = (2 * filled[order][task, worker]).astype(int)
    if len(np.unique(cast)) < 2:  # nothing for a model to tell apart
        found[order[np.unique(task)], cast[:1]] = 1.0
        return found
    table = pd.DataFrame({"task": task, "worker": worker, "label": cast})
    fitted = DawidSkene(iterations) if model == "dawid_skene" else GLAD(iterations, silent=True)
    with warnings.catch_warnings():  # crowd-kit 1.4 uses keywords that pandas 3 deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        chances = fitted.fit_predict_proba(table)
    for label in chances.columns:
        found[order[chances.index.to_numpy()], int(label)] = chances[label].to_numpy()
    return found


@dataclass(frozen=True)
class Stacking:
    """A logistic regression of the human label on the members' votes (stacking, Wolpert 1992).

    Its inputs are each member's score (its label where it gives none) and, so that a missing vote
    is no vote in the middle, whether there is one. Minimising log loss calibrates it, so its
    probability of the positive label is the decision's score. scikit-learn, with an L2 penalty.

    Parameters
    ----------
    name, members
        See `Jury`.
    quorum : int, optional
        How many votes a decision needs; by default more than half of the seats.
    strength : float
        The inverse of the penalty (scikit-learn's C).
    folds : Folds
        How it learns.
    """

    name: str
    members: tuple[str, ...]
    quorum: int | None = None
    strength: float = 1.0
    folds: Folds = field(default_factory=Folds)

    def __post_init__(self) -> None:
        _check_members(self.name, self.members)
        _check_quorum(self.name, self.members, self.quorum)
        if not self.strength > 0:
            raise JuriesError(f"jury {self.name}: strength is {self.strength}; take more than 0")

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter."""
        from sklearn.linear_model import LogisticRegression

        context = _needed(context, self.name)
        seats = votes.columns(tuple(sorted(self.members)))
        inputs = features(seats)
        scores = np.full(len(inputs), np.nan)
        for known, apply in self.folds.split(context, self.name):
            learn = known & np.isin(context.human, (0.0, 1.0))
            # Equal rows as one with a weight: faster, and the rows' order changes no digit.
            rows, counts = np.unique(
                np.column_stack([inputs[learn], context.human[learn]]), axis=0, return_counts=True
            )
            if len(np.unique(rows[:, -1])) < 2:
                raise JuriesError(
                    f"jury {self.name}: the {int(counts.sum())} labels of a fold are all of one "
                    "kind; label more questions, or take a rule that needs no labels"
                )
            model = LogisticRegression(C=self.strength, max_iter=1000)
            model.fit(rows[:, :-1], rows[:, -1], sample_weight=counts)
            scores[apply] = model.predict_proba(inputs[apply])[:, 1]
        enough = cast(seats).sum(axis=1) >= (self.quorum or len(self.members) // 2 + 1)
        scores = np.where(enough, scores, np.nan)
        return _votes(self.name, self.members, *decision(scores), scores)


def cast(seats: Votes) -> Mask:
    """Return where there is a vote: a label, or a score in the middle."""
    tied: Mask = np.asarray(seats.outcomes == TIE)
    return ~np.isnan(seats.labels) | tied


def features(seats: Votes) -> Array:
    """Return what stacking sees, of shape (n, 2k): evidence about 0, then whether a vote lacks."""
    missing = ~cast(seats)
    evidence = np.where(np.isnan(seats.scores), seats.labels, seats.scores)
    return np.column_stack([np.where(missing, 0.0, evidence - 0.5), missing])


@dataclass(frozen=True)
class LeaveFamilyOut:
    """A jury whose members leave their seats for answers of their own family.

    For a pair, of either answer's family. An answer that leaves no member has no decision.

    Parameters
    ----------
    name, members
        See `Jury`. A member's family is that of its yaml or recording.
    rule, ties
        See `Jury`: how the members that are left decide.
    """

    name: str
    members: tuple[str, ...]
    rule: Rule = "majority"
    ties: Ties = "missing"

    def __post_init__(self) -> None:
        _check_members(self.name, self.members)

    def decide(self, votes: Votes, context: Context | None = None) -> Votes:
        """Return the jury's decisions as the votes of one voter."""
        seats = votes.columns(self.members)
        recused = self._recused(seats, context)
        labels, scores = np.full(len(recused), np.nan), np.full(len(recused), np.nan)
        outcomes = np.full(len(recused), NO_QUORUM)
        bench = np.unique(recused, axis=0)
        for out in bench[~bench.all(axis=1)]:
            at = (recused == out).all(axis=1)
            left = tuple(m for m, gone in zip(self.members, out, strict=True) if not gone)
            decided = Jury(self.name, left, self.rule, self.ties).decide(_rows(seats, at))
            labels[at], outcomes[at] = decided.labels[:, 0], decided.outcomes[:, 0]
            scores[at] = decided.scores[:, 0]
        return _votes(self.name, self.members, labels, outcomes, scores)

    def _recused(self, seats: Votes, context: Context | None) -> Mask:
        if context is None or not context.candidates:
            raise JuriesError(f"jury {self.name}: needs to know the candidates and their families")
        known = {**context.candidate_families, "": ""}
        for candidate in sorted({*context.candidates, *context.opponents} - set(known)):
            raise JuriesError(
                f"jury {self.name}: candidate_families lacks {candidate!r}; give its family, "
                'or "" for none'
            )
        families = np.array([voter.family for voter in seats.voters])
        recused = np.zeros(seats.labels.shape, bool)
        for side in (context.candidates, context.opponents):
            if side:
                own = np.array([known[one] for one in side])[:, None]
                recused |= (own == families) & (own != "")
        if not recused.any():
            log.info(
                "jury %s: no answer is of a member's family (%s), so no member leaves its seat",
                self.name,
                ", ".join(sorted(set(families) - {""})),
            )
        return recused


def _check_members(name: str, members: tuple[str, ...]) -> None:
    Jury(name, members)  # the same errors as a plain jury's


def _check_quorum(name: str, members: tuple[str, ...], quorum: int | None) -> None:
    Jury(name, members, quorum=quorum)


def _needed(context: Context | None, name: str) -> Context:
    if context is None:
        raise JuriesError(f"jury {name}: learns from human labels, and was given none")
    return context


def _rows(votes: Votes, at: Mask) -> Votes:
    return replace(
        votes, labels=votes.labels[at], scores=votes.scores[at], outcomes=votes.outcomes[at]
    )


def _votes(
    name: str,
    members: tuple[str, ...],
    labels: Array,
    outcomes: Names,
    scores: Array | None = None,
) -> Votes:
    return Votes(
        (Voter(name, "jury", members=members),),
        labels[:, None],
        (np.full(len(labels), np.nan) if scores is None else scores)[:, None],
        outcomes[:, None],
    )
