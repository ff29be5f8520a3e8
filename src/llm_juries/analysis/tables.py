"""The list of all tables of an analysis: what makes each, its title, and what to look for in it.

A table is named after the function that makes it, and its files after the table. `analysis.run`
makes the tables of this list in its order; reports and pages take titles and notes from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from ..juries.panel import Panel
from ..study import Study
from .abstention import risk_coverage
from .agreement import (
    agreement,
    agreement_by,
    annotators,
    between_judges,
    correlations,
    deltas,
    outcomes,
    reliability,
)
from .bias import families, rates, self_preference, spread
from .calibration import calibration, reliability_curve
from .comparison import against_best
from .costs import costs
from .dependence import effective_votes, error_pairs
from .distributions import distributions
from .few_labels import corrected
from .found_juries import JurySearch
from .levels import confusion, value_shares, votes_by_label
from .pairs import length, length_bins, position, preferences
from .power import power
from .rankings import Fits, battles, correlation, fit, ranking
from .repeats import self_agreement, self_ensembles, variance_components
from .replaceability import alt_test, equivalence, human_ceiling, single_annotators
from .savings import policies
from .settings import Analysis

__all__ = [
    "TABLES",
    "Subject",
    "Table",
    "against_best",
    "agreement",
    "agreement_by",
    "alt_test",
    "annotators",
    "battles",
    "between_judges",
    "calibration",
    "confusion",
    "corrected",
    "correlation",
    "correlations",
    "costs",
    "deltas",
    "distributions",
    "effective_votes",
    "equivalence",
    "error_pairs",
    "families",
    "human_ceiling",
    "length",
    "length_bins",
    "outcomes",
    "policies",
    "position",
    "power",
    "preferences",
    "ranking",
    "rates",
    "reliability",
    "reliability_curve",
    "risk_coverage",
    "self_agreement",
    "self_ensembles",
    "self_preference",
    "single_annotators",
    "spread",
    "value_shares",
    "variance_components",
    "votes_by_label",
]


@dataclass(frozen=True)
class Subject:
    """What the tables of one dataset are made from.

    Attributes
    ----------
    panel : Panel
    study : Study
    analysis : Analysis
    usd_a_call : mapping of str to float or None
        The mean cost of a call of each judge, None where it is not known.
    searched : JurySearch, optional
        None where no juries were searched.
    """

    panel: Panel
    study: Study
    analysis: Analysis
    usd_a_call: Mapping[str, float | None]
    searched: JurySearch | None = None

    @property
    def large_judge(self) -> str | None:
        """The judge that juries are to replace, None where this dataset has no such judge."""
        name = self.analysis.settings.large_judge
        return name if name in self.panel.votes.names else None

    @cached_property
    def fits(self) -> Fits:
        """The rankings of all voters, fitted once."""
        return fit(self.panel, self.analysis.bootstrap, self.analysis.ranking)


@dataclass(frozen=True)
class Table:
    """A table of an analysis.

    Attributes
    ----------
    name : str
        Of its function and its files.
    make : function of a Subject
        Returns the dataset's rows, none where the table does not apply. Of a table over several
        datasets, a function of their `overview.Overview`.
    title : str
    look_for : str
        A sentence on how to read it.
    applies : str
        The condition under which it has rows.
    kept_empty : bool
        Whether it is part of the results without rows too.
    """

    name: str
    make: Callable[[Any], pd.DataFrame]
    title: str
    look_for: str
    applies: str
    kept_empty: bool = False


LABELLED = "human labels"
SINGLE_LABELLED = "single answers with human labels"

TABLES = (
    Table(
        "agreement",
        lambda of: agreement(
            of.panel, of.analysis.bootstrap, coverage=of.analysis.settings.coverage
        ),
        "Agreement with humans",
        "kappa is 1 for full agreement and 0 for what the margins alone would give, and so is "
        "weighted_kappa of ordered levels; compare voters only where their missing votes are few. "
        "kappa_half counts ties and inconsistent pairs as half, accuracy_failed other missing "
        "votes as wrong, accuracy_worst and accuracy_best all missing ones as wrong or right.",
        "always",
        kept_empty=True,
    ),
    Table(
        "agreement_by",
        lambda of: agreement_by(
            of.panel,
            of.analysis.bootstrap,
            of.analysis.settings.slices,
            of.analysis.settings.coverage,
        ),
        "Agreement with humans on parts of the items",
        "A voter can agree well overall because subsets differ, and hardly within one; few items "
        "make wide intervals.",
        "several subsets, criteria or candidates that slices names",
    ),
    Table(
        "correlations",
        lambda of: correlations(of.panel, of.analysis.bootstrap),
        "Correlation of graded votes with the labels, over all items and within parts",
        "over says within what: a high value over all items and a low mean over questions means "
        "that a voter tells easy questions from hard ones, not good answers from bad.",
        "graded votes with human labels",
    ),
    Table(
        "value_shares",
        lambda of: value_shares(of.panel),
        "How often each voter gives each value",
        "A voter whose shares are not the humans' is stricter, milder or shyer of the ends; with "
        "like shares it can still give them to other items.",
        "nominal or graded votes, or preferences with ties",
    ),
    Table(
        "confusion",
        lambda of: confusion(of.panel),
        "Which value a voter gives where the humans give which",
        "share is of the votes on items with the human's value; a number between two levels counts "
        "as the nearer one, and an empty voted is a missing vote.",
        "votes and human labels on one nominal or ordinal scale, or preferences with ties",
    ),
    Table(
        "votes_by_label",
        lambda of: votes_by_label(of.panel),
        "Where graded votes lie at each human label",
        "A voter that grades as humans do rises with the label, from step to step; medians that do "
        "not move say that it hardly sees the difference.",
        "graded votes with human labels",
    ),
    Table(
        "outcomes",
        lambda of: outcomes(of.panel),
        "Outcomes",
        "Everything but ok is a missing vote: it is left out of the measures, never counted as "
        "wrong.",
        "always",
        kept_empty=True,
    ),
    Table(
        "distributions",
        lambda of: distributions(of.panel),
        "How sure judges are that score the tokens of several values",
        "entropy is 0 bits where one value has all the probability; where label_mass is small, the "
        "judge would mostly have written something else, and its probabilities say little.",
        "token probabilities of more than two values",
    ),
    Table(
        "deltas",
        lambda of: deltas(of.panel, of.analysis.bootstrap),
        "Accuracy of each candidate, judged and by humans",
        "delta is a candidate's accuracy under a voter less that under humans (on a graded scale, "
        "its mean grade): deltas of different signs mean that the voter favours some candidates.",
        "single answers, right or wrong or graded",
        kept_empty=True,
    ),
    Table(
        "against_best",
        lambda of: against_best(of.panel, of.analysis.bootstrap, of.analysis.settings.coverage),
        "Juries beside the best single judge",
        "Both on the n items on which both have a vote, ties for half. A difference whose interval "
        "holds 0 shows no gain from the jury; the best judge is picked on the items it is measured "
        "on, which is optimistically biased.",
        "a jury",
        kept_empty=True,
    ),
    Table(
        "power",
        lambda of: power(of.panel, of.analysis.bootstrap, of.fits, of.analysis.settings.coverage),
        "How many questions tell voters and models apart",
        "questions_needed find the difference seen with a power of 80%, detectable is the smallest "
        "one that as many questions as there are find; a search of juries takes more, see the "
        "table of all juries.",
        LABELLED + " and a jury, or two named candidates or more",
    ),
    Table(
        "calibration",
        lambda of: calibration(of.panel, of.analysis.bootstrap),
        "Calibration of probabilities",
        "brier is 0 at best and 0.25 for saying one half; compare ece, how far probabilities are "
        "off on average, with ece_by_chance, what right ones would have.",
        LABELLED + " that say yes or no, and votes with probabilities",
    ),
    Table(
        "reliability_curve",
        lambda of: reliability_curve(of.panel, of.analysis.bootstrap),
        "Probabilities beside how often the label is positive",
        "positive equals probability in every bin for a voter whose probabilities can be taken at "
        "their word.",
        LABELLED + " that say yes or no, and votes with probabilities",
    ),
    Table(
        "annotators",
        lambda of: annotators(of.panel, of.analysis.bootstrap),
        "Agreement of the annotators among themselves",
        "This is the scale for a judge's kappa with the humans; mind n, an annotator who labelled "
        "only disputed items agrees less with the others.",
        "items with the labels of two annotators or more",
    ),
    Table(
        "human_ceiling",
        lambda of: human_ceiling(
            of.panel, of.analysis.bootstrap.level, of.analysis.settings.coverage
        ),
        "Voters beside the annotators, on the same footing",
        "Voter and left-out annotator are both measured against the other annotators on the same "
        "items: a difference below 0 whose interval does not hold 0 means that the voter does not "
        "reach what a person reaches.",
        "items with the labels of two annotators or more",
    ),
    Table(
        "single_annotators",
        lambda of: single_annotators(of.panel, of.analysis.bootstrap.level),
        "Agreement with each annotator alone",
        "Lower than agreement with the label that they made together; an annotator who labelled "
        "only disputed items agrees less with everybody.",
        "items with the labels of two annotators or more",
    ),
    Table(
        "alt_test",
        lambda of: alt_test(
            of.panel,
            of.analysis.settings.epsilon,
            of.analysis.bootstrap.level,
            of.analysis.settings.coverage,
        ),
        "Alternative annotator test",
        "A voter passes if it wins against half of the annotators: if an annotator's being closer "
        "to the others by epsilon or more of the items is ruled out. It says that the voter may "
        "take an annotator's place, not that it is right: where annotators hardly agree, anybody "
        "passes. The authors ask for three annotators.",
        "items with the labels of two annotators or more",
    ),
    Table(
        "equivalence",
        lambda of: equivalence(
            of.panel,
            of.analysis.settings.margin,
            of.large_judge,
            of.analysis.bootstrap.level,
            of.analysis.settings.coverage,
        ),
        "As good as a judge, or as a person?",
        "'not inferior' shows (p < .05) that the voter is worse by less than the margin, "
        "'equivalent' that it is neither worse nor better by it, 'inferior' that it is worse by "
        "more; 'not shown' proves neither. The best judge is picked on these items.",
        LABELLED + ", and a jury or two annotators",
    ),
    Table(
        "reliability",
        lambda of: reliability(of.panel, of.analysis.bootstrap),
        "Krippendorff's alpha of annotators, judges and juries' members",
        "alpha is 1 for full agreement among them and 0 for chance; judges that agree with each "
        "other need not agree with humans.",
        "two votes on some item",
    ),
    Table(
        "between_judges",
        lambda of: between_judges(of.panel, of.analysis.bootstrap),
        "Agreement of each two judges with each other",
        "Needs no human labels and does not say who is right; two that agree far more than the "
        "others may be one model twice.",
        "two judges or more",
    ),
    Table(
        "preferences",
        lambda of: preferences(of.panel, of.analysis.bootstrap),
        "Agreement on pairs, ties counted as a side",
        "kappa is over three sides here: the first, the second, a tie.",
        "pairs that humans call a tie",
    ),
    Table(
        "position",
        lambda of: position(of.panel, of.analysis.bootstrap),
        "Position bias",
        "flip_rate is the share of pairs whose preference turns with the order; a first_place of "
        "0.5 is fair.",
        "pairs shown in both orders",
    ),
    Table(
        "length",
        lambda of: length(of.panel, of.analysis.bootstrap),
        "Length bias",
        "Longer answers may be better ones, so compare with the humans: above_humans is how much "
        "more often the voter takes the longer one.",
        "pairs of answers with known lengths",
    ),
    Table(
        "length_bins",
        lambda of: length_bins(of.panel, of.analysis.bootstrap),
        "Wins by length difference",
        "A share that rises with the bin means that longer answers win more often.",
        "pairs of answers with known lengths",
    ),
    Table(
        "ranking",
        lambda of: ranking(of.panel, of.fits),
        "Rankings of the candidates",
        "Candidates whose intervals of ranks overlap cannot be told apart.",
        "two named candidates or more",
    ),
    Table(
        "correlation",
        lambda of: correlation(of.panel, of.fits),
        "Agreement of rankings with the humans' or a leaderboard's",
        "spearman is what the paper prints as Pearson; with few models, a swap of two neighbours "
        "moves every coefficient much.",
        "three models or more in both rankings",
    ),
    Table(
        "battles",
        lambda of: battles(of.panel, of.analysis.ranking),
        "Battles of each two candidates",
        "share is that of the wins that went to the first.",
        "pairs of answers of two named candidates",
    ),
    Table(
        "spread",
        lambda of: spread(of.panel, of.analysis.bootstrap),
        "Even-handedness",
        "spread is the standard deviation of the candidates' deltas, the paper's measure of bias; "
        "chance alone makes it larger than 0.",
        SINGLE_LABELLED + ", right or wrong or graded, of two candidates or more",
    ),
    Table(
        "rates",
        lambda of: rates(of.panel, of.analysis.bootstrap),
        "True positive and true negative rates by candidate",
        "A voter that favours a candidate has a higher tpr and a lower tnr on its answers.",
        SINGLE_LABELLED + ", right or wrong",
    ),
    Table(
        "families",
        lambda of: families(of.panel, of.analysis.bootstrap, of.analysis.settings.families),
        "Judges on model families",
        "Compare the delta of a judge's own family with those of the others; p_holm is corrected "
        "for all rows.",
        SINGLE_LABELLED + ", right or wrong or graded, with candidate_families",
    ),
    Table(
        "self_preference",
        lambda of: self_preference(of.panel, of.analysis.bootstrap, of.analysis.settings.families),
        "Self-preference",
        "own is what being of the judge's own family adds to the share of positive votes, compared "
        "with the other judges: what they all favour is not seen, and what goes with the family, "
        "such as better or sharper answers beside a lenient judge, is taken for it. Believe the "
        "row of all judges; of a single one only where p_holm and placebo, the share of other "
        "candidates that stand out as much, are both small. odds is the same as an odds ratio.",
        SINGLE_LABELLED + ", right or wrong, of a judge's own family, with candidate_families",
    ),
    Table(
        "self_agreement",
        lambda of: self_agreement(of.panel, of.analysis.bootstrap),
        "Agreement of each repeated judge with itself",
        "A judge that agrees little with itself cannot agree much with humans, however good it is "
        "on average; flip_rate is the share of items on which two of its answers differ.",
        "a judge with several answers, such as seats=[haiku*3]",
    ),
    Table(
        "self_ensembles",
        lambda of: self_ensembles(of.panel, of.analysis.bootstrap, of.usd_a_call),
        "Several answers of one judge beside juries",
        "A difference above 0 whose interval does not hold 0 shows that different judges are worth "
        "more than as many calls, or as much money, spent on answers of this one.",
        LABELLED + ", a judge with several answers and a jury",
    ),
    Table(
        "variance_components",
        lambda of: variance_components(of.panel),
        "What the votes vary with",
        "noise_with_two beside noise says what one more seat of a kind takes away: another judge, "
        "another prompt, or another answer of the same judge (residual). A variance below 0 is "
        "noise about 0.",
        "two judges, prompts or answers of each judge or more, not nominal",
    ),
    Table(
        "effective_votes",
        lambda of: effective_votes(of.panel, of.analysis.bootstrap),
        "Dependence of the judges",
        "effective_votes is how many independent votes the seats are worth; gap is the accuracy "
        "that a majority loses to common errors.",
        LABELLED + " and two judges or more that say yes or no, or prefer",
    ),
    Table(
        "error_pairs",
        lambda of: error_pairs(of.panel, of.analysis.bootstrap),
        "Common errors of each two judges",
        "ratio is how often both are wrong as a multiple of chance: far above 1, the second vote "
        "adds little.",
        LABELLED + " and two judges or more; not on graded scales",
    ),
    Table(
        "corrected",
        lambda of: corrected(
            of.panel,
            of.analysis.bootstrap,
            of.analysis.settings.labelled_questions,
            of.analysis.settings.interval_width,
        ),
        "Accuracy with few human labels",
        "estimate is the voter's own figure corrected by the labelled answers; labels_alone and "
        "labels_beside say how many labels an interval of interval_width takes.",
        "single answers, right or wrong, of which only some have a human label, or "
        "labelled_questions",
    ),
    Table(
        "risk_coverage",
        lambda of: risk_coverage(
            of.panel, of.analysis.bootstrap.level, of.analysis.settings.coverage
        ),
        "Risk and coverage",
        "risk is the share of wrong decisions among those that the voter is at least so sure of. "
        "Compare it with judge_risk, the best judge's on the same items: leaving the hard ones to "
        "somebody else makes everybody look better.",
        LABELLED + ", votes of two sides, and a jury or a judge with probabilities",
    ),
    Table(
        "costs",
        lambda of: costs(of.panel, of.study.plans, of.large_judge),
        "What voters cost",
        "usd_per_1000 are dollars for 1,000 items from the tokens that were used, at the prices of "
        "the days of asking, usd_per_1000_today at those of the yamls now; times_cheaper compares "
        "with analysis.large_judge.",
        "replies with token counts of judges that have a price",
    ),
    Table(
        "policies",
        lambda of: policies(of.panel, of.study.plans, of.study.juries, of.usd_a_call),
        "Calls saved by asking fewer judges",
        "same is the share of items whose verdict is that of the whole jury.",
        "a jury of three judges or more that say yes or no, or prefer, by majority",
    ),
    Table(
        "juries",
        lambda of: of.searched.juries if of.searched else pd.DataFrame(),
        "All juries of the voters",
        "These juries are picked on the items they are measured on: believe the table of chosen "
        "juries first. judge_kappa is the best judge's on the same n_both items; p_max_t is "
        "corrected for all juries; wins is the share of resamples in which a jury comes first.",
        LABELLED + " and analysis.search.rules",
    ),
    Table(
        "judges",
        lambda of: of.searched.judges if of.searched else pd.DataFrame(),
        "What each judge adds to juries",
        "shapley is the mean change of kappa when a judge joins; below 0 it does harm on average.",
        LABELLED + " and analysis.search.rules",
    ),
    Table(
        "chosen",
        lambda of: of.searched.chosen if of.searched else pd.DataFrame(),
        "What choosing a jury is worth",
        "kappa_seen is the winner's on the items it was chosen on, kappa what the same choice "
        "reaches on questions it did not see, and gain how much more that is than what choosing "
        "the best judge gives: believe kappa and gain.",
        LABELLED + " and analysis.search.rules",
    ),
)
"""All tables of an analysis, in the order in which they are made."""
