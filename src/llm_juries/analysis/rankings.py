"""Tables of rankings: which model each voter puts where, and how that compares with a reference.

Pairs are battles: win rates and Bradley-Terry strengths, style controlled for on request. Single
answers are ranked by their mean score, as in the paper. The humans' labels make a ranking too, so
that a voter's can be compared with it as well as with a public leaderboard.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ..data.dataset import UNNAMED
from ..data.leaderboard import reference_leaderboard
from ..errors import JuriesError, nearest
from ..juries.panel import Panel
from ..juries.votes import Voter
from ..metrics import ranking as measures
from ..metrics.arrays import Array, Mask
from ..metrics.bootstrap import Bootstrap
from ..metrics.intervals import Interval, caution
from ..types import Item
from . import style
from .order import in_order
from .pairs import HUMAN, shares

log = logging.getLogger(__name__)
MOST_NAMED = 6  # models or voters in a sentence
FEWEST_MODELS = 3  # of a ranking by strength, and of a correlation


@dataclass(frozen=True)
class Rankings:
    """How models are ranked, and what the rankings are compared with.

    Parameters
    ----------
    strong, slight, ties
        How much a battle counts; see `metrics.ranking.Weights`.
    baseline : str, optional
        The model that win rates are against and whose strength is 1000. By default the only
        opponent there is; without one, win rates are means over opponents.
    style : bool
        Rank by strength with length and markdown controlled for, too. Needs the answers' texts.
    reference : str, optional
        A leaderboard to compare with: a table with the columns model and score.
    names : mapping of str to str, optional
        What a candidate is called in the reference, where that differs in more than case.
    """

    strong: float = 1.0
    slight: Literal["share", "win"] = "share"
    ties: Literal["half", "none"] = "half"
    baseline: str | None = None
    style: bool = False
    reference: str | None = None
    names: Mapping[str, str] | None = None

    @property
    def weights(self) -> measures.Weights:
        """How much a battle counts."""
        return measures.Weights(self.strong, self.slight, self.ties)

    def leaderboard(self, models: Sequence[str]) -> dict[str, float]:
        """Return the reference's scores of these models, under the names they have here.

        Raises
        ------
        JuriesError
            If the reference can't be read, or does not have a name that `names` gives.
        """
        if self.reference is None:
            return {}
        scores = reference_leaderboard(self.reference)
        names = self.names or {}
        for model, name in names.items():
            if name not in scores:
                raise JuriesError(
                    f"analysis.ranking.names: {model!r} is called {name!r}, which is missing from "
                    f"{self.reference}{nearest(name, scores)}"
                )
        folded = {name.casefold(): name for name in scores}
        called = {m: names.get(m, folded.get(m.casefold(), "")) for m in models}
        return {model: scores[name] for model, name in called.items() if name}


class Ranked(NamedTuple):
    """The models as one voter ranks them by one measure."""

    voter: Voter
    measure: str
    ranking: measures.Ranking


@dataclass(frozen=True)
class Fits:
    """All rankings of a panel, fitted once, and how: what its tables are made from."""

    settings: Rankings
    bootstrap: Bootstrap
    rankings: tuple[Ranked, ...]


def ranking(panel: Panel, fits: Fits) -> pd.DataFrame:
    """Rank the models under each voter, and under the humans where they labelled.

    Returns
    -------
    DataFrame
        A row a voter, measure and model: dataset, voter, kind, measure ("win_rate",
        "bradley_terry", "style_controlled" or "mean_score"), model (str); n, its battles or answers
        with a vote (int); score with ci_low and ci_high, rank (1 is best, equal scores share) with
        rank_low and rank_high (float). Strengths are on Elo's scale with the baseline at 1000, or
        without one log odds of mean 0. Scores are NaN where there is no estimate: a model that only
        won, or never met the others. Empty where models are not named, or there is only one.
    """
    frames = [
        pd.DataFrame(
            {
                "dataset": panel.dataset.name,
                "voter": voter.name,
                "kind": voter.kind,
                "measure": measure,
                "model": found.models,
                "n": found.n.astype(int),
                "score": found.score,
                "ci_low": found.low,
                "ci_high": found.high,
                "rank": found.rank,
                "rank_low": found.rank_low,
                "rank_high": found.rank_high,
            }
        )
        for voter, measure, found in fits.rankings
    ]
    if not frames:
        return pd.DataFrame()
    return in_order(pd.concat(frames, ignore_index=True), "measure", "rank", "model")


def correlation(panel: Panel, fits: Fits) -> pd.DataFrame:
    """Compare each voter's rankings with the humans' and with the reference leaderboard.

    Returns
    -------
    DataFrame
        A row a voter, measure, reference and correlation: dataset, voter, kind, measure, reference
        ("humans", or the leaderboard's file), correlation ("kendall_tau_b", ...; what the paper
        prints as Pearson is "spearman") (str); models, those in both, and missing, the ranked ones
        missing from the reference (int); value with ci_low and ci_high (float), over resampled
        questions, the reference taken as given; caution, why an interval is missing or cannot be
        trusted (str). Empty with fewer than three models in common.
    """
    how, found = fits.settings, fits.rankings
    models = sorted({model for _, _, one in found for model in one.models})
    references: dict[tuple[str, str], dict[str, float]] = {
        ("humans", measure): dict(zip(one.models, one.score, strict=True))
        for voter, measure, one in found
        if voter is HUMAN
    }
    references = {
        at: {model: score for model, score in scores.items() if not np.isnan(score)}
        for at, scores in references.items()
    }
    board = how.leaderboard(models)
    if models and how.reference is not None and (absent := sorted(set(models) - set(board))):
        log.warning(
            "analysis.ranking.reference: %s has %d of the %d models of %s; missing are %s. If they "
            "have other names there, set analysis.ranking.names",
            how.reference, len(board), len(models), panel.dataset.name, ", ".join(absent),
        )  # fmt: skip
    rows, questions = [], len(set(panel.questions))
    for voter, measure, one in found:
        beside = {"humans": references.get(("humans", measure), {})} if voter is not HUMAN else {}
        if board:
            beside[str(how.reference)] = board
        for reference, scores in beside.items():
            compared = measures.compare(one, scores, fits.bootstrap)
            if len(compared.models) < FEWEST_MODELS:
                continue
            rows += [
                {
                    "dataset": panel.dataset.name,
                    "voter": voter.name,
                    "kind": voter.kind,
                    "measure": measure,
                    "reference": reference,
                    "correlation": name,
                    "models": len(compared.models),
                    "missing": len(compared.missing),
                    "value": value,
                    "ci_low": compared.low[name],
                    "ci_high": compared.high[name],
                    "caution": caution(
                        questions,
                        Interval(
                            *map(np.asarray, (value, compared.low[name], compared.high[name]))
                        ),
                    ),
                }
                for name, value in compared.value.items()
            ]
    return in_order(pd.DataFrame(rows), "measure", "reference") if rows else pd.DataFrame()


def battles(panel: Panel, how: Rankings) -> pd.DataFrame:
    """Count the battles between each two models under each voter.

    Returns
    -------
    DataFrame
        A row a voter and pair of models that met: dataset, voter, kind, first, second (str); n
        (int); share, of the wins that went to the first (float). Empty for single answers.
    """
    rows = []
    for voter, held in _battles(panel):
        won, lost = how.weights.wins(held.score)
        pair = np.stack([held.first, held.second], axis=1)
        turned = pair[:, 0] > pair[:, 1]
        pair[turned] = pair[turned][:, ::-1]
        wins, losses = np.where(turned, lost, won), np.where(turned, won, lost)
        voted = won + lost > 0
        for first, second in np.unique(pair[voted], axis=0):
            own = voted & (pair == (first, second)).all(axis=1)
            rows.append(
                {
                    "dataset": panel.dataset.name,
                    "voter": voter.name,
                    "kind": voter.kind,
                    "first": held.models[first],
                    "second": held.models[second],
                    "n": int(own.sum()),
                    "share": wins[own].sum() / (wins[own].sum() + losses[own].sum()),
                }
            )
    return in_order(pd.DataFrame(rows), "first", "second") if rows else pd.DataFrame()


def fit(panel: Panel, bootstrap: Bootstrap, how: Rankings | None = None) -> Fits:
    """Rank the models under each voter by each measure that applies.

    Raises
    ------
    JuriesError
        If the panel has no model named as the baseline.
    """
    how = how or Rankings()
    return Fits(how, bootstrap, tuple(_ranked(panel, bootstrap, how)))


def _ranked(panel: Panel, bootstrap: Bootstrap, how: Rankings) -> list[Ranked]:
    if not panel.dataset.pairwise:
        candidates = [item.candidate for item in panel.dataset.items]
        if len(set(candidates)) < 2 or panel.scale.kind == "nominal":  # names have no mean
            return []
        voters, scores = zip(*_scored(panel), strict=True)
        rankings = measures.mean_scores(
            np.column_stack(scores), candidates, panel.clusters, bootstrap
        )
        return [
            Ranked(voter, "mean_score", ranking)
            for voter, ranking in zip(voters, rankings, strict=True)
        ]
    baseline = _baseline(panel, how)
    styles = _styles(panel) if how.style else None
    found = []
    for voter, battles in _battles(panel):
        rates = measures.win_rate(battles, how.weights, bootstrap, baseline)
        found.append(Ranked(voter, "win_rate", rates))
        if len(battles.models) < FEWEST_MODELS:
            continue
        strengths = measures.bradley_terry_bootstrap(battles, how.weights, bootstrap, baseline)
        found.append(Ranked(voter, "bradley_terry", strengths))
        if styles is not None:
            controlled = measures.style_controlled(
                battles, styles, how.weights, bootstrap, baseline
            )
            found.append(Ranked(voter, "style_controlled", controlled.ranking))
    return found


def _battles(panel: Panel) -> list[tuple[Voter, measures.Battles]]:
    """Return each voter's battles, one a pair of answers, the humans' first where there are any.

    Two answers of one model are not a battle, nor are answers of unknown models.
    """
    held = _between_models(panel)
    if not held.any():
        return []
    items = [item for item, battle in zip(panel.dataset.items, held, strict=True) if battle]
    columns = list(zip(panel.votes.voters, shares(panel).T, strict=True))
    if not np.isnan(panel.preferences).all():
        columns.insert(0, (HUMAN, panel.preferences))
    return [
        (
            voter,
            measures.Battles.between(
                [item.candidate for item in items],
                [item.opponent for item in items],
                column[held],
                [item.drawn_with for item in items],
            ),
        )
        for voter, column in columns
    ]


def unranked(panel: Panel, how: Rankings) -> str:
    """Return why strengths are blank, and which win rates can't be compared; "" if neither is."""
    if not panel.dataset.pairwise or _baseline(panel, how):
        return ""
    found = _battles(panel)
    blank: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for voter, battles in found:
        groups = measures.connected(battles, how.weights)
        if len(groups) > 1 and len(battles.models) >= FEWEST_MODELS:
            blank.setdefault(groups, []).append(voter.name)
    said = [
        f"`bradley_terry` is blank for {_some_of(voters)}: no strengths are finite, since wins in "
        f"both directions do not link {' with '.join(_some_of(group) for group in groups[:4])}"
        + " and more" * (len(groups) > 4)
        + "; a model that never won or never lost, or never met the others, has none."
        for groups, voters in blank.items()
    ]
    met: dict[str, set[str]] = {}
    for item in panel.dataset.items:
        met.setdefault(item.candidate, set()).add(item.opponent)
        met.setdefault(item.opponent, set()).add(item.candidate)
    if found and any(others | {model} != set(met) for model, others in met.items()):
        said.append(
            "Not every two models met, so win rates are against different opponents and can't be "
            "compared across them."
        )
    return " ".join(said)


def _some_of(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" * (len(names) > MOST_NAMED)
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _scored(panel: Panel) -> list[tuple[Voter, Array]]:
    """Return each voter's scores of single answers on the prompt's scale, the humans' first.

    Under a prompt of levels, what counts is the level (or the mean or median that a jury makes of
    them; a majority makes none). Under one of right and wrong, it is the label.
    """
    votes = panel.votes.scores if panel.scale.graded else panel.votes.labels
    scored = list(zip(panel.votes.voters, votes.T, strict=True))
    if panel.label_scale.graded == panel.scale.graded and not np.isnan(panel.human).all():
        scored.insert(0, (HUMAN, panel.human))
    return scored


def _between_models(panel: Panel) -> Mask:
    """Return which items are pairs of two models."""
    sides = [(item.candidate, item.opponent) for item in panel.dataset.items]
    return np.array([bool(b) and a != b and (a, b) != UNNAMED for a, b in sides], dtype=bool)


def _models(panel: Panel) -> set[str]:
    return {model for item in panel.dataset.items for model in (item.candidate, item.opponent)}


def _baseline(panel: Panel, how: Rankings) -> str | None:
    held = zip(panel.dataset.items, _between_models(panel), strict=True)
    opponents = {item.opponent for item, battle in held if battle}
    models = _models(panel)
    if how.baseline is None:
        return opponents.pop() if len(opponents) == 1 else None
    if how.baseline not in models:
        raise JuriesError(
            f"analysis.ranking.baseline: {panel.dataset.name} has no model {how.baseline!r}"
            f"{nearest(how.baseline, sorted(models))}"
        )
    return how.baseline


def _styles(panel: Panel) -> Array | None:
    held = zip(panel.dataset.items, _between_models(panel), strict=True)
    items: list[Item] = [item for item, battle in held if battle]
    if not any(item.answer for item in items):
        return None
    return style.differences(
        [item.answer for item in items], [item.opponent_answer for item in items]
    )
