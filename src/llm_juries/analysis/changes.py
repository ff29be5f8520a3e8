"""Two runs, or a judge and its successor, on the same items: what changed, for whom, and how sure.

Both sides of a change are measured on the items on which both have a vote, so what the items have
in common cancels: the interval is that of the difference of two voters (`analysis.comparison`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.pooling import context_of, renamed, seats_of
from ..juries.rules import Jury
from ..juries.votes import Votes
from ..juries.votes_file import identities
from ..metrics.arrays import Array
from ..metrics.bootstrap import Bootstrap, cluster_sums
from ..metrics.equivalence import Estimate
from ..metrics.intervals import cautions, p_values, share_t
from ..metrics.measure import Ratings
from ..metrics.power import standard_error
from ..metrics.significance import holm
from .change_lines import CLEARLY, SAME, lines, some
from .comparison import Pair
from .measured import COVERAGE, compared, labelled, one_label
from .replaceability import ALPHA, MARGIN
from .tables import Table

BETTER, WORSE = f"{CLEARLY} better", f"{CLEARLY} worse"
UNCLEAR = "not clear"


@dataclass(frozen=True)
class Difference:
    """What changed between two panels of the same items.

    Printed, it is a few lines; the first is the answer.

    Attributes
    ----------
    dataset, before, after : str
        The names of the dataset and of both sides.
    changes, flips, ranks : DataFrame
        See the functions of their names.
    items : int
        The items in both.
    only_before, only_after : int
        Those in one only, which are left out.
    margin : float
    """

    dataset: str
    before: str
    after: str
    changes: pd.DataFrame
    flips: pd.DataFrame
    ranks: pd.DataFrame
    items: int
    only_before: int = 0
    only_after: int = 0
    margin: float = MARGIN
    notes: tuple[str, ...] = ()

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return {"changes": self.changes, "flips": self.flips, "ranks": self.ranks}

    def __str__(self) -> str:
        """Return the lines, below the names of both sides."""
        return "\n".join([self.title, *(f"{about}: {text}" for about, text in self.lines)])

    @property
    def title(self) -> str:
        """What is compared, in a few words."""
        return f"{self.dataset}: {self.after} compared with {self.before}"

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """What it is about and a sentence, at most six; the first is the answer."""
        only = (self.only_before, self.only_after)
        return tuple(lines(self.changes, self.flips, self.ranks, self.items, only, self.notes))


@dataclass(frozen=True)
class _Sides:
    """The common items of two panels: a panel of both sides' columns, and which belong together.

    Attributes
    ----------
    panel : Panel
        The voters before, then those after.
    pairs : sequence of (int, int)
        The columns of each voter and of who has its place afterwards.
    others : sequence of int
        The columns of voters that are on both sides unchanged, in rankings.
    """

    panel: Panel
    pairs: Sequence[tuple[int, int]]
    others: Sequence[int] = ()

    @property
    def columns(self) -> tuple[list[int], list[int]]:
        """The columns before and after."""
        return [at for at, _ in self.pairs], [at for _, at in self.pairs]

    def of(self, at: int, to: int) -> dict[str, object]:
        """Return the columns of a table that name a pair."""
        first, second = (self.panel.votes.voters[one] for one in (at, to))
        by = second.name if second.name != first.name else ""
        return {
            "dataset": self.panel.dataset.name,
            "voter": first.name,
            "replaced_by": by,
            "kind": first.kind,
        }


def difference(
    before: Panel,
    after: Panel,
    replaced: Mapping[str, str] | None = None,
    bootstrap: Bootstrap | None = None,
    margin: float = MARGIN,
    coverage: float = COVERAGE,
    names: tuple[str, str] | None = None,
) -> Difference:
    """Compare two panels of the same items, voter by voter.

    Parameters
    ----------
    before, after : Panel
        One panel twice, to compare a judge with its successor in it.
    replaced : mapping of str to str, optional
        Who of `after` has the place of a voter of `before`; others are compared under one name. A
        jury of `before` that seats a replaced judge decides anew with that one seat replaced.
    bootstrap : Bootstrap, optional
    margin : float
        What a voter may be worse by and still be as good, stated beforehand.
    coverage : float
        The share of the labelled items that both sides must have voted on for a finding without a
        word on it, and to be ranked.
    names : (str, str), optional
        Of both sides; by default those of their datasets, or of the voters.

    Raises
    ------
    JuriesError
        If there are no common items or no voters to compare, they are on different scales, human
        labels differ, or a name is not that of a voter.
    """
    replaced = dict(replaced or {})
    bootstrap = bootstrap or Bootstrap()
    called = names or _names(before, after, {})
    _check_scales(before, after, called)
    alone = before is after
    _check_names(before, after, replaced, alone=alone)
    first, second, left = _common(before, after, called)
    sides, notes = _sides(first, second, replaced, alone=alone)
    notes = (*_turned(before, after), *notes) if any(left) else notes
    return Difference(
        before.dataset.name,
        *(names or _names(before, after, replaced)),
        changes(sides, bootstrap, margin, coverage),
        flips(sides, bootstrap),
        ranks(sides, coverage),
        len(first.questions),
        *left,
        margin,
        notes,
    )


def _names(before: Panel, after: Panel, replaced: Mapping[str, str]) -> tuple[str, str]:
    if before.dataset.name != after.dataset.name:
        return before.dataset.name, after.dataset.name
    if replaced:
        return ", ".join(replaced), ", ".join(replaced.values())
    return "before", "after"


def _check_scales(before: Panel, after: Panel, called: tuple[str, str]) -> None:
    for what, first, second in (
        ("votes", before.scale, after.scale),
        ("human labels", before.label_scale, after.label_scale),
    ):
        if first != second:
            raise JuriesError(
                f"{before.dataset.name}: the {what} are {first} in {called[0]} and {second} in "
                f"{called[1]}; compare runs on one scale, or cut both at a threshold "
                "(analysis.threshold)"
            )
    if before.threshold != after.threshold:
        raise JuriesError(
            f"{before.dataset.name}: is cut at {before.threshold} in {called[0]} and at "
            f"{after.threshold} in {called[1]}; analyze both with one threshold"
        )


def _check_names(before: Panel, after: Panel, replaced: Mapping[str, str], *, alone: bool) -> None:
    for old, new in replaced.items():
        for name, panel in ((old, before), (new, after)):
            if name not in panel.votes.names:
                known = nearest(name, panel.votes.names)
                raise JuriesError(f"replace: {panel.dataset.name} has no voter {name!r}{known}")
        if alone and old == new:
            raise JuriesError(f"replace: {old} is to replace itself; name its successor")
    if len(set(replaced.values())) < len(replaced):
        raise JuriesError("replace: one voter is to replace two; compare them one by one")
    if alone and not replaced:
        raise JuriesError(
            "before and after are the same; name another run, or who replaces whom: "
            "replace={OLD: NEW}"
        )
    if not replaced and not set(before.votes.names) & set(after.votes.names):
        raise JuriesError(
            f"no voter is in both: {', '.join(before.votes.names)} before, "
            f"{', '.join(after.votes.names)} after; name who replaces whom: replace={{OLD: NEW}}"
        )


def _common(
    before: Panel, after: Panel, called: tuple[str, str]
) -> tuple[Panel, Panel, tuple[int, int]]:
    """Return both panels on their common items, in one order, and how many each has alone."""
    if before is after:
        return before, after, (0, 0)
    place = {identity: at for at, identity in enumerate(identities(after))}
    found = [place.get(identity, -1) for identity in identities(before)]
    kept = np.array(found) >= 0
    if not kept.any():
        mine, other = next(identities(before)), next(identities(after))
        raise JuriesError(
            f"{before.dataset.name}: {called[0]} and {called[1]} have no item in common (such as "
            f"{_said(mine)} and {_said(other)}); compare runs on the same items"
        )
    order = np.array([at for at in found if at >= 0])
    items = tuple(after.dataset.items)
    ordered = replace(
        after,
        dataset=replace(after.dataset, items=tuple(items[at] for at in order)),
        votes=after.votes.rows(order),
        orders={},
        stored=None,
        uncut=None,
    )
    first = before.where(kept)
    own, theirs = first.preferences, ordered.preferences
    differ = ~((own == theirs) | (np.isnan(own) & np.isnan(theirs)))
    if differ.any():
        at = int(np.flatnonzero(differ)[0])
        item, counterpart = (tuple(panel.dataset.items)[at] for panel in (first, ordered))
        labels = " and ".join(str(one.human or "no label") for one in (item, counterpart))
        raise JuriesError(
            f"{before.dataset.name}: {int(differ.sum())} items of {called[0]} and {called[1]} "
            f"have different human labels (the first: {item.item_id!r}, {item.candidate!r}: "
            f"{labels}); analyze both with the same labels"
        )
    return first, ordered, (int((~kept).sum()), len(items) - len(order))


def _turned(before: Panel, after: Panel) -> Iterator[str]:
    """Yield a note on pairs that both runs have, but with their two answers exchanged."""
    theirs = set(identities(after))
    count = sum(
        (item_id, opponent, candidate, criterion) in theirs
        for item_id, candidate, opponent, criterion in set(identities(before)) - theirs
    )
    if count:
        yield f"{count:,} pairs name their answers the other way round, so they are left out"


def _said(identity: Sequence[str]) -> str:
    return "/".join(part for part in identity if part)


def _sides(
    before: Panel, after: Panel, replaced: Mapping[str, str], *, alone: bool
) -> tuple[_Sides, tuple[str, ...]]:
    """Pair the voters, and let juries decide anew whose judge is replaced."""
    notes: list[str] = []
    reseated = dict(_reseated(before, after, replaced, notes))
    names = dict(replaced)
    if not alone:
        shared = [name for name in before.votes.names if name in after.votes.names]
        names = {name: name for name in shared} | names
        notes += _unmatched(before, after, names)
        notes += _other_juries(before, after, [name for name in shared if name not in reseated])
    theirs = tuple(new for old, new in names.items() if old not in reseated)
    voters = before.votes.joined(after.votes.columns(theirs), *reseated.values())
    there, width = list(before.votes.names), len(before.votes.names)
    pairs = [
        (there.index(old), width + theirs.index(new))
        for old, new in names.items()
        if old not in reseated
    ]
    pairs += [(there.index(jury), width + len(theirs) + at) for at, jury in enumerate(reseated)]
    pairs.sort(key=lambda pair: voters.voters[pair[0]].kind == "jury")
    taken = {*names, *reseated, *replaced.values()}
    others = [at for at, name in enumerate(there) if alone and name not in taken]
    return _Sides(replace(before, votes=voters, orders={}), pairs, others), tuple(notes)


def _unmatched(before: Panel, after: Panel, names: Mapping[str, str]) -> Iterator[str]:
    """Yield a note on the voters of each side that have no counterpart on the other."""
    for panel, known, side in ((before, names.keys(), "before"), (after, names.values(), "after")):
        if alone := [name for name in panel.votes.names if name not in known]:
            yield f"left out, as they voted {side} only: {some(alone)}"


def _other_juries(before: Panel, after: Panel, names: Sequence[str]) -> Iterator[str]:
    """Yield a note on each jury of one name that has other seats or another rule afterwards."""
    for name in names:
        first, second = (_described(panel, name) for panel in (before, after))
        if first != second:
            yield f"jury {name} is {first} before and {second} after"


def _described(panel: Panel, name: str) -> str:
    """Return a voter's seats, and its rule where it is known."""
    (voter,) = panel.votes.columns((name,)).voters
    rules = [
        f" by {jury.rule}" for jury in panel.juries if jury.name == name and type(jury) is Jury
    ]
    return ", ".join(voter.members) + "".join(rules)


def _reseated(
    before: Panel, after: Panel, replaced: Mapping[str, str], notes: list[str]
) -> Iterator[tuple[str, Votes]]:
    """Yield the decisions of each jury that seats a replaced judge, with its successor seated."""
    judges = {old: new for old, new in replaced.items() if old not in _juries(before)}
    if not judges:
        return
    there = before.votes.names
    new = tuple(name for name in judges.values() if name not in there or before is not after)
    seated = before
    if new and before is not after:  # the successor may have the name of another judge of before
        own = after.votes.columns(new)
        stay = tuple(name for name in there if name not in new)
        seated = replace(before, votes=before.votes.columns(stay).joined(own), orders={})
    for jury in before.juries:
        if not set(seats_of(jury)) & set(judges):
            continue
        if twice := sorted(set(seats_of(jury)) & set(judges.values())):
            notes.append(f"jury {jury.name} seats {', '.join(twice)} already, so it is left out")
            continue
        changed = renamed(jury, judges)
        if set(seats_of(changed)) & set(judges):
            notes.append(f"jury {jury.name} is of a kind whose seats can't be replaced")
            continue
        context = context_of(before.dataset, before.candidate_families, before.threshold)
        yield jury.name, seated.decided(changed, context)
    kept = {jury.name for jury in before.juries}
    notes += [
        f"jury {voter.name} can't decide anew, as a run's folder keeps no rule of its kind"
        for voter in before.votes.voters
        if voter.name not in kept and set(voter.members) & set(judges)
    ]


def _juries(panel: Panel) -> set[str]:
    return {voter.name for voter in panel.votes.voters if voter.kind == "jury"}


def changes(
    sides: _Sides, bootstrap: Bootstrap, margin: float = MARGIN, coverage: float = COVERAGE
) -> pd.DataFrame:
    """Measure the change of agreement of each voter, on the items both sides voted on.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, replaced_by, kind, measure (str); n, the labelled items both
        sides voted on, and missing, the others (int); before and after, the headline measure with
        ties for half; change = after - before with ci_low and ci_high, the cluster-robust t
        interval; p and p_holm, corrected for all rows (float); finding ("clearly better", "clearly
        worse", "as good within MARGIN", "not clear", "not clear, but worse by less than MARGIN
        (one-sided)", "the same votes"; where both voted on less than `coverage` of the labelled
        items with the share) (str); margin; questions, detectable and questions_needed as
        in `comparison.against`; caution. Empty without human labels of two values.
    """
    if not labelled(sides.panel) or one_label(sides.panel):
        return pd.DataFrame()
    measure, rated = compared(sides.panel)
    total = int((~np.isnan(rated.human)).sum())
    rows = []
    for at, to in sides.pairs:
        found = Pair.of(measure, rated, to, at, bootstrap)
        same = bool(found.n) and not _moved(rated, at, to)
        shown = found.difference(bootstrap.level)
        rows.append(
            {
                **sides.of(at, to),
                "measure": measure.name,
                "n": found.n,
                "missing": total - found.n,
                "before": found.other,
                "after": found.own,
                "change": shown.pop("difference"),
                "ci_low": shown.pop("ci_low"),
                "ci_high": shown.pop("ci_high"),
                "p": float(p_values(found.gap, found.questions, bootstrap.level)[0]),
                "p_holm": np.nan,
                "finding": (SAME if same else _finding(found, margin, bootstrap.level))
                + f", on {found.n / max(total, 1):.0%} of the labelled items only"
                * (found.n < coverage * total),
                "margin": margin,
                **shown,
                "caution": SAME if same else cautions(found.questions, found.gap)[0],
            }
        )
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].to_numpy())
    return table


def _finding(found: Pair, margin: float, level: float) -> str:
    """Say whether a change is clear, or small enough not to matter."""
    low, high = float(found.gap.low[0]), float(found.gap.high[0])
    if np.isnan(low):
        return UNCLEAR
    questions = found.questions.astype(float)
    error = standard_error(found.gap.low, found.gap.high, questions, level)
    gap = Estimate(found.own - found.other, (low + high) / 2, float(error[0]), int(questions[0]))
    equal = gap.equivalent(margin) < ALPHA
    if low > 0 or high < 0:
        return (BETTER if low > 0 else WORSE) + f", by less than {margin:g}" * equal
    if equal:
        return f"as good within {margin:g}"
    bounded = f", but worse by less than {margin:g} (one-sided)"
    return UNCLEAR + bounded * (gap.above(-margin) < ALPHA)


def _moved(rated: Ratings, at: int, to: int) -> int:
    """Return on how many labelled items two voters have different votes."""
    pair = rated.votes[:, [at, to]]
    known = ~np.isnan(pair).any(axis=1) & ~np.isnan(rated.human)
    return int((pair[known, 0] != pair[known, 1]).sum())


def flips(sides: _Sides, bootstrap: Bootstrap) -> pd.DataFrame:
    """Count the votes that changed, and in which direction.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, replaced_by, kind (str); n, the items both sides voted on,
        with only_before and only_after, those that one side voted on; changed, how many votes are
        others (int), and share, of the n, with ci_low and ci_high over questions (float); up and
        down, to a higher or a lower value, for the first or the second of a pair (int, not of
        nominal votes); of items with a human label improved and worsened: the vote is nearer to the
        label, or farther from it (right or wrong where there are two sides) (int).
    """
    panel = sides.panel
    _, rated = compared(panel)
    nominal = panel.scale.kind == "nominal"
    known = ~np.isnan(rated.human) if labelled(panel) else np.zeros(len(rated.human), bool)
    same_scale = panel.scale.kind == panel.label_scale.kind or panel.sided
    rows = []
    for at, to in sides.pairs:
        old, new = rated.votes[:, at], rated.votes[:, to]
        there, then = ~np.isnan(old), ~np.isnan(new)
        both = there & then
        changed = both & (old != new)
        sums = np.stack([both, changed], axis=-1).astype(float)
        found = share_t(cluster_sums(sums[:, None], rated.clusters), _share, bootstrap.level)
        if nominal:
            wrong = [(vote != rated.human).astype(float) for vote in (old, new)]
        else:
            wrong = [np.abs(vote - rated.human) for vote in (old, new)]
        judged = both & known & same_scale
        counts: dict[str, object] = {
            "n": int(both.sum()),
            "only_before": int((there & ~then).sum()),
            "only_after": int((then & ~there).sum()),
            "changed": int(changed.sum()),
            "share": float(found.value[0]),
            "ci_low": float(found.low[0]),
            "ci_high": float(found.high[0]),
        }
        if not nominal:
            counts |= {"up": int((both & (new > old)).sum())}
            counts |= {"down": int((both & (new < old)).sum())}
        if judged.any():
            counts |= {"improved": int((judged & (wrong[1] < wrong[0])).sum())}
            counts |= {"worsened": int((judged & (wrong[1] > wrong[0])).sum())}
        rows.append({**sides.of(at, to), **counts})
    return pd.DataFrame(rows)


def _share(sums: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = sums[..., 1] / sums[..., 0]
    return share


def ranks(sides: _Sides, coverage: float = COVERAGE) -> pd.DataFrame:
    """Rank the voters by agreement before and after, on the common items.

    A judge that is replaced stands in the first ranking, its successor in its place in the second;
    voters of the same panel that nobody replaces stand in both.

    Returns
    -------
    DataFrame
        A row a voter, the best afterwards first: dataset, voter, replaced_by, kind, measure (str);
        before and after, each side's agreement on all items it voted on; rank_before and
        rank_after, missing for who voted on less than `coverage` of the labelled items; moved, the
        places gained (int). Empty without human labels of two values.
    """
    panel = sides.panel
    if not labelled(panel) or one_label(panel):
        return pd.DataFrame()
    measure, rated = compared(panel)
    values = measure.over(rated).point
    n, total = rated.both.sum(axis=0), int((~np.isnan(rated.human)).sum())
    able = np.where(n >= coverage * total, values, np.nan)
    pairs = [*sides.pairs, *((at, at) for at in sides.others)]
    before, after = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    first, second = (
        pd.Series(able[at]).rank(method="min", ascending=False).to_numpy() for at in (before, after)
    )
    table = pd.DataFrame([sides.of(at, to) for at, to in pairs]).assign(
        measure=measure.name,
        before=values[before],
        after=values[after],
        rank_before=first,
        rank_after=second,
        moved=first - second,
    )
    table = table.astype(dict.fromkeys(("rank_before", "rank_after", "moved"), "Int64"))
    order = ["rank_after", "rank_before", "voter"]
    return table.sort_values(order, kind="stable").reset_index(drop=True)


LABELS = "human labels of two values"
DIFFERENCES = (
    Table(
        "changes",
        lambda of: of.changes,
        "Change of agreement with humans",
        "Both sides on the n items that both voted on, ties for half. 'as good within' the margin "
        "is shown by two one-sided tests; 'not clear' is no proof that nothing changed, and "
        "questions_needed says how many questions would show the change seen.",
        LABELS,
    ),
    Table(
        "flips",
        lambda of: of.flips,
        "Votes that changed",
        "A change of agreement near 0 can hide many flips in both directions: compare improved "
        "with worsened, and share with how often the voter's own repeats differ.",
        "always",
    ),
    Table(
        "ranks",
        lambda of: of.ranks,
        "Ranks before and after",
        "Each side on all items it voted on. Voters that are close change places by chance: "
        "believe changes first.",
        LABELS,
    ),
)
"""The tables of a difference, in the order in which they are shown."""
