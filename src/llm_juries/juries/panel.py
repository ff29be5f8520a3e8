"""A panel: one dataset with the votes of its judges and juries."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from ..arguments import checked
from ..data.dataset import Dataset
from ..errors import JuriesError, nearest
from ..metrics.arrays import Array, Index, Mask, numbered
from ..scale import Scale, recode
from ..types import Order
from .criteria import (
    ByAnswer,
    answer_of,
    check_criteria,
    over_criteria,
    overall_scale,
    said,
)
from .pooling import Context, Pooling, ScaleError, context_of, seats_of
from .rules import SIDED, side
from .stored import StoredVotes, nothing_stored
from .votes import Votes

log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class Panel:
    """One dataset's votes, judges first, then juries; a row an item.

    Attributes
    ----------
    dataset : Dataset
    votes : Votes
        Over all orders that a pair was shown in.
    orders : mapping of Order to Votes
        The votes in each order alone, in terms of the item's own candidate: for the bias of
        position. Empty where there is one order only.
    scale : Scale
        Of all votes.
    threshold : float, optional
        From which on a graded value was taken as positive, where that was asked for: votes and
        labels are then binary.
    uncut : Panel, optional
        As it was before the threshold: juries that are added later pool its votes, too.
    stored : StoredVotes, optional
        The verdicts that the judges' votes were pooled from, if they are in a store.
    juries : tuple of juries
        Those that have decided: the voters after the judges.
    candidate_families : mapping of str to str
        The model family of each candidate, for juries whose members recuse themselves.
    """

    dataset: Dataset
    votes: Votes
    orders: Mapping[Order, Votes] = field(default_factory=dict)
    scale: Scale = field(default_factory=Scale.binary)
    threshold: float | None = None
    uncut: Panel | None = None
    juries: tuple[Pooling, ...] = ()
    candidate_families: Mapping[str, str] = field(default_factory=dict)
    stored: StoredVotes | None = None

    def __repr__(self) -> str:
        """Say what it holds; the votes themselves are in `votes`."""
        items = tuple(self.dataset.items)
        labelled = int((~np.isnan(self.preferences)).sum())
        unit = "pairs of answers" if self.dataset.pairwise else "answers"
        voters = ", ".join(self.votes.names)
        cut = f"; {self.cut_at}" if self.cut_at else ""
        return (
            f"<Panel {self.dataset.name}: {len(items):,} {unit}, {labelled:,} with a human label; "
            f"voters: {voters}{cut}>"
        )

    def add(self, jury: Pooling, candidate_families: Mapping[str, str] | None = None) -> Self:
        """Return a new panel with one more voter: the decisions of a jury of its judges.

        Parameters
        ----------
        jury : Jury, or another rule of `juries`
        candidate_families : mapping of str to str, optional
            The model family of each candidate, for a jury whose members recuse themselves from
            answers of their own family.

        Raises
        ------
        JuriesError
            If its name is taken, a member is not a judge of the panel, or the rule cannot decide.
        """
        if isinstance(jury, type) or not callable(getattr(jury, "decide", None)):
            raise JuriesError(
                f'add: {jury!r} is not a jury; give one: lj.Jury("trio", ["a", "b", "c"])'
            )
        if jury.name in self.votes.names:
            raise JuriesError(f"jury {jury.name}: the panel has a voter of that name; rename it")
        judges = [voter.name for voter in self.votes.voters if voter.kind != "jury"]
        for member in seats_of(jury):
            if member not in judges:
                raise JuriesError(
                    f"jury {jury.name}: the panel has no judge {member!r}{nearest(member, judges)}"
                )
        families = {**self.candidate_families, **(candidate_families or {})}
        context = context_of(self.dataset, families, self.threshold)
        return replace(
            self,
            votes=self.votes.joined(self.decided(jury, context)),
            orders={
                order: votes.joined(jury.decide(votes, context))
                for order, votes in self.orders.items()
            },
            juries=(*self.juries, jury),
            candidate_families=families,
        )

    def decided(self, jury: Pooling, context: Context | None = None) -> Votes:
        """Return a jury's decisions; where a threshold cuts, those of grades that are cut then."""
        if self.uncut is None or self.threshold is None:
            return jury.decide(self.votes, context)
        try:
            return cut(jury.decide(self.uncut.votes, context), self.threshold)
        except ScaleError:  # a rule for yes or no
            return jury.decide(self.votes, context)

    @property
    def cut_at(self) -> str:
        """What was cut where, for tables and reports: "threshold 4 on ordinal (1 to 5)"."""
        if self.threshold is None:
            return ""
        judged = self.stored.scales if self.stored else ()
        scales = [self.uncut.scale] if self.uncut else [*judged, self.dataset.label_scale]
        named = dict.fromkeys(str(scale) for scale in scales if scale.graded)
        return f"threshold {self.threshold:g} on {', '.join(named)}"

    @property
    def label_scale(self) -> Scale:
        """The scale of the human labels as they are measured: binary after a threshold."""
        given = self.dataset.label_scale
        cut = self.threshold is not None and given.graded
        return Scale.binary() if cut else given

    @property
    def human(self) -> Array:
        """The human labels as codes of `label_scale`, NaN where there are none.

        A tie between two answers is NaN too: a voter cannot agree with it on a side.
        """
        labels = self.preferences
        if self.label_scale.kind == "preference":
            sides = side(labels)
            return np.where(sides == 0.5, np.nan, sides)
        return labels

    @property
    def preferences(self) -> Array:
        """The human labels with the ties of preferences (0.5), NaN where there are none."""
        return self._preferences.copy()

    @cached_property
    def _preferences(self) -> Array:
        return self._codes([item.human for item in self.dataset.items])

    @property
    def annotations(self) -> Array:
        """The single annotators' labels, of shape (n, annotators), NaN where one gave none."""
        return self._annotations.copy()

    @cached_property
    def _annotations(self) -> Array:
        votes = [item.human_votes for item in self.dataset.items]
        labels = np.full((len(votes), len(self.dataset.annotators)), np.nan)
        rows = np.repeat(np.arange(len(votes)), [len(given) for given in votes])
        columns = np.array([at for given in votes for at in range(len(given))], int)
        labels[rows, columns] = self._codes([vote for given in votes for vote in given])
        return labels

    def _codes(self, values: Sequence[float | str | None]) -> Array:
        scale = self.dataset.label_scale
        known = {value: scale.encode(value) for value in set(values)}
        codes = np.fromiter((known[value] for value in values), np.float64)
        if self.threshold is not None and scale.graded:
            return scale.at_least(codes, self.threshold)
        return recode(codes, scale, self.scale)

    @checked
    def cut(self, threshold: float) -> Self:
        """Return the panel with every graded value, of judges, juries and humans, as yes or no.

        Juries pool grades first, those added later too: a jury by the mean is cut where its mean
        is. Only rules that know nothing but yes and no (any, a veto, stacking) pool after the cut.

        Raises
        ------
        JuriesError
            If the panel is not graded, or the threshold does not divide its scale.
        """
        if not self.scale.graded:
            raise JuriesError(
                f"threshold: is {threshold:g}, and {self.dataset.name} is {self.scale}; there is "
                "nothing to cut: leave it out"
            )
        if self.dataset.label_scale.graded:
            self.dataset.label_scale.at_least(np.empty(0), threshold)  # it must divide both
        return replace(
            self,
            votes=cut(self.votes, threshold),
            scale=Scale.binary(),
            threshold=threshold,
            uncut=self,
        )

    def overall(self, weights: Mapping[str, float], name: str = "") -> Panel:
        """Return the panel of the answers as a whole: votes on criteria pooled by weights.

        A voter with no vote on a criterion that has a weight has none on the answer. Human labels
        are those of the answers as a whole where the dataset has any, else those of the criteria,
        pooled in the same way. Grades are pooled before a threshold cuts them.

        Parameters
        ----------
        weights : mapping of str to float
            Of each criterion; 0 leaves one out.
        name : str
            The new dataset's name; by default with "_overall" at its end.

        Raises
        ------
        JuriesError
            If the dataset has no criteria, or one has no weight.
        """
        name = name or f"{self.dataset.name}_overall"
        check_criteria("criteria", weights, {item.criterion for item in self.dataset.items})
        if self.uncut is not None and self.threshold is not None:
            return self.uncut.overall(weights, name).cut(self.threshold)
        items = tuple(self.dataset.items)
        whole = np.array([not item.criterion for item in items])
        if not np.isnan(self.votes.labels[whole]).all():
            log.warning(
                "%s: votes on answers as a whole are not used; those on criteria are pooled",
                self.dataset.name,
            )
        criteria = ByAnswer.of(items, weights)
        labelled = {answer_of(i): i for i in (*self.dataset.overall, *items) if not i.criterion}
        given = any(item.human is not None for item in labelled.values())
        scale = self.dataset.scale
        answers = [labelled.get(answer_of(item), item) for item in criteria.answers]
        labels = self.dataset.labels
        if not given and not np.isnan(self.preferences).all():
            scale = overall_scale(self.label_scale)
            codes, _, _ = over_criteria(
                criteria.values(self.preferences), criteria.weights, self.label_scale
            )
            answers = [
                replace(item, human=scale.decode(code))
                for item, code in zip(answers, codes.tolist(), strict=True)
            ]
            labels = f"{labels}; pooled over criteria ({said(weights)})"
        dataset = replace(
            self.dataset,
            name=name,
            items=tuple(replace(item, dataset=name) for item in answers),
            labels=labels,
            note=f"Answers as a whole: votes on criteria pooled by weights ({said(weights)}); an "
            f"answer without a vote on one of them has none. {self.dataset.note}".strip(),
            recordings=(),
            scale=scale,
            overall=(),
        )
        votes = criteria.pool(self.votes)
        return Panel(
            dataset,
            votes,
            {order: criteria.pool(one) for order, one in self.orders.items()},
            votes.scale,
            self.threshold,
            candidate_families=self.candidate_families,
            stored=nothing_stored(len(answers), len(dataset.orders)),
        )

    @property
    def sided(self) -> bool:
        """Whether votes and labels have two sides: yes or no, or a preference (with a tie)."""
        return all(one.kind in SIDED for one in (self.scale, self.label_scale))

    @property
    def graded(self) -> bool:
        """Whether votes and labels are both graded, so that their difference has a meaning."""
        return self.scale.graded and self.label_scale.graded

    def where(self, rows: Mask) -> Self:
        """Return the panel of some items only, with the votes they have; nothing is pooled anew."""
        items = tuple(item for item, there in zip(self.dataset.items, rows, strict=True) if there)
        return replace(
            self,
            dataset=replace(self.dataset, items=items),
            votes=self.votes.rows(rows),
            orders={order: votes.rows(rows) for order, votes in self.orders.items()},
            stored=None,
            uncut=None if self.uncut is None else self.uncut.where(rows),
        )

    @cached_property
    def questions(self) -> list[str]:
        """The question (or cluster) of each item: what the bootstrap draws whole."""
        return [item.drawn_with for item in self.dataset.items]

    @cached_property
    def clusters(self) -> Index:
        """The number of each item's question among all of them, in the order of their names."""
        return numbered(self.questions)[1]

    @cached_property
    def subsets(self) -> Index:
        """The number of each item's subset and criterion, in the order of their names."""
        return numbered([f"{item.subset}/{item.criterion}" for item in self.dataset.items])[1]


def cut(votes: Votes, threshold: float) -> Votes:
    """Return graded votes as yes or no; their scores are dropped: their middle is not a threshold.

    Raises JuriesError if the threshold does not divide the votes' scale.
    """
    labels = votes.scale.at_least(votes.labels, threshold)
    scores = np.full_like(labels, np.nan)
    return replace(votes, labels=labels, scores=scores, scale=Scale.binary(), chances=None)
