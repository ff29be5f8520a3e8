"""All sources together: facts of each, a random-effects summary, other rules and scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import JuriesError
from ...juries.rules import Jury, Rule
from ...metrics.bootstrap import Bootstrap
from ...metrics.intervals import FEW_CLUSTERS
from ...metrics.meta_analysis import Pooled, random_effects, within_clusters
from ...scale import Kind
from ..replaceability import MARGIN, SINGLE, human_ceiling
from . import trios as trio_tables
from .contrasts import CONTRASTS, HEADLINE, contrasts, cross_fitted
from .dependence import Moments, effective_votes
from .published import published
from .source import TRIO, Source
from .trios import Model

OTHER_RULES: dict[Kind, tuple[Rule, ...]] = {
    "binary": ("majority", "any"),
    "preference": ("margin", "majority", "mean"),
    "nominal": ("plurality",),
    "ordinal": ("mean", "median"),
    "interval": ("mean", "median"),
}
"""The rules that each scale is tried under, that of the atlas first."""


@dataclass(frozen=True)
class Atlas:
    """What the atlas found; a table each, see the functions that make them.

    Attributes
    ----------
    sources, published, contrasts, summary, left_out, variants, trios, rules : DataFrame
    model : Model
    """

    sources: pd.DataFrame
    published: pd.DataFrame
    contrasts: pd.DataFrame
    summary: pd.DataFrame
    left_out: pd.DataFrame
    variants: pd.DataFrame
    trios: pd.DataFrame
    rules: pd.DataFrame
    model: Model

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name, in the order in which they are read."""
        names = (
            "sources", "contrasts", "summary", "left_out", "variants", "rules", "published",
            "trios",
        )  # fmt: skip
        return {**{name: getattr(self, name) for name in names}, "model": self.model.table}


def atlas(
    sources: Sequence[Source], bootstrap: Bootstrap | None = None, margin: float = MARGIN
) -> Atlas:
    """Measure where juries help, on each source and over all of them.

    Raises
    ------
    JuriesError
        If no source has a trio to compare, or one has fewer labelled questions than any interval
        takes.
    """
    bootstrap = bootstrap or Bootstrap()
    if not any(source.at(HEADLINE[0]) for source in sources):
        raise JuriesError(
            "datasets: none has a trio of small judges (of any, where no size is stated); add a "
            "source with three"
        )
    for source in sources:
        if source.questions < FEW_CLUSTERS:
            raise JuriesError(
                f"{source.name}: has {source.questions} questions with a label; the atlas takes "
                f"{FEW_CLUSTERS} or more"
            )
    compared, _ = contrasts(list(sources), bootstrap, margin)
    points = trio_tables.all_points(sources)
    shares = {source.name: source.panel.dataset.about.shares or source.name for source in sources}
    return Atlas(
        pd.DataFrame([facts(source) for source in sources]),
        published(sources),
        compared,
        summary(compared, shares, bootstrap.level),
        left_out(compared, shares, bootstrap.level),
        pd.concat([variants(source, bootstrap.level) for source in sources], ignore_index=True),
        points,
        trio_tables.rules(points),
        trio_tables.fit(points, bootstrap.level),
    )


def facts(source: Source) -> dict[str, object]:
    """Return what is known of one source and its judges.

    dataset, licence, citation, shares, scale, measure (str); items, questions, judges, small, large
    (int); missing, the share of the judges' votes on labelled items; best, the best judge, with its
    value; lead, of it over the second; spread, the standard deviation of the judges' values;
    correlation, the mean partial correlation of votes given the label, and effective_votes, of the
    pool and of all; human_ceiling, how well annotators agree with each other, with best_beside and
    jury_beside, how well the best judge and the jury of the pool agree with them (NaN without two
    annotators); not_seated, judges with too few votes.
    """
    panel, values = source.panel, source.measured
    own = {name: float(values[source.voters.index((name,))]) for name in source.seated}
    ranked = sorted(own, key=lambda name: (-own[name], name))
    pool = source.pool
    correlations = {
        "pool": Moments(source, pool).mean_correlation() if len(pool) > 1 else np.nan,
        "all": Moments(source, source.seated).mean_correlation(),
    }
    labelled = ~np.isnan(panel.preferences)
    votes = np.hstack([source.votes_of((name,)) for name in source.seated])[labelled]
    about = panel.dataset.about
    return {
        "dataset": source.name,
        "licence": about.licence,
        "citation": about.citation,
        "shares": about.shares,
        "scale": str(panel.scale),
        "labels": str(panel.label_scale),
        "measure": source.yardstick.name,
        "items": int(labelled.sum()),
        "questions": len(set(np.array(panel.questions)[labelled])),
        "judges": len(source.seated),
        "small": sum(source.size(name) == "small" for name in source.seated),
        "large": len(source.large),
        "pool": "small" if source.pool_is_small else "sizes unknown",
        "missing": float(np.isnan(votes).mean()),
        "best": ranked[0],
        "best_value": own[ranked[0]],
        "lead": own[ranked[0]] - own[ranked[1]],
        "spread": float(np.std(list(own.values()), ddof=1)),
        "correlation_pool": correlations["pool"],
        "effective_votes_pool": effective_votes(len(pool), correlations["pool"]),
        "correlation_all": correlations["all"],
        "effective_votes_all": effective_votes(len(own), correlations["all"]),
        **_ceiling(source, ranked[0]),
        "not_seated": ", ".join(source.left_out),
    }


def _ceiling(source: Source, best: str) -> dict[str, float]:
    name = "jury of the pool"
    nothing = dict.fromkeys(("human_ceiling", "best_beside", "jury_beside"), np.nan)
    if len(source.pool) < TRIO:
        return nothing
    jury = Jury(name, source.pool, source.rule_name, "half" if source.panel.sided else "missing")
    found = human_ceiling(source.panel.add(jury))
    if found.empty:
        return nothing
    rows = found[found["against"] == SINGLE].set_index("voter")
    human = next(column for column in map(str, rows) if column.startswith("human_"))
    measure = human.removeprefix("human_")
    return {
        "human_ceiling": float(rows[human][best]),
        "best_beside": float(rows[measure][best]),
        "jury_beside": float(rows[measure][name]),
    }


def _pooled(rows: pd.DataFrame, shares: dict[str, str], level: float) -> tuple[Pooled, int]:
    known = rows[rows["error"] > 0]
    effects, errors, _ = within_clusters(
        known["gain"].to_numpy(float),
        known["error"].to_numpy(float),
        [shares[name] for name in known["dataset"]],
    )
    return random_effects(effects, errors, level), len(known)


def summary(found: pd.DataFrame, shares: dict[str, str], level: float = 0.95) -> pd.DataFrame:
    """Summarise each contrast over sources by a random-effects model.

    Returns
    -------
    DataFrame
        A row a contrast: side, beside (str); sources, and independent, their number where those
        that share data count once (int); gain, its mean, with ci_low and ci_high; tau, the standard
        deviation of true gains; i2; q_p; new_low and new_high, the prediction interval for a new
        source; better and worse, on how many sources the gain is above or below zero with the
        interval that holds for all (int).
    """
    rows = []
    for side, other in CONTRASTS:
        own = found[(found["side"] == side) & (found["beside"] == other)]
        if own.empty:
            continue
        pooled, number = _pooled(own, shares, level)
        rows.append(
            {
                "side": side,
                "beside": other,
                "sources": number,
                "independent": pooled.k,
                **_columns(pooled),
                "better": int((own["all_low"] > 0).sum()),
                "worse": int((own["all_high"] < 0).sum()),
            }
        )
    return pd.DataFrame(rows)


def left_out(found: pd.DataFrame, shares: dict[str, str], level: float = 0.95) -> pd.DataFrame:
    """Summarise the headline contrast without one source (and those it shares data with) at a time.

    Returns
    -------
    DataFrame
        A row a group: without (str), and the columns of `summary` from independent to new_high.
    """
    own = found[(found["side"] == HEADLINE[0]) & (found["beside"] == HEADLINE[1])]
    groups = [shares[name] for name in own["dataset"]]
    rows = []
    for group in dict.fromkeys(groups):
        out = np.array([one == group for one in groups])
        pooled, _ = _pooled(own[~out], shares, level)
        rows.append(
            {
                "without": ", ".join(own["dataset"][out]),
                "independent": pooled.k,
                **_columns(pooled),
            }
        )
    return pd.DataFrame(rows)


def _columns(pooled: Pooled) -> dict[str, float]:
    return {
        "gain": pooled.mean,
        "ci_low": pooled.low,
        "ci_high": pooled.high,
        "tau": pooled.tau,
        "i2": pooled.i2,
        "q_p": pooled.q_p,
        "new_low": pooled.new_low,
        "new_high": pooled.new_high,
    }


def variants(source: Source, level: float = 0.95) -> pd.DataFrame:
    """Compare the sides with the best judge again, under other rules and scales.

    Grades are also cut in the middle of their scale: by juries that pool grades first ("pooled,
    then cut"), and as a majority of votes that were cut before.

    Returns
    -------
    DataFrame
        A row a side, rule and scale: dataset, side, rule, scale, measure (str); gain over the best
        judge with ci_low and ci_high, cluster-robust t (float).
    """
    panel = source.panel
    kinds = [(rule, "as given", source.under(rule)) for rule in OTHER_RULES[panel.scale.kind]]
    if panel.scale.graded:
        middle = sum(panel.scale.ends) / 2
        cut = source.cut(middle)
        kinds += [
            (OTHER_RULES[panel.scale.kind][0], f"pooled, then cut at {middle:g}", cut),
            ("majority", f"cut at {middle:g}, then pooled", cut.pooled_after_the_cut()),
        ]
    rows = []
    for rule, scale, tried in kinds:
        for side in ("best trio of the pool", "all of the pool", "all judges"):
            found = cross_fitted(tried, side, "best judge")
            if found is None:
                continue
            low, high = found.ends(level)
            rows.append(
                {
                    "dataset": source.name,
                    "side": side,
                    "rule": rule,
                    "scale": scale,
                    "measure": tried.yardstick.name,
                    "gain": found.gain,
                    "ci_low": low,
                    "ci_high": high,
                }
            )
    return pd.DataFrame(rows)
