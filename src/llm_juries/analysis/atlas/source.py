"""One source of the atlas: its judges by size, the juries to compare, and their one measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from ...errors import JuriesError, nearest
from ...juries.panel import Panel
from ...juries.rules import Jury, Rule, Ties
from ...metrics.arrays import Array, Mask
from ...metrics.bootstrap import cluster_sums
from ...metrics.graded import PICKS_BEYOND_CHANCE
from ...metrics.measure import Measure, Ratings
from ...scale import Kind
from ...seats import Seat, seat_of
from ..measured import COVERAGE, compared, credited, headline, one_label, several

RULES: dict[Kind, Rule] = {
    "binary": "majority",
    "preference": "margin",
    "nominal": "plurality",
    "ordinal": "mean",
    "interval": "mean",
}
"""How the atlas pools votes, by scale: the side, value or number that more or all of them give."""
MOST_JUDGES = 12  # 220 trios
TRIO = 3


@dataclass(frozen=True)
class Yardstick:
    """How a source measures voters: 0 is chance, 1 full agreement.

    Attributes
    ----------
    name : str
        kappa; pearson, weighted_kappa ...; or picks_best, corrected for chance.
    statistics : callable
        From votes of shape (n, k) to sums a cluster of shape (clusters, k, s).
    formula : callable
        From sums to the measure.
    """

    name: str
    statistics: Callable[[Array], Array]
    formula: Callable[[Array], Array]


def _check_labels(panel: Panel) -> None:
    if np.isnan(panel.preferences).all() or one_label(panel):
        raise JuriesError(
            f"{panel.dataset.name}: has no human labels of two values; label some items first"
        )


def yardstick(panel: Panel) -> Yardstick:
    """Return the measure of a panel's votes against its human labels.

    Of two sides kappa, ties for half. Of grades the headline measure of the scale; where items are
    of several criteria or subsets its mean over them. Of grades beside binary labels how often the
    best of a question's candidates is picked, corrected for chance.

    Raises
    ------
    JuriesError
        If resampling of sums cannot measure it.
    """
    human, scale, questions = panel.preferences, panel.scale, panel.questions
    if panel.graded and (measure := headline(panel)).name == "pearson":
        return _mean_pearson(panel, measure)
    if panel.scale.graded and not panel.graded:
        if not several(questions):
            raise JuriesError(
                f"{panel.dataset.name}: grades beside binary labels, one item a question; cut the "
                "grades with a threshold (threshold=)"
            )
        return _of(PICKS_BEYOND_CHANCE, human, scale, questions)
    if panel.sided:
        return _of(compared(panel)[0], panel.human, scale, questions)
    return _of(headline(panel), human, scale, questions)


def _of(measure: object, human: Array, scale: object, questions: Sequence[str]) -> Yardstick:
    if not isinstance(measure, Measure):
        raise JuriesError(f"{measure}: cannot be resampled")

    def statistics(votes: Array) -> Array:
        rated = Ratings(votes, human, scale, questions)  # type: ignore[arg-type]
        return cluster_sums(measure.statistics(rated), questions)

    return Yardstick(measure.name, statistics, measure.formula)


def _mean_pearson(panel: Panel, measure: object) -> Yardstick:
    """Return Pearson's r, of several criteria or subsets its mean over them.

    Each voter's votes are standardised within a criterion: that changes no correlation, and makes
    sums of several voters, such as those that several folds chose, sums of one.
    """
    human, questions = panel.preferences, panel.questions
    _, part = np.unique(
        [f"{item.subset}/{item.criterion}" for item in panel.dataset.items], return_inverse=True
    )
    parts = part.max() + 1

    def statistics(votes: Array) -> Array:
        counted = np.where(np.isnan(human)[:, None], np.nan, votes)
        found = []
        for one in range(parts):
            rows = part == one
            own = np.full_like(votes, np.nan)
            own[rows] = _standardised(counted[rows])
            rated = Ratings(own, human, panel.scale, questions)
            found.append(measure.statistics(rated))  # type: ignore[attr-defined]
        stacked = np.concatenate(found, axis=-1)
        return cluster_sums(stacked, questions)

    def formula(sums: Array) -> Array:
        by_part = sums.reshape(*sums.shape[:-1], parts, -1)
        with np.errstate(invalid="ignore"):  # a criterion without an item is NaN
            values: Array = measure.formula(by_part)  # type: ignore[attr-defined]
        return np.asarray(values.mean(axis=-1))

    return Yardstick("pearson", statistics, formula)


def _standardised(votes: Array) -> Array:
    known = ~np.isnan(votes)
    n = np.maximum(known.sum(axis=0), 1)
    centred = votes - np.where(known, votes, 0).sum(axis=0) / n
    spread = np.sqrt((np.where(known, centred, 0) ** 2).sum(axis=0) / n)
    return np.asarray(centred / np.where(spread > 0, spread, 1.0))


@dataclass(frozen=True)
class Source:
    """A panel, with its judges and the juries made of them.

    Parameters
    ----------
    panel : Panel
        With judges only. Of a judge with several seats (answers or prompts) the first is the judge,
        and the first three are asked as its self-ensemble.
    rule : Rule, optional
        How juries decide; by default that of `RULES`.
    judges : tuple of str
        Those to seat; all by default.
    coverage : float
        The share of the labelled items that a judge must have voted on to be compared or seated.
    """

    panel: Panel
    rule: Rule | None = None
    judges: tuple[str, ...] = ()
    coverage: float = COVERAGE
    _facts: dict[str, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        known = [voter.name for voter in self.panel.votes.voters if voter.kind == "judge"]
        for name in self.judges:
            if name not in known:
                raise JuriesError(f"{self.name}: there is no judge {name!r}{nearest(name, known)}")
        _check_labels(self.panel)
        if len(self.seated) < 2:
            raise JuriesError(
                f"{self.name}: {len(self.seated)} judges voted on {self.coverage:.0%} of the "
                "labelled items; two are needed"
            )
        if len(self.seated) > MOST_JUDGES:
            raise JuriesError(
                f"{self.name}: has {len(self.seated)} judges, {MOST_JUDGES} at most; name those to "
                "seat (judges)"
            )

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.panel.dataset.name

    @cached_property
    def yardstick(self) -> Yardstick:
        """The measure of all voters."""
        return yardstick(self.panel)

    @cached_property
    def seats(self) -> dict[str, list[str]]:
        """The voters of each judge, the one that stands for it first."""
        pooled = {one.judge for one in self.panel.dataset.recordings if one.repeats_of}
        found: dict[str, list[Seat]] = {}
        for voter in self.panel.votes.voters:
            seat = seat_of(voter.name)
            if voter.kind == "judge" and seat.judge not in pooled:
                found.setdefault(seat.judge, []).append(seat)
        prompts = list(dict.fromkeys(one.prompt for one in self.panel.dataset.recordings))
        order = {prompt: at for at, prompt in enumerate(prompts)}
        for seats in found.values():
            seats.sort(key=lambda seat: (order.get(seat.prompt, 0), seat))
        return {judge: [str(seat) for seat in seats] for judge, seats in found.items()}

    @cached_property
    def seated(self) -> tuple[str, ...]:
        """The judges that voted on enough labelled items, by name."""
        human = ~np.isnan(self.panel.preferences)
        names = []
        for seats in self.seats.values():
            if self.judges and seats[0] not in self.judges:
                continue
            votes = self._votes((seats[0],))
            if (human & ~np.isnan(votes[:, 0])).sum() >= max(1, self.coverage * human.sum()):
                names.append(seats[0])
        return tuple(sorted(names))

    @cached_property
    def left_out(self) -> tuple[str, ...]:
        """The judges that voted on too few."""
        first = [s[0] for s in self.seats.values() if not self.judges or s[0] in self.judges]
        return tuple(sorted(set(first) - set(self.seated)))

    def size(self, name: str) -> str:
        """Return the size of a judge's model, "unknown" where nothing says it."""
        recordings = self.panel.dataset.recordings
        sizes = {one.judge: one.size for one in recordings}
        return sizes.get(name) or sizes.get(seat_of(name).judge, "unknown")

    def usd(self, name: str) -> float:
        """Return what a judge's verdicts on one question cost, NaN where it is not known."""
        prices = {one.judge: one.usd_per_question for one in self.panel.dataset.recordings}
        found = prices.get(name) or prices.get(seat_of(name).judge)
        return np.nan if found is None else float(found)

    @property
    def large(self) -> tuple[str, ...]:
        """The seated judges that are known to be large."""
        return tuple(name for name in self.seated if self.size(name) == "large")

    @property
    def pool(self) -> tuple[str, ...]:
        """The judges that trios are made of: the small ones; all, where no size is known."""
        small = tuple(name for name in self.seated if self.size(name) == "small")
        known = any(self.size(name) != "unknown" for name in self.seated)
        return small if known else self.seated

    @property
    def pool_is_small(self) -> bool:
        """Whether the pool is of judges known to be small."""
        return any(self.size(name) != "unknown" for name in self.seated)

    @property
    def rule_name(self) -> Rule:
        """How juries decide."""
        return self.rule or RULES[self.panel.scale.kind]

    def _votes(self, names: tuple[str, ...]) -> Array:
        votes = self.panel.votes.columns(names)
        return credited(votes) if self.panel.sided else votes.labels

    def votes_of(self, members: tuple[str, ...]) -> Array:
        """Return the votes of one judge, or of the jury of several, of shape (n, 1)."""
        if len(members) == 1:
            return self._votes(members)
        ties: Ties = "half" if self.panel.sided else "missing"
        jury = Jury(" + ".join(members), members, self.rule_name, ties)
        votes = self.panel.decided(jury)
        return credited(votes) if self.panel.sided else votes.labels

    @cached_property
    def ensembles(self) -> dict[str, tuple[str, ...]]:
        """The self-ensembles of the pool's judges: three answers of one, by the judge's name.

        A column that pools three answers already, or the judge's first three seats.
        """
        columns = {
            one.repeats_of: (one.judge,)
            for one in self.panel.dataset.recordings
            if one.repeats_of and one.calls == TRIO
        }
        found = {}
        for judge, seats in self.seats.items():
            members = columns.get(judge) or (tuple(seats[:TRIO]) if len(seats) >= TRIO else None)
            if members and seats[0] in self.pool:
                found[seats[0]] = members
        return found

    @cached_property
    def sides(self) -> dict[str, list[tuple[str, ...]]]:
        """What is compared: the voters that each side chooses from, as tuples of members."""
        pool, everyone = self.pool, self.seated
        trios = [*combinations(pool, TRIO)]
        all_trios = [*combinations(everyone, TRIO)]
        return {
            "best trio of the pool": trios,
            "all of the pool": [pool] if len(pool) >= TRIO else [],
            "best trio of all": all_trios if pool != everyone else trios,
            "all judges": [everyone],
            "one judge three times": [*self.ensembles.values()],
            "best judge": [(name,) for name in everyone],
            "best large judge": [(name,) for name in self.large],
            "best of the pool": [(name,) for name in pool] if pool != everyone else [],
        }

    @cached_property
    def voters(self) -> tuple[tuple[str, ...], ...]:
        """All voters that any side chooses from."""
        return tuple(dict.fromkeys(one for side in self.sides.values() for one in side))

    @cached_property
    def votes(self) -> Array:
        """Their votes, of shape (n, voters)."""
        return np.hstack([self.votes_of(members) for members in self.voters])

    @cached_property
    def sums(self) -> Array:
        """Their statistics a cluster, of shape (clusters, voters, s)."""
        return self.yardstick.statistics(self.votes)

    @property
    def questions(self) -> int:
        """How many questions have a label and a vote."""
        return int(self.sums.any(axis=(1, 2)).sum())

    @cached_property
    def measured(self) -> Array:
        """Their measure on all items, each on its own."""
        return self.yardstick.formula(self.sums.sum(axis=0))

    def at(self, side: str) -> list[int]:
        """Return the columns that a side chooses from."""
        return [self.voters.index(members) for members in self.sides[side]]

    def pair(self, one: int, other: int) -> Array:
        """Return the sums of two voters over the items on which both have a vote: (c, 2, s)."""
        key = f"{one} {other}"
        if key not in self._facts:
            votes = self.votes[:, [one, other]]
            both: Mask = np.asarray(~np.isnan(votes).any(axis=1))
            self._facts[key] = self.yardstick.statistics(np.where(both[:, None], votes, np.nan))
        found: Array = self._facts[key]  # type: ignore[assignment]
        return found

    def under(self, rule: Rule) -> Source:
        """Return the source with juries of another rule."""
        return replace(self, rule=rule, _facts={})

    def cut(self, threshold: float) -> Source:
        """Return the source with grades as yes or no; juries pool grades first."""
        return replace(self, panel=self.panel.cut(threshold), rule=self.rule_name, _facts={})

    def pooled_after_the_cut(self) -> Source:
        """Return a source that was cut with juries that pool votes of yes or no."""
        return replace(self, panel=replace(self.panel, uncut=None), rule="majority", _facts={})
