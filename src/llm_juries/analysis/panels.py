"""Read a panel from a store: stored verdicts become votes, and juries decide. Calls no model.

Prompts and recordings have scales of their own (true or false, one to five, A>>B to B>>A). A panel
has one scale, that of all its votes; one kind of scale becomes another only by a threshold that was
asked for. Of a preference only the side counts; its middle is a tie (0.5).

A pair is one unit, however many orders it was shown in, so no battle counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..data.dataset import Dataset
from ..errors import JuriesError
from ..juries.panel import Panel
from ..juries.stored import Inconsistent, Vote, pool
from ..juries.votes import Voter, Votes
from ..scale import Scale, common_scale, fits
from ..store.store import Store
from ..study import Study, read
from ..types import Order


def read_panel(
    study: Study,
    store: Store,
    inconsistent: Inconsistent = "missing",
    candidate_families: Mapping[str, str] | None = None,
    threshold: float | None = None,
    vote: Vote = "most_probable",
) -> Panel:
    """Read a study's votes from the store and let its juries decide.

    Parameters
    ----------
    study, store
    inconsistent : {"missing", "tie", "mean"}
        What a pair counts as whose two orders point to different sides.
    candidate_families : mapping of str to str, optional
        The model family of each candidate, for juries whose members recuse themselves.
    threshold : float, optional
        From which on a graded value is positive: the same for judges, juries and humans, after
        juries have pooled. Beside judges that say yes or no, graded ones are cut before.
    vote : {"most_probable", "expected"}
        What a judge's token probabilities vote for; see `StoredVotes.expected`.

    Raises
    ------
    JuriesError
        If verdicts and labels are on scales that do not fit each other, or there is nothing that
        the threshold could cut.
    """
    dataset = study.dataset.loaded()
    plans = [replace(plan, dataset=dataset) for plan in study.plans]
    stored = read(plans, dataset, store)
    if vote == "expected":
        stored = stored.expected()
    scale = panel_scale(dataset, dict(zip(stored.judges, stored.scales, strict=True)), threshold)
    cut_before = threshold is not None and not scale.graded
    labels, scores = stored.on(scale, threshold)
    outcomes = stored.outcomes
    voters = tuple(
        Voter(p.voter, p.judge.kind, p.judge.family, vendor=p.judge.vendor) for p in plans
    )

    single: dict[Order, Votes] = {}
    if len(dataset.orders) > 1:
        for at, order in enumerate(dataset.orders):
            part = np.s_[:, :, at : at + 1]
            shown = pool(labels[part], scores[part], outcomes[part], inconsistent, scale)
            single[order] = Votes(voters, *shown, scale)
    panel = Panel(
        dataset,
        Votes(
            voters,
            *pool(labels, scores, outcomes, inconsistent, scale),
            scale,
            stored.chances(scale),
        ),
        single,
        scale,
        threshold if cut_before else None,
        candidate_families=candidate_families or {},
        stored=stored,
    )
    if threshold is not None and not cut_before:
        panel = panel.cut(threshold)
    for jury in study.juries:
        panel = panel.add(jury)
    return panel


def panel_scale(dataset: Dataset, own: Mapping[str, Scale], threshold: float | None) -> Scale:
    """Return the scale of a panel's votes, before a threshold cuts it where all are graded.

    Parameters
    ----------
    dataset : Dataset
    own : mapping of str to Scale
        Each judge's.
    threshold : float, optional

    Raises
    ------
    JuriesError
        If the judges' scales do not fit each other or the labels', or nothing is graded that a
        threshold could cut.
    """
    labelled = any(item.human is not None for item in dataset.items)
    labels = dataset.label_scale if labelled or dataset.scale is not None else None
    graded = {name for name, scale in own.items() if scale.graded}
    if threshold is not None and not graded and not (labels and labels.graded):
        raise JuriesError(
            f"threshold: is {threshold:g}, but nothing about {dataset.name} is graded; leave it out"
        )
    if threshold is not None and graded and len(graded) < len(own):
        own = {name: Scale.binary() if name in graded else scale for name, scale in own.items()}
    cut = threshold is not None and labels is not None and labels.graded
    binary_votes = bool(own) and not any(scale.graded for scale in own.values())
    wanted = Scale.binary() if cut and binary_votes else labels
    scale = common_scale(own, wanted, f"dataset {dataset.name}")
    if wanted is None or fits(scale, wanted) or fits(wanted, scale):
        return scale
    if scale.graded and wanted.kind == "binary":
        return scale  # measured by ROC AUC, or cut
    raise JuriesError(
        f"dataset {dataset.name}: the verdicts are {scale} and the human labels {wanted}; "
        + (
            "set analysis.threshold (in Python threshold) to the label from which an answer is good"
            if wanted.graded and scale.kind == "binary"
            else "put them on one scale"
        )
    )
