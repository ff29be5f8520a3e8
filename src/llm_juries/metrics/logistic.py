"""Logistic regressions without a penalty: many at once, and conditional on strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import Array, Index

STEPS = 40  # of Newton; a step moves log odds by 0.7 or more until it converges
CONVERGED = 1e-9  # the largest change of any log odds in a last step
SINGULAR = 1e-10  # smallest over largest eigenvalue of an information matrix that tells nothing


@dataclass(frozen=True)
class Design:
    """Rows of a regression with k entries each: `columns` and `values` of shape (r, k).

    There are `width` coefficients, of which the first `models` are strengths.
    """

    columns: Index
    values: Array
    models: int
    width: int

    def rows(self) -> Any:
        """Return the rows as a sparse matrix of shape (r, width)."""
        return self._sparse(self.columns, self.values, self.width)

    def outer(self) -> Any:
        """Return the outer product of each row with itself, of shape (r, width squared)."""
        r, k = self.columns.shape
        cells = self.columns[:, :, None] * self.width + self.columns[:, None, :]
        products = self.values[:, :, None] * self.values[:, None, :]
        return self._sparse(cells.reshape(r, k * k), products.reshape(r, k * k), self.width**2)

    def _sparse(self, columns: Index, values: Array, width: int) -> Any:
        from scipy.sparse import csr_array  # type: ignore[import-untyped, unused-ignore]

        r, k = columns.shape
        return csr_array(
            (np.ascontiguousarray(values).ravel(), columns.ravel(), k * np.arange(r + 1)),
            shape=(r, width),
        )


def logistic(design: Design, wins: Array, losses: Array, start: Array) -> Array:
    """Return the most likely coefficients of b logistic regressions that share their rows.

    Newton's method on all at once. A step is shortened by ln(1 + r) / r, r being the largest change
    of any row's log odds, which is sure to raise the likelihood (Sun and Tran-Dinh 2019,
    generalized self-concordant functions of order 2) and leaves quadratic convergence. Where wins
    and losses can be told apart for sure, the likelihood has no maximum and r stays near 1: such
    regressions are NaN, and so are those whose information matrix is singular.

    Parameters
    ----------
    design : Design
    wins, losses : arrays of shape (b, r)
        Weights of each row's two outcomes.
    start : array of shape (width,)
        Where to start from.

    Returns
    -------
    array of shape (b, width)
        Strengths have mean 0.
    """
    rows, outer = design.rows(), design.outer()
    d, m = design.width, design.models
    found = np.full((len(wins), d), np.nan)
    # Strengths are known up to a constant; this term fixes their sum without moving the maximum.
    gauge = np.zeros((d, d))
    gauge[:m, :m] = 1 / m
    theta = np.tile(start, (len(wins), 1))
    left = np.arange(len(wins))
    for _ in range(STEPS):
        if not len(left):
            break
        total = wins + losses
        chance = 1 / (1 + np.exp(-np.clip(theta @ rows.T, -700, 700)))
        slope = (wins - total * chance) @ rows
        curve = ((total * chance * (1 - chance)) @ outer).reshape(-1, d, d)
        size = np.maximum(np.trace(curve, axis1=1, axis2=2) / d, 1e-300)[:, None, None]
        # A trace of a ridge keeps a singular step finite; the slope, and so the maximum, has none.
        step = np.linalg.solve(
            curve + size * (gauge + 1e-13 * np.eye(d)), slope[:, :, None]
        )[:, :, 0]  # fmt: skip
        far = np.abs(step @ rows.T).max(axis=1, initial=0.0)
        safe = np.maximum(far, 1e-300)
        theta = theta + step * (np.log1p(safe) / safe)[:, None]
        done = far < CONVERGED
        if done.any():
            spectrum = np.linalg.eigvalsh(curve[done] + size[done] * gauge)
            sure = spectrum[:, 0] > SINGULAR * spectrum[:, -1]
            found[left[done][sure]] = theta[done][sure]
            theta, wins, losses, left = theta[~done], wins[~done], losses[~done], left[~done]
    found[:, :m] -= found[:, :m].mean(axis=1, keepdims=True)
    return found


SURE = 15.0  # a log odds beyond this has run away: the strata tell the outcomes apart for sure


def conditional_logit(
    outcomes: Array, design: Array, strata: Index, clusters: Index
) -> tuple[Array, Array]:
    """Return the coefficients of a conditional logit (Chamberlain 1980) and their standard errors.

    An effect of each stratum is conditioned on, through the number of its positive outcomes; strata
    with one outcome only say nothing. The sum over all ways to have that number is a recursion
    (Gail, Lubin and Rubinstein 1981). Errors are sandwiches, clustered.

    Parameters
    ----------
    outcomes : array of shape (r,)
        1.0 or 0.0.
    design : array of shape (r, p)
    strata, clusters : arrays of shape (r,)
        Whole numbers; strata lie within clusters.

    Returns
    -------
    arrays of shape (p,)
        NaN where the likelihood has no maximum.
    """
    from scipy.optimize import minimize

    _, at = np.unique(strata, return_inverse=True)
    size, positive = np.bincount(at), np.bincount(at, weights=outcomes)
    kept = ((positive > 0) & (positive < size))[at]
    p = design.shape[1]
    none = np.full(p, np.nan), np.full(p, np.nan)
    if not kept.any():
        return none
    _, at = np.unique(strata[kept], return_inverse=True)
    order = np.argsort(at, kind="stable")
    at, rows = at[order], np.flatnonzero(kept)[order]
    place = np.arange(len(at)) - np.searchsorted(at, at)
    g, k = at[-1] + 1, int(place.max()) + 1
    x, y, there = np.zeros((g, k, p)), np.zeros((g, k)), np.zeros((g, k), bool)
    x[at, place], y[at, place], there[at, place] = design[rows], outcomes[rows], True
    chosen = y.sum(axis=1).astype(int)
    cluster = np.zeros(g, int)
    cluster[at] = clusters[rows]

    def ways(weights: Array) -> Array:
        """Return the sums of products of each number of the weights, of shape (g, k + 1)."""
        sums = np.zeros((g, weights.shape[1] + 1))
        sums[:, 0] = 1
        for number in range(weights.shape[1]):
            sums[:, 1 : number + 2] += weights[:, [number]] * sums[:, : number + 1]
        return sums

    def parts(beta: Array) -> tuple[Array, Array]:
        """Return each stratum's log likelihood and score."""
        eta = x @ beta
        top = np.where(there, eta, -np.inf).max(axis=1, keepdims=True)
        weights = np.where(there, np.exp(eta - top), 0.0)
        row = np.arange(g)
        total = ways(weights)[row, chosen]
        chance = np.stack(
            [
                weights[:, i] * ways(np.delete(weights, i, axis=1))[row, chosen - 1] / total
                for i in range(k)
            ],
            axis=1,
        )
        fit = (y * (eta - top)).sum(axis=1) - np.log(total)
        return fit, np.einsum("gk,gkp->gp", np.where(there, y - chance, 0.0), x)

    def negative(beta: Array) -> tuple[float, Array]:
        fit, score = parts(beta)
        return -float(fit.sum()), -score.sum(axis=0)

    found = minimize(negative, np.zeros(p), jac=True, method="BFGS", options={"gtol": 1e-6})
    beta = found.x
    if np.abs(beta).max() > SURE:
        return none
    steps = 1e-5 * np.eye(p)
    curve = np.stack([negative(beta + s)[1] - negative(beta - s)[1] for s in steps]) / 2e-5
    if np.linalg.matrix_rank(curve) < p:
        return none
    _, cluster = np.unique(cluster, return_inverse=True)
    scores = np.zeros((cluster.max() + 1, p))
    np.add.at(scores, cluster, parts(beta)[1])
    bread = np.linalg.inv(curve)
    return beta, np.sqrt(np.diag(bread @ (scores.T @ scores) @ bread))
