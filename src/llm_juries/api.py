"""The Python front door: judge answers, read verdicts, measure panels, from any folder.

    import llm_juries as lj

    panel = lj.judge("answers.jsonl", judges=["qwen25_coder", "contains"])
    panel = panel.add(lj.Jury("both", ["qwen25_coder", "contains"], rule="any"))
    lj.agreement(panel)

Every function works in a notebook, without Hydra, and raises `JuriesError` with one line where
something is wrong with what it was given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import yaml

from .analysis import agreement as agreement_tables
from .analysis import changes, comparison, jury_search, rankings, runs, tables
from .analysis import dependence as dependence_tables
from .analysis import overview as overviews
from .analysis import power as power_tables
from .analysis.atlas import advice
from .analysis.found_juries import JurySearch
from .analysis.measured import COVERAGE
from .analysis.panels import read_panel
from .analysis.replaceability import EPSILON, MARGIN
from .analysis.run import measure
from .analysis.settings import Analysis, Settings
from .analysis.undecided import Undecided
from .arguments import checked
from .collect import check
from .collect.policy import Policy
from .collect.progress import check_complete, progress_of
from .collect.run import collect
from .config import named
from .config.seating import Seating
from .config.study import study_of
from .data import answer_tables, verdicts
from .data.dataset import Dataset
from .data.frames import Tabular, called, digest, table_of
from .data.human_labels import HumanLabels, LabelRule
from .errors import JuriesError, nearest
from .judges.base import Judge
from .juries.panel import Panel
from .juries.rules import Rule
from .juries.stored import Inconsistent, Vote
from .metrics.bootstrap import Bootstrap
from .prompts.prompt import Prompt
from .reporting.figures.options import FigureOptions
from .scale import Scale
from .seats import Seat, seats_of
from .store.plan import Plan
from .store.store import Store
from .study import Study

if TYPE_CHECKING:
    import pandas as pd

    from .analysis.atlas.advice import Advice
    from .analysis.changes import Difference
    from .analysis.overview import Overview

Answers: TypeAlias = "Tabular | Dataset"
"""Answers to judge: a table, a dataset, or the name of one in conf/dataset."""
SEARCHED = ("juries", "judges", "chosen")
"""Tables of `search_juries`."""


@dataclass(frozen=True, repr=False)
class CollectedPanel(Panel):
    """A panel that knows where its verdicts came from, for reports.

    Attributes
    ----------
    plans : tuple of Plan
    store : Path, optional
        None for recorded verdicts, which need no store.
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders contradict each other.
    vote : {"most_probable", "expected"}
        What token probabilities of levels vote for.
    """

    plans: tuple[Plan, ...] = ()
    store: Path | None = None
    inconsistent: Inconsistent = "missing"
    vote: Vote = "most_probable"


def list_judges() -> list[str]:
    """Return the names of the judges in conf/judge, for `judge` and `load_judge`."""
    return named.names("judge")


@checked
def load_judge(name: str | Path) -> Judge:
    """Return a judge by its name in conf/judge or by the path of a yaml; nothing is loaded yet."""
    return named.load_judge(name)


@checked
def check_judges(judges: Sequence[str | Path | Judge], *, offline: bool = False) -> pd.DataFrame:
    """Check judges before a run: keys, servers, names, tokens, lifetimes, prices, GPUs, packages.

    Parameters
    ----------
    judges : sequence of names, yaml paths or judges
    offline : bool
        Ask nothing. By default each is asked one tiny question, whose answer is stored nowhere.

    Returns
    -------
    DataFrame
        A row a judge: see `collect.check.check_judges`; `problem` is "" for one that is ready.
    """
    return check.check_judges(list(_seating(judges).judges.values()), offline=offline)


@checked
def judge(
    data: Answers,
    judges: Sequence[str | Path | Judge],
    prompt: str | Path | Prompt = "few_shot_standard",
    store: str | Path | None = None,
    *,
    name: str | None = None,
    inconsistent: Inconsistent = "missing",
    threshold: float | None = None,
    max_cost_usd: float | None = None,
    policy: Policy | None = None,
    vote: Vote = "most_probable",
    criteria: Mapping[str, str] | None = None,
    human_scale: Scale | None = None,
) -> Panel:
    """Ask judges about answers, and return their votes. Stored verdicts are never asked for again.

    An interrupt stops sending; what was received is stored, and the next call goes on from there.

    Parameters
    ----------
    data : path, DataFrame, list of dicts, or dataset
        A row an answer, with the columns question and answer, and optionally references, item_id,
        candidate, human, opponent, opponent_answer, human_votes and cluster: see `data.tables`.
        A text without a file's ending is the name of a dataset in conf/dataset.
    judges : sequence of names, yaml paths or judges
        Names are those of `list_judges()`, or of seats: "haiku*3" for three answers of haiku,
        "haiku@zero_shot" for haiku under another prompt of conf/prompt. A judge that is given as an
        object can be named too: `[mine, "mine:2"]`.
    prompt : name, yaml path or Prompt
    store : path, optional
        The folder in which verdicts are kept; by default one in the user's data folder, whose
        place is printed.
    name : str, optional
        The dataset's name in tables; the file's name by default, "answers" in memory.
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders contradict each other: see `juries.stored`.
    threshold : float, optional
        From which on a graded value of judges, juries and humans is positive: 4 of 1 to 5.
    max_cost_usd : float, optional
        Stop before more than this may be spent.
    policy : Policy, optional
        What to ask again, what to do about unavailable judges: see `collect.policy`.
    vote : {"most_probable", "expected"}
        What token probabilities of levels vote for: the most probable level, or the expected one.
    criteria : mapping of str to str, optional
        What the answers are judged on, each criterion with its description, in place of the
        prompt's own: one call a criterion. `Panel.overall` pools them by weights.
    human_scale : Scale, optional
        Of the human labels of a table; by default right or wrong, of pairs a preference.

    Raises
    ------
    JuriesError
        In one line: an unknown name, a wrong table, a judge that is unavailable or has nothing to
        judge, or a run that ended before everything was asked.
    """
    policy = _policy(policy, max_cost_usd)
    _check_counting(inconsistent, vote)
    dataset = _dataset(data, name, human_scale)
    seating = _seating(judges)
    shown = prompt if isinstance(prompt, Prompt) else named.load_prompt(prompt)
    if criteria is not None:
        shown = replace(shown, criteria=dict(criteria))
    study = study_of(dataset, shown, seating, [])
    names = {plan.judge.name for plan in study.plans}
    for one in seating.judges:
        if one not in names:
            raise JuriesError(
                f"judge {one}: has nothing to judge in {dataset.name} (no texts or no references)"
            )
    if all(plan.judge.free for plan in study.plans) and store is None:
        return _recorded(
            study, inconsistent, threshold, vote
        )  # rules and recordings answer on the spot
    folder = Path(store).expanduser() if store is not None else _default_store()
    if store is None:
        print(f"verdicts are kept in {folder}; choose another place with store=")  # noqa: T201
    with Store(folder) as opened:
        own = replace(policy, progress="none") if policy.progress == "auto" else policy
        with progress_of(own, study.plans) as progress:
            tallies = collect([study], opened, policy, progress)
        check_complete(tallies)
        return _collected(study, opened, folder, inconsistent, threshold, vote)


@checked
def read_verdicts(
    data: Answers,
    judges: Sequence[str] | Mapping[str, str | Mapping[str, Any]] | None = None,
    scale: Scale | None = None,
    *,
    human_scale: Scale | None = None,
    columns: Mapping[str, str | tuple[str, ...]] | None = None,
    name: str | None = None,
    inconsistent: Inconsistent = "missing",
    threshold: float | None = None,
    label_rule: LabelRule | None = None,
) -> Panel:
    """Return the votes of verdicts that were recorded elsewhere. Asks nothing, stores nothing.

    A table is wide (a row an answer, a column a judge) or long (a row a verdict, with the columns
    judge and label, and optionally prompt). Columns known by name: item_id, which is needed and
    together with candidate and opponent identifies an answer or a pair; cluster, what a bootstrap
    draws whole (item_id by default); subset and criterion, by which tables are made too; order
    ("original" or "swapped"); question, answer, opponent_answer, references; human, and human_1 to
    human_k of single annotators. What was taken for a judge and what was not used is printed in one
    line.

    Parameters
    ----------
    data : path, DataFrame, list of dicts, or dataset
        A text without a file's ending is the name of a dataset with recordings in conf/dataset.
    judges : sequence or mapping, optional
        The judges' columns, or by each judge's name its column, family, kind or threshold:
        `{"bem": {"column": "bem_score", "threshold": 0.5, "family": "bert"}}`. By default all
        columns whose every cell is on the scale.
    scale : Scale, optional
        Binary by default (0, 1, true, false, yes, no, correct, incorrect), and a preference (also
        a, b, tie, A>>B ...) where there is a column opponent. On another scale the judges' columns
        of a wide table must be named.
    human_scale : Scale, optional
        Of the human labels, if it is not that of the verdicts: graded verdicts can be measured
        against binary labels.
    columns : mapping, optional
        What the table calls known columns: `{"item_id": "question_number", "human": "gold"}`.
    name : str, optional
        The dataset's name in tables; the file's name by default, "verdicts" in memory.
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders contradict each other: see `juries.stored`.
    threshold : float, optional
        From which on a graded value of judges, juries and humans is positive: 4 of 1 to 5.
    label_rule : {"majority", "median", "mean"}, optional
        How the labels of an item's single annotators become its label; by default the median on an
        ordinal scale, the mean on an interval, else the majority. See docs/labels.md.

    Raises
    ------
    JuriesError
        In one line, naming the table, row and column at fault.
    """
    _check_counting(inconsistent)
    rules = get_args(LabelRule)
    if label_rule is not None and label_rule not in rules:
        raise JuriesError(f"label_rule: there is no {label_rule!r}{nearest(label_rule, rules)}")
    if isinstance(data, Dataset) or _is_name(data):
        dataset = _dataset(data, name)
        if not dataset.recordings:
            raise JuriesError(f"dataset {dataset.name}: holds no recorded verdicts; use judge()")
        if scale is not None or human_scale is not None or isinstance(judges, Mapping):
            raise JuriesError(
                f"dataset {dataset.name}: has scales and columns of its own; give judges as a list "
                "of names, or leave it out"
            )
        dataset = _only(dataset, judges)
    else:
        table = table_of(data)
        found = verdicts.read(
            table,
            digest(table),
            name or called(data, "verdicts"),
            verdicts.Layout(columns or {}),
            verdicts.Voters(verdicts.described(judges)),
            verdicts.Scales(verdicts=scale, labels=human_scale),
        )
        dataset = found.dataset
        print(found)  # noqa: T201
    dataset = HumanLabels(label_rule=label_rule).join(dataset)
    study = study_of(dataset, named.load_prompt("zero_shot"), Seating({}), [])
    return _recorded(study, inconsistent, threshold)


@checked
def agreement(
    panel: Panel,
    bootstrap: Bootstrap | None = None,
    *,
    by: str | None = None,
    common: bool = False,
) -> pd.DataFrame:
    """Measure each voter against the human labels, by the measures of the panel's scale.

    Parameters
    ----------
    panel : Panel
    bootstrap : Bootstrap, optional
    by : {"subset", "criterion", "candidate"}, optional
        Measure each part of the items by itself; the table then has the columns slice and value.
    common : bool
        Whether only the items on which all voters have a vote count.

    Returns
    -------
    DataFrame
        A row a voter: dataset, voter, kind; n, the labelled items it voted on, and missing, the
        others; the headline measure with ci_low and ci_high, and others. Binary and preference:
        kappa, accuracy, tpr, tnr, balanced_accuracy (with ties also accuracy_ties and
        accuracy_decided). Nominal: kappa, and recall and precision of each value. Ordinal:
        weighted_kappa, spearman, kendall_tau_b, mae ... Interval: pearson, icc, mae, spearman ...
        Graded votes beside binary labels: roc_auc. See `analysis.agreement.agreement`.

    Raises
    ------
    JuriesError
        If there are no human labels, or `by` leaves all items in one part.
    """
    _check_labels(panel, "agreement")
    bootstrap = bootstrap or Bootstrap()
    if by is None:
        return agreement_tables.agreement(panel, bootstrap, common=common)
    if common:
        raise JuriesError("agreement: takes by or common, not both")
    table = agreement_tables.agreement_by(panel, bootstrap, (by,))
    if table.empty:
        raise JuriesError(
            f"agreement: by={by!r}: all items of {panel.dataset.name} have the same {by}; leave it "
            "out"
        )
    return table


@checked
def compare(
    panel: Panel,
    bootstrap: Bootstrap | None = None,
    *,
    coverage: float = COVERAGE,
    beside: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Compare juries with the best single judge, or all voters with those named.

    Two voters are measured on the items on which both have a vote.

    Ties, and pairs whose preference turns with the order, count for half.

    Parameters
    ----------
    panel : Panel
    bootstrap : Bootstrap, optional
    coverage : float
        The share of the labelled items that a judge must have voted on to be the best.
    beside : sequence of str, optional
        Judges and juries to compare every other voter with, judges too, in place of the best.

    Returns
    -------
    DataFrame
        Two rows a jury (beside its best member, and the best judge): both kappas (or the headline
        measure of the panel's scale) and their difference with its interval. The best judge is
        picked on the same items, which is optimistically biased. With `beside` a row for each other
        voter and each of those named: see `analysis.comparison.against`.

    Raises
    ------
    JuriesError
        If there are no human labels, no jury, or no voter of a name.
    """
    _check_labels(panel, "compare")
    if beside is not None:
        share = Settings(coverage=coverage).coverage
        return comparison.against(panel, bootstrap or Bootstrap(), tuple(beside), share)
    if not any(voter.kind == "jury" for voter in panel.votes.voters):
        raise JuriesError(
            'compare: the panel has no jury; add one: panel.add(lj.Jury("trio", ["a", "b", "c"]))'
        )
    coverage = Settings(coverage=coverage).coverage  # checked
    table = comparison.against_best(panel, bootstrap or Bootstrap(), coverage)
    if table.empty:
        raise JuriesError(
            f"compare: no judge of {panel.dataset.name} can be compared by the headline measure; "
            "see agreement(panel) for the votes and labels of each"
        )
    return table


@checked
def difference(
    before: Panel,
    after: Panel | None = None,
    replace: Mapping[str, str] | Sequence[str] | None = None,
    bootstrap: Bootstrap | None = None,
    *,
    margin: float = MARGIN,
    coverage: float = COVERAGE,
) -> Difference:
    """Say what changed between two panels of the same items, or when a judge was replaced.

    Parameters
    ----------
    before : Panel
    after : Panel, optional
        Another run, or the same answers under another prompt; by default the same panel, with
        `replace`.
    replace : mapping of str to str, or sequence of str, optional
        Who replaces whom: {"gpt35": "gpt4"}; juries that seat gpt35 then decide anew with gpt4 in
        its place. A list of judges of conf/judge stands for the successors that their yamls name.
    bootstrap : Bootstrap, optional
    margin : float
        What a voter may be worse by and still be as good, stated beforehand.
    coverage : float
        The share of the labelled items that both sides must have voted on for a finding without a
        word on it, and to be ranked.

    Returns
    -------
    Difference
        Printed, it is a few lines, the answer first. Its tables: `changes`, the paired change of
        agreement of each voter with its interval and a finding; `flips`, the votes that changed, in
        each direction; `ranks`, before and after.

    Raises
    ------
    JuriesError
        If there are no common items or voters, they are on different scales, human labels differ,
        or there is no voter of a name.
    """
    margin = Settings(margin=margin, coverage=coverage).margin  # checked
    replaced = named.replacements(replace)
    other = before if after is None else after
    return changes.difference(before, other, replaced, bootstrap, margin, coverage)


@checked
def overview(
    panels: Sequence[Panel],
    bootstrap: Bootstrap | None = None,
    *,
    same_voters: Mapping[str, Sequence[str]] | None = None,
    coverage: float = COVERAGE,
) -> Overview:
    """Put the voters of several panels side by side: datasets, prompts or runs.

    Parameters
    ----------
    panels : sequence of Panel
        Of different datasets' names.
    bootstrap : Bootstrap, optional
    same_voters : mapping of str to sequence of str, optional
        What a voter is called in other panels: {"gpt_4": ["GPT-4", "gpt4"]}.
    coverage : float
        The share of the labelled items that a voter must have voted on to be ranked.

    Returns
    -------
    Overview
        Its tables: `by_dataset`, a row a voter and a column a dataset; `voter_ranks`, each voter's
        agreement and rank on each dataset; `pooled`, one estimate a voter by random effects, with
        its interval and how much the datasets differ.

    Raises
    ------
    JuriesError
        If there are no panels, two of one name, or nobody has human labels of two values.
    """
    names = [panel.dataset.name for panel in panels]
    if not names or len(set(names)) < len(names):
        raise JuriesError(
            f"overview: got panels of {', '.join(names) or 'nothing'}; give panels of different "
            "names (read_verdicts(..., name=))"
        )
    coverage = Settings(coverage=coverage).coverage  # checked
    found = overviews.overview(panels, bootstrap or Bootstrap(), coverage, same_voters)
    if found.pooled.empty:
        raise JuriesError(f"overview: {', '.join(names)}: have no human labels of two values")
    return found


@checked
def read_run(folder: str | Path) -> list[Panel]:
    """Return the panels whose votes an earlier analysis wrote to its folder, one a dataset.

    Parameters
    ----------
    folder : path
        Of `llm-juries analyze`, of `report`, or of a sweep (-m) of analyses.

    Raises
    ------
    JuriesError
        If there is no such folder, or it holds no votes.
    """
    return runs.read_runs([Path(folder).expanduser()])


@checked
def search_juries(
    panel: Panel,
    rules: Sequence[Rule] = ("majority",),
    dollars: Mapping[str, float] | None = None,
    bootstrap: Bootstrap | None = None,
    *,
    undecided: Undecided = "best_member",
    coverage: float = COVERAGE,
) -> JurySearch:
    """Measure all juries of a panel's judges, and what choosing the best one is worth.

    Parameters
    ----------
    panel : Panel
        Of at most 12 judges.
    rules : sequence of rules
        "majority", "any", "mean", "median", "majority_or_mean"; each is searched by itself.
    dollars : mapping of str to float, optional
        What one item costs with each judge.
    bootstrap : Bootstrap, optional
    undecided : {"best_member", "half", "wrong"}
        What counts where a jury comes to no decision.
    coverage : float
        The share of the labelled items that a jury or judge must have a vote on to be chosen.

    Returns
    -------
    JurySearch
        Its tables `juries`, `judges` and `chosen`: start with `chosen`, whose kappa and gain are
        those on questions that had no say in the choice.
    """
    _check_labels(panel, "search_juries")
    coverage = Settings(coverage=coverage).coverage  # checked
    criteria = jury_search.Criteria(tuple(rules), dollars, undecided)
    return jury_search.search_juries(panel, bootstrap or Bootstrap(), criteria, coverage)


@checked
def advise(
    panel: Panel,
    dollars: Mapping[str, float] | None = None,
    *,
    margin: float = MARGIN,
) -> Advice:
    """Say from a pilot whether to seat a jury, which, under which rule, and how sure that is.

    Parameters
    ----------
    panel : Panel
        A few labelled items with the votes of at most 12 judges; juries in it are not looked at.
    dollars : mapping of str to float, optional
        What an item costs with each judge, where neither the recording nor the store says it.
    margin : float
        What a jury may be worse by and still be as good, stated beforehand.

    Returns
    -------
    Advice
        Printed, it is ten lines; its attributes are their numbers. The jury and the judge are
        measured on questions that had no say in their choice. What the atlas expects of such a jury
        comes from results/atlas.

    Raises
    ------
    JuriesError
        If there are no human labels of two values, or fewer than two judges that voted on most of
        them.
    """
    _check_labels(panel, "advise")
    margin = Settings(margin=margin).margin  # checked
    return advice.advise(panel, advice.known_trios(), dollars, margin)


@checked
def questions_needed(
    panel: Panel,
    difference: float | None = None,
    *,
    power: float = 0.8,
    bootstrap: Bootstrap | None = None,
) -> pd.DataFrame:
    """Plan how many questions it takes to tell voters, or ranked models, apart from a pilot.

    Parameters
    ----------
    panel : Panel
        The pilot.
    difference : float, optional
        The true difference that is to be found; by default each one that the pilot shows.
    power : float
        The chance of finding it.
    bootstrap : Bootstrap, optional

    Returns
    -------
    DataFrame
        A row for each jury beside the best judge, named beforehand, and for each two neighbours of
        each ranking of candidates: questions_needed, and detectable, the smallest difference that
        as many questions as the pilot's find. For a search of juries, see questions_needed in
        `search_juries(panel).juries`.

    Raises
    ------
    JuriesError
        If there is neither a jury beside human labels nor a ranking, or the power is no share, or
        the difference is not above 0.
    """
    if difference is not None and not 0 < difference < float("inf"):
        raise JuriesError(f"difference: is {difference:g}; set one above 0, such as 0.02")
    bootstrap = bootstrap or Bootstrap()
    found = power_tables.power(
        panel, bootstrap, rankings.fit(panel, bootstrap), difference=difference, chance=power
    )
    if found.empty:
        raise JuriesError(
            "questions_needed: nothing to tell apart; add human labels and a jury, or name "
            "candidates"
        )
    return found


def list_tables() -> list[str]:
    """Return the names of the tables that `table` makes."""
    return [one.name for one in tables.TABLES if one.name not in SEARCHED]


@checked
def table(
    panel: Panel,
    name: str,
    bootstrap: Bootstrap | None = None,
    *,
    coverage: float = COVERAGE,
    margin: float = MARGIN,
    epsilon: float = EPSILON,
    large_judge: str | None = None,
    labelled_questions: int | None = None,
) -> pd.DataFrame:
    """Make one table of those that a report has: calibration, equivalence, alt_test, power ...

    Parameters
    ----------
    panel : Panel
    name : str
        Of `list_tables`; docs/results.md says what is in each.
    bootstrap : Bootstrap, optional
    coverage : float
        The share of the labelled items that a voter must have voted on to be the best.
    margin : float
        Of `equivalence`: what a voter may be worse by and still be as good.
    epsilon : float
        Of `alt_test`: what an annotator must be better by.
    large_judge : str, optional
        Of `equivalence`: a judge that juries are to replace.
    labelled_questions : int, optional
        Of `corrected`: as if only this many questions had human labels.

    Raises
    ------
    JuriesError
        If there is no such table, or it has no rows on this panel, with what it takes.
    """
    known = list_tables()
    if name in SEARCHED:
        raise JuriesError(f"table: {name} is made by search_juries(panel).{name}")
    if name not in known:
        raise JuriesError(f"table: there is none called {name!r}{nearest(name, known)}")
    names = panel.votes.names
    if large_judge is not None and large_judge not in names:
        raise JuriesError(
            f"large_judge: there is no judge {large_judge!r}{nearest(large_judge, names)}"
        )
    settings = Settings(
        candidate_families=panel.candidate_families,
        labelled_questions=labelled_questions,
        coverage=coverage,
        margin=margin,
        large_judge=large_judge,
        epsilon=epsilon,
    )
    plans = panel.plans if isinstance(panel, CollectedPanel) else ()
    subject = tables.Subject(
        panel,
        Study(panel.dataset, plans, panel.juries),
        Analysis(settings, bootstrap or Bootstrap()),
        panel.stored.usd_a_call() if panel.stored else {},
    )
    made = next(one for one in tables.TABLES if one.name == name)
    found = made.make(subject)
    if found.empty:
        raise JuriesError(
            f"table: {name} has no rows on {panel.dataset.name}; it takes {made.applies}"
        )
    return found


@checked
def dependence(
    panel: Panel, bootstrap: Bootstrap | None = None, *, pairs: bool = False
) -> pd.DataFrame:
    """Measure how many independent votes the judges are worth, or which two err together.

    Returns
    -------
    DataFrame
        A row for all judges and for each jury, with effective_votes; with `pairs` a row for each
        two judges, with the correlation of their errors, or without human labels, and of graded
        votes, their agreement with each other.

    Raises
    ------
    JuriesError
        If `pairs` is false and there are no human labels, or votes are graded or nominal; if there
        are fewer than two judges.
    """
    judges = [voter.name for voter in panel.votes.voters if voter.kind != "jury"]
    if len(judges) < 2:
        raise JuriesError(f"dependence: takes two judges or more, the panel has {len(judges)}")
    bootstrap = bootstrap or Bootstrap()
    if not pairs:
        _check_labels(panel, "dependence")
        if not panel.sided:
            raise JuriesError(
                f"dependence: counts right and wrong votes, and those of {panel.dataset.name} are "
                f"{panel.scale}; see dependence(panel, pairs=True)"
                + ", or cut them: panel.cut(threshold)"
                * panel.scale.graded
            )
        return dependence_tables.effective_votes(panel, bootstrap)
    if _labelled(panel) and not (found := dependence_tables.error_pairs(panel, bootstrap)).empty:
        return found
    return agreement_tables.between_judges(panel, bootstrap)


@checked
def report(
    panel: Panel,
    folder: str | Path,
    bootstrap: Bootstrap | None = None,
    figures: FigureOptions | None = None,
) -> Path:
    """Write an analysis as tables, figures, report.md and a page with every item.

    Parameters
    ----------
    panel : Panel
        From `judge` or `read_verdicts`, with juries added or not.
    folder : path
        Made if need be; files of an earlier report in it are replaced.
    bootstrap : Bootstrap, optional
    figures : FigureOptions, optional
        What is drawn, and how: lj.FigureOptions(width="single", names={"gpt_4": "GPT-4"}).

    Returns
    -------
    Path
        The page, report.html.
    """
    from .reporting import summary
    from .reporting.page import page

    if not isinstance(panel, CollectedPanel):
        raise JuriesError("report: takes a panel of judge() or read_verdicts()")
    study = Study(panel.dataset, panel.plans, panel.juries)
    prompt = ", ".join(dict.fromkeys(plan.prompt.name for plan in panel.plans))
    into = Path(folder).expanduser()
    settings = Settings(
        panel.inconsistent,
        panel.candidate_families,
        threshold=panel.threshold,
        vote=panel.vote,
    )
    analysis = Analysis(settings, bootstrap or Bootstrap())
    with _opened(study, panel.store) as store:
        results = measure([study], store, analysis)
        try:
            drawn = summary.write(results, into, _config(panel, prompt), figures)
            page.write(results, store, into / "report.html", drawn)
        except OSError as error:
            raise JuriesError(
                f"report: {error.filename or into}: {error.strerror}; choose another folder"
            ) from None
    return into / "report.html"


def _policy(policy: Policy | None, max_cost_usd: float | None) -> Policy:
    policy = policy or Policy()
    if policy.dry_run or policy.mode == "batch":
        raise JuriesError(
            "policy: judge() asks live; use the command line for dry_run and mode=batch"
        )
    return policy if max_cost_usd is None else replace(policy, max_cost_usd=max_cost_usd)


def _check_counting(inconsistent: Inconsistent, vote: Vote = "most_probable") -> None:
    for option, value, known in (
        ("inconsistent", inconsistent, get_args(Inconsistent)),
        ("vote", vote, get_args(Vote)),
    ):
        if value not in known:
            raise JuriesError(f"{option}: there is no {value!r}{nearest(value, known)}")


def _is_name(data: object) -> bool:
    return isinstance(data, str) and not Path(data).suffix


def _dataset(data: Answers, name: str | None, scale: Scale | None = None) -> Dataset:
    if isinstance(data, str | Path) and (_is_name(data) or Path(data).suffix in (".yaml", ".yml")):
        data = named.load_dataset(data)
    if isinstance(data, Dataset):
        if scale is not None:
            raise JuriesError(f"dataset {data.name}: has a scale of its own; leave out human_scale")
        return data if name is None else replace(data, name=name)
    table = table_of(data)
    rows = [row for _, row in table.rows()] if not isinstance(data, str | Path) else []
    if any(row.get("item_id") is not None for row in rows):
        for number, row in enumerate(rows, 1):
            if row.get("item_id") is None:
                raise JuriesError(f"{table.name}, row {number}, column item_id: is empty")
    options = answer_tables.Options(scale=scale)
    return answer_tables.read(table, name or called(data, "answers"), options=options)


def _only(dataset: Dataset, judges: Sequence[str] | None) -> Dataset:
    """Return a dataset with the recordings of these judges only, all by default."""
    if judges is None:
        return dataset
    known = [recording.judge for recording in dataset.recordings]
    for one in judges:
        if one not in known:
            raise JuriesError(f"dataset {dataset.name}: no judge {one!r}{nearest(one, known)}")
    kept = tuple(recording for recording in dataset.recordings if recording.judge in judges)
    return replace(dataset, recordings=kept)


def _seating(judges: Sequence[str | Path | Judge]) -> Seating:
    if isinstance(judges, str | Path) or not isinstance(judges, Sequence):
        raise JuriesError(f"judges: give a list: judges=[{judges!r}]")
    found: dict[str, Judge] = {}
    for one in judges:
        if isinstance(one, str | Path):
            continue
        if not hasattr(one, "ask"):
            raise JuriesError(f"judges: {one!r} is not a judge; give names, yaml paths or judges")
        if one.name in found:
            raise JuriesError(f"judges: two have the name {one.name!r}; rename one")
        found[one.name] = one
    objects = tuple(found)
    seats: list[Seat] = []
    places: dict[str, str] = {name: name for name in found}  # a judge's name by what was given
    for one in judges:
        if not isinstance(one, str | Path):
            continue
        whole = isinstance(one, Path) or Path(one).is_file()
        for seat in [Seat(str(one))] if whole else seats_of([str(one)], found):
            if seat.judge not in places:
                built = named.load_judge(seat.judge)
                if built.name in found:
                    raise JuriesError(f"judges: two have the name {built.name!r}; rename one")
                found[built.name] = built
                places[seat.judge] = built.name
            seats.append(replace(seat, judge=places[seat.judge]))
    seats += [Seat(name) for name in objects if Seat(name) not in seats]
    for seat in seats:
        if seats.count(seat) > 1:
            raise JuriesError(
                f"judges: {seat} is named twice; {seat.judge}*2 takes two answers of it"
            )
    prompts = {seat.prompt: named.load_prompt(seat.prompt) for seat in seats if seat.prompt}
    return Seating(found, tuple(map(str, seats)), prompts)


def _default_store() -> Path:
    from platformdirs import user_data_path

    return user_data_path("llm-juries") / "store"


@contextmanager
def _opened(study: Study, folder: Path | None) -> Iterator[Store]:
    """Open the store of a panel; that of rules alone is filled anew each time."""
    if folder is not None:
        with Store(folder) as store:
            yield store
        return
    with TemporaryDirectory() as temporary, Store(temporary) as store:
        collect(study.plans, store)
        yield store


def _recorded(
    study: Study,
    inconsistent: Inconsistent,
    threshold: float | None,
    vote: Vote = "most_probable",
) -> CollectedPanel:
    with _opened(study, None) as store:
        return _collected(study, store, None, inconsistent, threshold, vote)


def _collected(
    study: Study,
    store: Store,
    folder: Path | None,
    inconsistent: Inconsistent,
    threshold: float | None,
    vote: Vote,
) -> CollectedPanel:
    if not study.plans:
        raise JuriesError(f"dataset {study.dataset.name}: has no judges; name some")
    panel = read_panel(study, store, inconsistent, threshold=threshold, vote=vote)
    if panel.cut_at:
        print(f"{study.dataset.name}: {panel.cut_at}")  # noqa: T201
    return CollectedPanel(
        panel.dataset,
        panel.votes,
        panel.orders,
        panel.scale,
        panel.threshold,
        panel.uncut,
        stored=panel.stored,
        plans=study.plans,
        store=folder,
        inconsistent=inconsistent,
        vote=vote,
    )


def _labelled(panel: Panel) -> bool:
    return any(item.human is not None for item in panel.dataset.items)


def _check_labels(panel: Panel, function: str) -> None:
    if not _labelled(panel):
        raise JuriesError(
            f"{function}: {panel.dataset.name} has no human labels; add a column human, or see "
            "dependence(panel, pairs=True) for the judges among themselves"
        )


def _config(panel: CollectedPanel, prompt: str) -> str:
    """Return what made the panel, as yaml."""
    facts = {
        "made_by": "llm_juries.report",
        "dataset": panel.dataset.name,
        "judges": [plan.voter for plan in panel.plans],
        "juries": [jury.name for jury in panel.juries],
        "prompt": prompt,
        "store": str(panel.store) if panel.store else None,
    }
    return str(yaml.safe_dump(facts, sort_keys=False))
